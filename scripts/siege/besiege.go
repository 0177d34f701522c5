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

// The roles in which siege starts itself. Each is a process of its own: what attackers do to the prey takes no time from
// the pair. Attackers have the lowest priority: on another machine they would not take time from the hub either.
const (
	rolePair   = "pair"
	rolePrey   = "prey"
	roleAttack = "attack"

	attackersNice = 19
	// tooMuch is the memory in MB above idle at which a hub is stopped, for the sake of the machine.
	tooMuch = 768
	// rest is how long a hub may take to come back to what it had before.
	rest = 15 * time.Second
)

// besiege runs the attacks one after another, prints a table, and reports whether the hub has withstood all of them.
func besiege(ctx context.Context, o *options, list []attack, out io.Writer) (ok bool, err error) {
	peace, err := begin(ctx, o, "peace")
	if err != nil {
		return false, err
	}
	defer peace.end()
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
				v, err = one(ctx, o, a, peace)
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

// A side is a hub with a well-behaved pair of clients, and the prey.
type side struct {
	*hubProcess
	pair, prey *role
}

// begin starts a hub and a pair, and waits until they are at ease.
func begin(ctx context.Context, o *options, name string) (*side, error) {
	h, err := startHub(ctx, o, name)
	if err != nil {
		return nil, err
	}
	s := &side{hubProcess: h}
	if s.pair, err = startRole(ctx, 0, h.passes.well, rolePair, h.addr); err == nil {
		_, err = s.pair.line(30 * time.Second)
	}
	if err == nil {
		s.prey, err = startRole(ctx, 0, h.passes.well, rolePrey, h.addr)
	}
	if err == nil {
		_, err = s.prey.line(30 * time.Second)
	}
	if err != nil {
		s.end()
		return nil, fmt.Errorf("the well-behaved clients cannot connect: %w", err)
	}
	wait(ctx, min(o.span/4, 2*time.Second))
	return s, nil
}

// end ends all, the hub last, and returns how many goroutines it had.
func (s *side) end() int {
	for _, r := range []*role{s.pair, s.prey} {
		if r != nil {
			r.end()
		}
	}
	return s.hubProcess.end()
}

// measure has them begin to measure.
func (s *side) measure() error { return errors.Join(s.pair.tell(measure), s.prey.tell(measure)) }

// report returns what they have noticed.
func (s *side) report() (r report, err error) {
	var of [2]report
	for i, from := range []*role{s.pair, s.prey} {
		if err := from.tell(tell); err != nil {
			return r, err
		}
		line, err := from.line(time.Minute)
		if err != nil {
			return r, fmt.Errorf("the well-behaved clients do not report: %w", err)
		}
		if err := json.Unmarshal([]byte(line), &of[i]); err != nil {
			return r, err
		}
	}
	r, prey := of[0], of[1]
	r.Held, r.Cut = prey.Held, r.Cut+prey.Cut
	return r, nil
}

// one runs one attack against a hub of its own, and compares it with a hub in peace.
func one(ctx context.Context, o *options, a attack, peace *side) (v verdict, err error) {
	h, err := begin(ctx, o, a.name)
	if err != nil {
		return v, err
	}
	defer func() {
		v.goroutines = h.end()
		v.places, v.messages = h.places, h.messages
	}()
	idle, descriptors, lines, computed := h.resident(), h.descriptors(), h.logged(), h.processor()
	if err := errors.Join(h.measure(), peace.measure()); err != nil {
		return v, err
	}
	start := time.Now()
	attackers, err := startAttackers(ctx, o, h, a)
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
	if h.alive() {
		v.processor = h.processor() - computed
	}
	if v.deed, err = attackers.report(); err != nil {
		return v, err
	}
	v.died = !h.alive()
	if v.report, err = h.report(); err != nil {
		return v, err
	}
	if v.control, err = peace.report(); err != nil {
		return v, err
	}
	v.lines = h.logged() - lines
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

// startAttackers starts those who attack a hub. Only attacks that come from many addresses come from elsewhere: the others need what
// only the hub's own machine reaches, or count on it.
func startAttackers(ctx context.Context, o *options, h *side, a attack) (*role, error) {
	args := []string{roleAttack, a.name, h.addr, h.far, h.serial}
	if h.far == "" || a.name != "logins" && a.name != "slowloris" {
		args[3] = ""
		return startRole(ctx, attackersNice, h.passes.few, args...)
	}
	return startRoleIn(ctx, o.from, attackersNice, h.passes.few, args...)
}

func startRole(ctx context.Context, nice int, token string, args ...string) (*role, error) {
	return startRoleIn(ctx, "", nice, token, args...)
}

// startRoleIn starts a role in a network namespace, unless that is empty.
func startRoleIn(ctx context.Context, namespace string, nice int, token string, args ...string) (*role, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	line := append([]string{self}, args...)
	if nice > 0 {
		line = append([]string{"nice", "-n", strconv.Itoa(nice)}, line...)
	}
	if namespace != "" {
		line = append([]string{"ip", "netns", "exec", namespace}, line...)
	}
	r := &role{command: exec.CommandContext(ctx, line[0], line[1:]...), lines: make(chan string, 4)}
	r.command.Env = append(os.Environ(), tokenVariable+"="+token)
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
