//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A hubProcess is the real program, with a log that is counted while it grows.
type hubProcess struct {
	command *exec.Cmd
	addr    string // without a scheme
	far     string // the same for other machines; empty: there are none
	passes  passes
	serial  string // the path at which it expects a serial device
	dir     string
	exited  chan struct{}

	hasFar     bool
	mu         sync.Mutex
	found      bool // where it listens
	lines      int
	goroutines int // in the stack dump at its end
	messages   counts
	places     counts // where the goroutines are
	placed     bool   // the present goroutine is in places
	heard      chan struct{}
}

var (
	listening = regexp.MustCompile(`addr=tcp://([0-9.:]+)`)
	stack     = regexp.MustCompile(`^goroutine [0-9]+ `)
	message   = regexp.MustCompile(` msg=("[^"]*"|[^ ]+)`)
	place     = regexp.MustCompile(`^sighub/(.*)\(`)
)

// startHub starts a hub that listens at a free port of the loopback interface.
func startHub(ctx context.Context, o *options, name string) (*hubProcess, error) {
	dir, err := os.MkdirTemp("", "siege")
	if err != nil {
		return nil, err
	}
	h := &hubProcess{dir: dir, hasFar: o.hasFar(), serial: filepath.Join(dir, "device"), exited: make(chan struct{}), heard: make(chan struct{})}
	limits := []byte("{}\n")
	if o.config != "" {
		if limits, err = os.ReadFile(o.config); err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
	}
	file := filepath.Join(dir, "hub.yaml")
	if err := os.WriteFile(file, limits, 0o600); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	guarded, passes, err := o.guard(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	h.passes = passes
	if o.hasFar() {
		guarded = append(guarded, "--listen", "tls://"+o.far+":0")
	}
	// Without a journal, because an acknowledgement that waits for the disk says nothing about neighbours.
	args := []string{
		"run", "--config", file, "--listen", "tcp://127.0.0.1:0", "--serial", h.serial, "--state", filepath.Join(dir, "state"), "--journal", "off",
	}
	h.command = exec.CommandContext(ctx, o.hub, append(args, guarded...)...)
	h.command.Env = append(os.Environ(), "GOTRACEBACK=all")
	log, err := h.command.StderrPipe()
	if err == nil {
		err = h.command.Start()
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	go h.read(log, o, name)
	select {
	case <-h.heard:
		return h, nil
	case <-h.exited:
		return nil, errors.Join(fmt.Errorf("%s ended at once", o.hub), os.RemoveAll(dir))
	case <-time.After(20 * time.Second):
		_ = h.command.Process.Kill() // it does not start
		<-h.exited
		return nil, errors.Join(fmt.Errorf("%s does not listen", o.hub), os.RemoveAll(dir))
	}
}

// read counts the lines of the log until the hub has ended.
func (h *hubProcess) read(log io.Reader, o *options, name string) {
	file := io.Discard
	if o.logs != "" {
		if f, err := os.Create(filepath.Join(o.logs, name+".log")); err == nil {
			defer func() { _ = f.Close() }() // it is a help, not the result
			file = f
		}
	}
	if o.verbose {
		file = io.MultiWriter(file, os.Stderr)
	}
	r := bufio.NewReaderSize(log, 1<<20)
	for {
		line, err := r.ReadSlice('\n')
		h.count(line)
		_, _ = file.Write(line) // the log is a help, not the result
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			break
		}
	}
	_ = h.command.Wait() // it ends by a signal
	close(h.exited)
}

func (h *hubProcess) count(line []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if m := listening.FindSubmatch(line); m != nil && h.far == "" {
		switch at := string(m[1]); {
		case strings.HasPrefix(at, "127."):
			h.addr = at
		default:
			h.far = at
		}
		if h.addr != "" && (h.far != "") == h.hasFar && !h.found {
			h.found = true
			close(h.heard)
		}
	}
	if stack.Match(line) {
		h.goroutines++
		h.placed = false
	}
	if m := message.FindSubmatch(line); m != nil {
		h.messages.add(string(m[1]))
	}
	if m := place.FindSubmatch(line); m != nil && !h.placed {
		h.places.add(string(m[1]))
		h.placed = true
	}
	h.lines += (len(line) + 999) / 1000
}

// counts count texts. There are at most a thousand different ones.
type counts map[string]int

func (c *counts) add(text string) {
	if *c == nil {
		*c = make(counts)
	}
	if len(*c) < 1000 || (*c)[text] > 0 {
		(*c)[text]++
	}
}

// most returns the text that was counted most often, with its number.
func (c counts) most() string {
	best := ""
	for text, n := range c {
		if n > c[best] || n == c[best] && text < best {
			best = text
		}
	}
	return fmt.Sprintf("%d %s", c[best], best)
}

// logged returns the number of lines of the log. A long one counts as one for each 1,000 bytes that it begins.
func (h *hubProcess) logged() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lines
}

func (h *hubProcess) proc(file string) string {
	return fmt.Sprintf("/proc/%d/%s", h.command.Process.Pid, file)
}

// resident returns the hub's resident memory in MB; 0 if it has ended.
func (h *hubProcess) resident() float64 { return residentOf(h.command.Process.Pid) }

func residentOf(pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kb, err := strconv.ParseFloat(fields[0], 64)
	if err != nil {
		return 0
	}
	return kb / 1024
}

// descriptors returns how many descriptors the hub has; 0 if it has ended.
func (h *hubProcess) descriptors() int {
	entries, err := os.ReadDir(h.proc("fd"))
	if err != nil {
		return 0
	}
	return len(entries)
}

// processor returns how much time the hub has computed. The kernel counts in hundredths of a second.
func (h *hubProcess) processor() time.Duration {
	text, err := os.ReadFile(h.proc("stat"))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, err := strconv.Atoi(fields[11]) // utime and stime of proc(5), which counts from 1 and includes the name
	if err != nil {
		return 0
	}
	system, err := strconv.Atoi(fields[12])
	if err != nil {
		return 0
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// settle waits until the hub has as many descriptors as before and computes no longer, but not for ever. It returns how many
// descriptors are too many.
func (h *hubProcess) settle(ctx context.Context, before int, patience time.Duration) int {
	const look = 200 * time.Millisecond
	for deadline := time.Now().Add(patience); ; {
		computed := h.processor()
		wait(ctx, look)
		more := h.descriptors() - before
		calm := more <= 1 && h.processor()-computed < look/4 // a visitor may be there
		if calm || time.Now().After(deadline) || ctx.Err() != nil {
			return more
		}
	}
}

// alive reports whether the hub still runs.
func (h *hubProcess) alive() bool {
	select {
	case <-h.exited:
		return false
	default:
		return true
	}
}

// end makes the hub print its stacks and end, and returns how many goroutines it had; 0 if it did not say.
func (h *hubProcess) end() int {
	if h.alive() {
		_ = h.command.Process.Signal(syscall.SIGQUIT) // it may just have ended
		select {
		case <-h.exited:
		case <-time.After(20 * time.Second):
			_ = h.command.Process.Kill()
			<-h.exited
		}
	}
	_ = os.RemoveAll(h.dir) // a folder of temporary files
	return h.goroutines
}
