package main

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

	"golang.org/x/sys/unix"
)

// A process is the process of a peer, which may be started again after its end. Its output goes to a file, which is shown if it does
// not start.
type process struct {
	cmd     *exec.Cmd
	addr    string        // of its listener
	started time.Duration // from its start to the first connection that it accepted
	log     string        // file
	exited  chan struct{}
}

// freeAddr returns an address of the loopback interface that nobody listens on.
func freeAddr() (netip.AddrPort, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return netip.AddrPort{}, err
	}
	addr, err := netip.ParseAddrPort(l.Addr().String())
	return addr, errors.Join(err, l.Close())
}

func (p *process) running() *process { return p }

func (p *process) at(addr, _ string) { p.addr = addr }

// start starts a program that listens on addr, and waits until it does.
func (p *process) start(ctx context.Context, e *env, addr, program string, args ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	*p = process{addr: addr, log: filepath.Join(e.tmp, filepath.Base(program)+".log"), exited: make(chan struct{})}
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
		if time.Since(start) > patience || ctx.Err() != nil {
			p.end()
			return errors.Join(fmt.Errorf("%s does not listen on %s: %s", program, addr, p.said()), ctx.Err())
		}
		time.Sleep(200 * time.Microsecond) // what start-up times are rounded up to
	}
}

// end ends the process with SIGTERM or, if that fails, by force.
func (p *process) end() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it fails if the process has ended
	select {
	case <-p.exited:
		return
	case <-time.After(5 * time.Second):
	}
	p.kill()
	<-p.exited
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it fails if the process has ended
}

// said returns the end of its output.
func (p *process) said() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(b[max(0, len(b)-2000):]))
}

// resident returns the present and the peak resident memory, in bytes.
func (p *process) resident() (now, peak float64, err error) {
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

// cpu returns the processor time of the process.
func (p *process) cpu() (time.Duration, error) { return cpuOf(p.cmd.Process.Pid) }

// cpuOf returns the processor time of all threads of a process: of its clock, whose number clock_getcpuclockid(3) makes of the pid.
func cpuOf(pid int) (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED of all threads: in nanoseconds, not in ticks
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &ts); err != nil {
		return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}
