//go:build linux && (amd64 || arm64)

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"sighub/scripts/lab/wire"
)

func command(p wire.Program) (*exec.Cmd, error) {
	if len(p.Args) == 0 {
		return nil, errors.New("the program is missing")
	}
	cmd := exec.Command(p.Args[0], p.Args[1:]...)
	cmd.Dir = "/tmp"
	cmd.Env = []string{"HOME=/tmp", "PATH=/bin"}
	if p.UID != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: p.UID, Gid: p.UID}}
	}
	return cmd, nil
}

// start starts a program, and reports its output and its end.
func (a *agent) start(p wire.Program) error {
	cmd, err := command(p)
	if err != nil {
		return err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer func() { _ = null.Close() }()
	cmd.ExtraFiles = slices.Repeat([]*os.File{null}, p.Files)
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = write, write
	err = cmd.Start()
	_ = write.Close() // the program has its own
	if err != nil {
		_ = read.Close()
		return err
	}
	a.programs.put(p.Name, cmd)
	go func() {
		a.follow(p.Name, read)
		code := 0
		if err := cmd.Wait(); err != nil {
			code = -1 // by a signal
			if exit, ok := errors.AsType[*exec.ExitError](err); ok {
				code = exit.ExitCode()
			}
		}
		_, _ = a.programs.take(p.Name)
		a.tell(wire.Sight{Kind: wire.Exit, By: p.Name, Code: code})
	}()
	return nil
}

// follow reports the lines that a program writes, until it closes its output.
func (a *agent) follow(name string, from io.ReadCloser) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		a.tell(wire.Sight{Kind: wire.Log, By: name, Text: lines.Text()})
	}
	_ = from.Close()
}

// exec runs a program to its end.
func (a *agent) exec(p wire.Program) (wire.Reply, error) {
	cmd, err := command(p)
	if err != nil {
		return wire.Reply{}, err
	}
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	err = cmd.Run()
	r := wire.Reply{At: monotonic(), Text: out.String(), Err: complaints.String()}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		r.Code, err = exit.ExitCode(), nil
	}
	return r, err
}

func (a *agent) signal(t wire.Target) error {
	p, err := a.programs.get(t.Name)
	if err != nil {
		return err
	}
	signal := syscall.Signal(t.Signal)
	if err := p.Process.Signal(signal); err != nil || signal != syscall.SIGSTOP {
		return err
	}
	return awaitStop(p.Process.Pid)
}

// awaitStop waits until every thread of a process has stopped: after SIGSTOP some may run for a moment.
func awaitStop(pid int) error {
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		if err != nil || len(threads) == 0 {
			return fmt.Errorf("process %d has no threads: %w", pid, os.ErrProcessDone)
		}
		running := 0
		for _, thread := range threads {
			stat, err := os.ReadFile(thread)
			if _, state, ok := bytes.Cut(stat, []byte(") ")); err == nil && (!ok || state[0] != 'T') {
				running++
			}
		}
		if running == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d threads of process %d do not stop", running, pid)
		}
	}
}

// process returns the resources of a program.
func (a *agent) process(t wire.Target) (wire.Process, error) {
	p, err := a.programs.get(t.Name)
	if err != nil {
		return wire.Process{}, err
	}
	r := wire.Process{Descriptors: []string{}}
	dir := fmt.Sprintf("/proc/%d", p.Process.Pid)
	links, err := filepath.Glob(dir + "/fd/*")
	if err != nil {
		return r, err
	}
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil { // else it was closed just now
			r.Descriptors = append(r.Descriptors, to)
		}
	}
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return r, err
	}
	for key, value := range map[string]*int{"Threads": &r.Threads, "RssAnon": &r.Resident} {
		_, rest, _ := strings.Cut(string(status), "\n"+key+":")
		if _, err := fmt.Sscan(rest, value); err != nil {
			return r, fmt.Errorf("%s/status: %s: %w", dir, key, err)
		}
	}
	return r, nil
}
