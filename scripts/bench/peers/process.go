package peers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A Process is the process of a peer, which may be started again after its end. Its output goes to a file, which is shown if it does
// not start.
type Process struct {
	cmd     *exec.Cmd
	addr    string        // of its listener
	started time.Duration // see Started
	log     string        // file
	exited  chan struct{}
}

// Addr returns its address.
func (p *Process) Addr() string { return p.addr }

// Pid returns its number.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Started returns how long it took from its start to the first connection that it accepted.
func (p *Process) Started() time.Duration { return p.started }

// FreeAddr returns an address of the loopback interface that nobody listens on.
func FreeAddr() (netip.AddrPort, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return netip.AddrPort{}, err
	}
	addr, err := netip.ParseAddrPort(l.Addr().String())
	return addr, errors.Join(err, l.Close())
}

// Running implements Peer.
func (p *Process) Running() *Process { return p }

// At implements Peer.
func (p *Process) At(addr, _ string) { p.addr = addr }

// Start starts a program that listens on addr, and waits until it does.
func (p *Process) Start(ctx context.Context, place *Place, addr, program string, args ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	*p = Process{addr: addr, log: filepath.Join(place.Tmp, filepath.Base(program)+".log"), exited: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the child has its own
	p.cmd = exec.Command(program, args...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	start := time.Now()
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	go func() {
		_ = p.cmd.Wait() // its log says how it ended
		close(p.exited)
	}()
	for {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			p.started = time.Since(start)
			return c.Close()
		}
		select {
		case <-p.exited:
			return fmt.Errorf("%s ended: %s", program, p.said())
		default:
		}
		if time.Since(start) > Patience || ctx.Err() != nil {
			p.End()
			return errors.Join(fmt.Errorf("%s does not listen on %s: %s", program, addr, p.said()), ctx.Err())
		}
		time.Sleep(200 * time.Microsecond) // what start-up times are rounded up to
	}
}

// End ends the process with SIGTERM or, if that fails, by force.
func (p *Process) End() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it fails if the process has ended
	select {
	case <-p.exited:
		return
	case <-time.After(5 * time.Second):
	}
	p.Kill()
	<-p.exited
}

// Kill ends it by force.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it fails if the process has ended
}

// said returns the end of its output.
func (p *Process) said() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(b[max(0, len(b)-2000):]))
}

// Resident returns the present and the peak resident memory, in bytes.
func (p *Process) Resident() (now, peak float64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	for key, kB := range map[string]*float64{"VmRSS": &now, "VmHWM": &peak} {
		_, rest, _ := strings.Cut(string(b), "\n"+key+":")
		if _, err := fmt.Sscan(rest, kB); err != nil {
			return 0, 0, fmt.Errorf("/proc/%d/status: %s: %w", p.cmd.Process.Pid, key, err)
		}
	}
	return now * 1024, peak * 1024, nil
}
