//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The roles in which siege starts itself. Attackers have a process of their own with a low priority: on another machine they
// would not take time from the hub either.
const (
	rolePair   = "pair"
	roleAttack = "attack"

	attackersNice = 10
	// tooMuch is the memory in MB above idle at which a hub is stopped, for the sake of the machine.
	tooMuch = 768
	// rest is how long a hub may take to come back to what it had before.
	rest = 15 * time.Second
)

// besiege runs the attacks one after another, prints a table, and reports whether the hub has withstood all of them.
func besiege(ctx context.Context, o *options, list []attack, out io.Writer) (ok bool, err error) {
	t := &table{out: out, o: o}
	if err := t.head(); err != nil {
		return false, err
	}
	for _, a := range list {
		var v verdict
		for try := 1; ; try++ {
			if a.judge != nil {
				v, err = a.judge(ctx, o)
			} else {
				v, err = one(ctx, o, a)
			}
			if why := t.why(a, &v); err != nil || try >= o.tries || len(why) != 1 || why[0] != late {
				break
			}
		}
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		if err != nil {
			return false, fmt.Errorf("%s: %w", a.name, err)
		}
		if err := t.row(a, &v); err != nil {
			return false, err
		}
	}
	return t.failed == 0, t.foot()
}

// one runs one attack against a hub of its own.
func one(ctx context.Context, o *options, a attack) (v verdict, err error) {
	h, err := startHub(ctx, o, a.name)
	if err != nil {
		return v, err
	}
	defer func() { v.goroutines = h.end() }()
	p, err := startRole(ctx, 0, rolePair, h.addr)
	if err != nil {
		return v, err
	}
	defer p.end()
	if _, err := p.line(30 * time.Second); err != nil {
		return v, fmt.Errorf("the well-behaved clients cannot connect: %w", err)
	}
	wait(ctx, min(o.span/4, 2*time.Second)) // until the hub and the pair are at ease
	idle, descriptors := h.resident(), h.descriptors()
	lines := h.logged()
	computed := h.processor()
	if err := p.tell("measure"); err != nil {
		return v, err
	}

	start := time.Now()
	attackers, err := startRole(ctx, attackersNice, roleAttack, a.name, h.addr, h.serial)
	if err != nil {
		return v, err
	}
	for time.Since(start) < o.span && h.alive() && ctx.Err() == nil {
		v.memory = max(v.memory, h.resident()-idle)
		if v.memory > tooMuch {
			v.stopped = true
			_ = h.command.Process.Kill() // the loop ends when it has ended
			<-h.exited
		}
		wait(ctx, 20*time.Millisecond)
	}
	v.span = time.Since(start)
	v.processor = h.processor() - computed
	if v.deed, err = attackers.report(); err != nil {
		return v, err
	}
	if err := p.tell("report"); err != nil {
		return v, err
	}
	answer, err := p.line(60 * time.Second)
	if err == nil {
		err = json.Unmarshal([]byte(answer), &v.report)
	}
	if err != nil {
		return v, fmt.Errorf("the well-behaved clients do not report: %w", err)
	}
	v.lines = h.logged() - lines
	v.died = !h.alive()
	if !v.died {
		v.descriptors = h.settle(ctx, descriptors, min(rest, max(o.span, 3*time.Second)))
	}
	return v, nil
}

// A role is siege itself in one of its roles.
type role struct {
	command *exec.Cmd
	in      io.WriteCloser
	lines   chan string
}

func startRole(ctx context.Context, nice int, args ...string) (*role, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	name, args := self, append([]string(nil), args...)
	if nice > 0 {
		name, args = "nice", append([]string{"-n", strconv.Itoa(nice), self}, args...)
	}
	r := &role{command: exec.CommandContext(ctx, name, args...), lines: make(chan string, 4)}
	r.command.Stderr = os.Stderr
	out, err := r.command.StdoutPipe()
	if err == nil {
		r.in, err = r.command.StdinPipe()
	}
	if err == nil {
		err = r.command.Start()
	}
	if err != nil {
		return nil, err
	}
	go func() {
		defer close(r.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			r.lines <- s.Text()
		}
	}()
	return r, nil
}

func (r *role) tell(line string) error {
	_, err := io.WriteString(r.in, line+"\n")
	return err
}

var errSilent = errors.New("it says nothing")

// line returns the next line that it prints.
func (r *role) line(patience time.Duration) (string, error) {
	select {
	case line, ok := <-r.lines:
		if !ok {
			return "", errors.Join(errSilent, r.command.Wait())
		}
		return line, nil
	case <-time.After(patience):
		return "", errSilent
	}
}

// report ends attackers and returns what they have done.
func (r *role) report() (d deed, err error) {
	defer r.end()
	if err := r.command.Process.Signal(syscall.SIGTERM); err != nil {
		return d, err
	}
	line, err := r.line(20 * time.Second)
	if err != nil {
		return d, fmt.Errorf("the attackers do not report: %w", err)
	}
	return d, json.Unmarshal([]byte(line), &d)
}

// end ends it.
func (r *role) end() {
	_ = r.in.Close() // it may have ended
	if r.command.ProcessState != nil {
		return
	}
	_ = r.command.Process.Kill()
	for range r.lines { // until its output ends, as Wait demands
	}
	_ = r.command.Wait() // it was killed
}

// deeds describes what attackers have done.
func (d deed) String() string {
	var parts []string
	for _, p := range []struct {
		n    int64
		what string
	}{{d.Connections, "connections"}, {d.Messages, "messages"}} {
		if p.n > 0 {
			parts = append(parts, strconv.FormatInt(p.n, 10)+" "+p.what)
		}
	}
	if d.Bytes > 1<<20 {
		parts = append(parts, strconv.FormatInt(d.Bytes>>20, 10)+" MiB")
	}
	return strings.Join(parts, ", ")
}
