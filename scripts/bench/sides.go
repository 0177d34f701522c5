package main

import (
	"context"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"sighub/scripts/bench/message"
	"sighub/scripts/bench/peers"
)

// A sideProcess is a side that runs.
type sideProcess struct {
	name string
	cmd  *exec.Cmd
	to   *rpc.Client
	kill func() bool // undoes that the end of a context kills it
}

// startSide starts a side of this name: what it has.
func startSide(ctx context.Context, e *env, name string) (*sideProcess, error) {
	s := &sideProcess{name: name, cmd: exec.Command("/proc/self/exe", sideCommand, strconv.Itoa(message.Size))}
	log, err := os.Create(filepath.Join(e.Tmp, name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // the child has its own
	s.cmd.Stderr = log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	in, err := s.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the process of the %s: %w", name, err)
	}
	s.to = rpc.NewClient(struct {
		io.Reader
		io.WriteCloser
	}{out, in})
	s.kill = context.AfterFunc(ctx, func() { _ = s.cmd.Process.Kill() }) // it fails if it has ended
	return s, nil
}

// call calls a method of the side.
func (s *sideProcess) call(method string, args, answer any) error {
	if err := s.to.Call("Side."+method, args, answer); err != nil {
		return fmt.Errorf("the %s: %w", s.name, err)
	}
	return nil
}

// close closes what the side has opened, and ends it.
func (s *sideProcess) close() {
	_ = s.call("Close", struct{}{}, nil) // what was not opened needs no closing
	s.kill()
	_ = s.to.Close() // so it ends
	_ = s.cmd.Wait() // its log says how
}

func (s *sideProcess) pid() int { return s.cmd.Process.Pid }

// A remoteSenders are senders in another process.
type remoteSenders struct{ *sideProcess }

func (r remoteSenders) pour(_ context.Context, until time.Duration) (sent uint64, err error) {
	err = r.call("Pour", until, &sent)
	return sent, err
}

func (r remoteSenders) drip(_ context.Context, start time.Duration, n int, period time.Duration) (sent uint64, err error) {
	err = r.call("Drip", Drip{Start: start, N: n, Period: period}, &sent)
	return sent, err
}

// A remoteListeners are listeners in another process.
type remoteListeners struct{ *sideProcess }

func (r remoteListeners) recordLatencies(n int) error { return r.call("Record", n, nil) }

func (r remoteListeners) latencies() (took []time.Duration, err error) {
	err = r.call("Latencies", struct{}{}, &took)
	return took, err
}

// newCrowdApart returns a crowd whose sides are two other processes. Senders connect first, as is usual.
func newCrowdApart(ctx context.Context, e *env, p peers.Peer, f fan) (_ *crowd, err error) {
	j := e.job(p)
	j.Senders, j.Listens, j.Ahead = f.senders, f.listeners, f.ahead
	c := &crowd{peer: p, clock: message.NewClock()}
	if err := j.clearBoard(); err != nil {
		return nil, err
	}
	if c.board, err = j.board(); err != nil {
		return nil, err
	}
	var started []*sideProcess
	c.closing = func() {
		for _, s := range started {
			s.close()
		}
		c.board.close()
	}
	for _, side := range []struct{ name, open string }{{"senders", "OpenSenders"}, {"listeners", "OpenListeners"}} {
		s, err := startSide(ctx, e, side.name)
		if err == nil {
			started = append(started, s)
			err = s.call(side.open, j, nil)
		}
		if err != nil {
			c.closing()
			return nil, err
		}
	}
	c.senders, c.listeners = started[0], started[1]
	c.send, c.listen = remoteSenders{c.senders}, remoteListeners{c.listeners}
	return c, nil
}

// job returns the job of a side of a peer that runs.
func (e *env) job(p peers.Peer) Job { return Job{Peer: e.peer, Addr: p.Running().Addr(), Tmp: e.Tmp} }
