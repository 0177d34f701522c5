//go:build linux || darwin

package serial

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sighub/carrier"
	"sighub/carrier/serial/device"
	"sighub/carrier/serial/port"
	"sighub/carrier/serial/port/discovery"
)

// A plug is where a simulated device is plugged in: one PTY after the other, each at a path of its own.
type plug struct {
	mu      sync.Mutex
	pty     *port.PTY
	plugged chan struct{}
}

func newPlug() *plug { return &plug{plugged: make(chan struct{})} }

// plug makes a port with the device at its other end.
func (s *plug) plug(t *testing.T, path string) {
	t.Helper()
	pty, err := port.NewPTY(path)
	must(t, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pty = pty
	close(s.plugged)
}

func (s *plug) pull() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.pty.Close()
	s.pty, s.plugged = nil, make(chan struct{})
}

func (s *plug) open(ctx context.Context) (port.Port, error) {
	for {
		s.mu.Lock()
		pty, plugged := s.pty, s.plugged
		s.mu.Unlock()
		if pty != nil {
			return pty.Open(ctx)
		}
		select {
		case <-plugged:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// A machine has a hub, and files of its own in root.
type machine struct {
	root  string
	hub   *Server
	atHub *recorder
	log   *logBuffer
}

func newMachine(t *testing.T, ports ...PortOptions) *machine {
	t.Helper()
	r := &machine{root: t.TempDir(), atHub: newRecorder(), log: new(logBuffer)}
	must(t, os.MkdirAll(r.root+"/dev", 0o755))
	var err error
	r.hub, err = Listen(Options{Ports: ports, System: discovery.System{Root: r.root}, Timeout: watchdog,
		Backoff: carrier.Backoff{Min: time.Millisecond, Max: 10 * time.Millisecond}, Logger: slog.New(slog.NewTextHandler(r.log, nil))})
	must(t, err)
	return r
}

// device starts a device that is not plugged in yet.
func (r *machine) device(t *testing.T, uid byte) (*device.Device, *plug) {
	t.Helper()
	s := newPlug()
	d, err := device.New(s.open, device.Options{UID: []byte{uid}, Senders: lightSenders, Timeout: watchdog,
		Backoff: carrier.Backoff{Min: time.Millisecond, Max: 10 * time.Millisecond}})
	must(t, err)
	t.Cleanup(func() {
		if s.pty != nil {
			s.pull()
		}
	})
	serve(t, d, newRecorder())
	return d, s
}

// await waits until the hub's ports are as asked for, each "path state uid", without the root.
func (r *machine) await(t *testing.T, want ...string) {
	t.Helper()
	slices.Sort(want)
	var got []string
	for deadline := time.Now().Add(watchdog); time.Now().Before(deadline); {
		got = got[:0]
		for _, p := range r.hub.Ports() {
			uid := "-"
			if p.Device != nil {
				uid = p.Device.UID
			}
			got = append(got, fmt.Sprint(strings.TrimPrefix(p.Port, r.root), " ", p.State, " ", uid))
		}
		slices.Sort(got)
		if slices.Equal(got, want) {
			return
		}
		time.Sleep(time.Millisecond) // a kernel is involved, and tells nobody
	}
	t.Fatalf("the ports are %q, want %q\n%s", got, want, r.log)
}

// TestPortsComeAndGo: a device that is pulled and comes back under another name is the same device.
func TestPortsComeAndGo(t *testing.T) {
	r := newMachine(t, PortOptions{Port: "/dev/ttyUSB*"})
	d, s := r.device(t, 1)
	serve(t, r.hub, r.atHub)
	r.await(t, "/dev/ttyUSB* absent -")
	for n := range 5 {
		path := fmt.Sprint(r.root, "/dev/ttyUSB", n%3)
		s.plug(t, path)
		c := r.atHub.wait(t, "connected", n+1).client
		if c.UID != "01" || c.Addr != "serial://"+path {
			t.Fatalf("%+v", c)
		}
		r.await(t, fmt.Sprintf("/dev/ttyUSB%d connected 01", n%3))
		done := make(chan error, 1)
		must(t, d.Report(t.Context(), "light", "lux", n, func(err error) { done <- err }))
		must(t, <-done)
		s.pull()
		if gone := r.atHub.wait(t, "disconnected", n+1); !errors.Is(gone.cause, carrier.ErrUnplugged) {
			t.Fatal(gone.cause)
		}
		r.await(t, fmt.Sprintf("/dev/ttyUSB%d absent 01", n%3), "/dev/ttyUSB* absent -")
	}
}

// TestSwappedPorts: two adapters of which nothing tells them apart, that change places.
func TestSwappedPorts(t *testing.T) {
	r := newMachine(t, PortOptions{Port: "/dev/ttyUSB?"})
	_, a := r.device(t, 1)
	_, b := r.device(t, 2)
	a.plug(t, r.root+"/dev/ttyUSB0")
	b.plug(t, r.root+"/dev/ttyUSB1")
	serve(t, r.hub, r.atHub)
	r.await(t, "/dev/ttyUSB0 connected 01", "/dev/ttyUSB1 connected 02")
	r.atHub.wait(t, "connected", 2)
	a.pull()
	b.pull()
	r.atHub.wait(t, "disconnected", 2)
	b.plug(t, r.root+"/dev/ttyUSB0")
	a.plug(t, r.root+"/dev/ttyUSB1")
	r.await(t, "/dev/ttyUSB0 connected 02", "/dev/ttyUSB1 connected 01")
}

// TestWhosePort: a port that two options name is served once, with the options that give its path, even if that link appears
// when the port is open already.
func TestWhosePort(t *testing.T) {
	r := newMachine(t, PortOptions{Port: "/dev/ttyUSB*", Name: "any"}, PortOptions{Port: "/dev/serial/by-id/garden", Name: "garden"})
	_, s := r.device(t, 1)
	s.plug(t, r.root+"/dev/ttyUSB0")
	serve(t, r.hub, r.atHub)
	r.await(t, "/dev/ttyUSB0 connected 01", "/dev/serial/by-id/garden absent -")
	r.atHub.wait(t, "connected", 1) // a device that goes before the handler was told is never told of
	must(t, os.MkdirAll(r.root+"/dev/serial/by-id", 0o755))
	must(t, os.Symlink("../../ttyUSB0", r.root+"/dev/serial/by-id/garden"))
	r.await(t, "/dev/serial/by-id/garden connected 01")
	if c := r.atHub.wait(t, "connected", 2).client; c.Name != "garden" {
		t.Errorf("%+v", c)
	}
	if gone := r.atHub.wait(t, "disconnected", 1); !errors.Is(gone.cause, carrier.ErrUnplugged) {
		t.Error(gone.cause)
	}
}

// TestBusyPort: a port that somebody else holds is left alone until it is free, and harms no other.
func TestBusyPort(t *testing.T) {
	r := newMachine(t, PortOptions{Port: "/dev/tty*"})
	_, a := r.device(t, 1)
	_, b := r.device(t, 2)
	a.plug(t, r.root+"/dev/ttyUSB0")
	b.plug(t, r.root+"/dev/ttyUSB1")
	other, err := os.OpenFile(r.root+"/dev/ttyUSB0", os.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	defer other.Close()
	must(t, unix.Flock(int(other.Fd()), unix.LOCK_EX))
	must(t, os.WriteFile(r.root+"/dev/ttyText", nil, 0o600))
	serve(t, r.hub, r.atHub)
	r.await(t, "/dev/ttyText failed -", "/dev/ttyUSB0 failed -", "/dev/ttyUSB1 connected 02")
	for _, p := range r.hub.Ports() {
		want := map[string]string{"ttyText": "give the path of a serial port", "ttyUSB0": "close that one"}[filepath.Base(p.Port)]
		if p.State == PortFailed && (!strings.HasSuffix(p.Remedy, want) || p.NextTry == nil || p.Reason == "") {
			t.Errorf("%+v", p)
		}
	}
	must(t, unix.Flock(int(other.Fd()), unix.LOCK_UN))
	r.await(t, "/dev/ttyText failed -", "/dev/ttyUSB0 connected 01", "/dev/ttyUSB1 connected 02")
}

// TestForgottenPorts: a port that has gone is forgotten if no device was there.
func TestForgottenPorts(t *testing.T) {
	r := newMachine(t, PortOptions{Port: "/dev/ttyUSB*"})
	serve(t, r.hub, r.atHub)
	empty, err := port.NewPTY(r.root + "/dev/ttyUSB0")
	must(t, err)
	r.await(t, "/dev/ttyUSB0 waiting -")
	must(t, empty.Close())
	r.await(t, "/dev/ttyUSB* absent -")
}

// TestSilentPort: the port of a device that does not answer is silent.
func TestSilentPort(t *testing.T) {
	r := newMachine(t, PortOptions{Port: "/dev/ttyUSB0"})
	r.hub.options.Ask = time.Millisecond
	s := newPlug()
	d, err := device.New(s.open, device.Options{UID: []byte{1}, Timeout: watchdog})
	must(t, err)
	s.plug(t, r.root+"/dev/ttyUSB0")
	defer s.pull()
	stop := serve(t, d, newRecorder())
	serve(t, r.hub, r.atHub)
	r.await(t, "/dev/ttyUSB0 connected 01")
	stop()
	r.await(t, "/dev/ttyUSB0 silent 01")
}

// TestPortInfo: Ports reports what happened at a port.
func TestPortInfo(t *testing.T) {
	b := newBench(t, func(_ *Options, d *device.Options) { d.Firmware = "1.2" })
	b.start(t)
	acknowledged(t, b.report(t, 0, 20))
	var p PortInfo
	for p.Device == nil || p.Device.Clock == nil || p.Device.RoundTrip == nil { // a PING is answered soon
		p = b.hub.Ports()[0]
	}
	d := p.Device
	if p.Port != b.pty.Path() || p.State != PortConnected || p.Baud < 115200 || p.Frames < 3 || p.Since.After(time.Now()) ||
		d.UID != "a1b2" || d.Name != "porch" || d.Firmware != "1.2" || d.Readings != 20 || d.PerSecond <= 0 ||
		time.Since(d.Clock.Zero) > time.Hour || d.Clock.Uncertainty <= 0 || *d.RoundTrip <= 0 {
		t.Errorf("%+v %+v %+v", p, d, d.Clock)
	}
	b.pty.Cut()
	b.atHub.wait(t, "disconnected", 1)
	if p = b.hub.Ports()[0]; p.Error == "" || p.ErrorAt == nil || p.Device == nil || p.State == PortConnected {
		t.Errorf("%+v", p)
	}
}

// TestManyDescriptors: the native opener works with more than 1,024 open files; the one of bugst says that it does not.
func TestManyDescriptors(t *testing.T) {
	for range 1100 {
		f, err := os.Open(os.DevNull)
		must(t, err)
		defer f.Close()
	}
	b := newBench(t, nil)
	b.start(t)
	acknowledged(t, b.report(t, 0, 100))

	pty, err := port.NewPTY("")
	must(t, err)
	defer pty.Close()
	opener, err := port.NewOpener(port.OpenerBugst)
	must(t, err)
	p, err := opener.Open(pty.Path(), 115200)
	must(t, err)
	defer p.Close()
	within(t, "reading", func() {
		if _, err := p.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "1,024 open files") {
			t.Error(err)
		}
	})
}

// TestPortState: what state a port is in after each step, since which step, and what is logged.
func TestPortState(t *testing.T) {
	missing := &fs.PathError{Op: "open", Path: "x", Err: syscall.ENOENT}
	denied := &fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES}
	busy := errors.New("something else")
	start := time.Unix(1000, 0)
	var l portState
	for i, step := range []struct {
		enter PortState
		err   error
		at    float64 // seconds
		state PortState
		since float64
		news  bool
	}{
		{PortOpening, nil, 0, PortOpening, 0, false},
		{PortAbsent, missing, 1, PortAbsent, 1, true},
		{PortOpening, nil, 2, PortAbsent, 1, false},
		{PortAbsent, missing, 3, PortAbsent, 1, false},
		{PortFailed, denied, 4, PortFailed, 4, false}, // for a moment that is normal
		{PortFailed, denied, 4.5, PortFailed, 4, false},
		{PortFailed, denied, 5, PortFailed, 4, true},
		{PortFailed, denied, 6, PortFailed, 4, false},
		{PortFailed, busy, 7, PortFailed, 7, true},
		{PortWaiting, nil, 8, PortWaiting, 8, false},
		{PortConnected, nil, 9, PortConnected, 9, false},
		{PortWaiting, nil, 10, PortWaiting, 10, false},
		{PortFailed, busy, 11, PortFailed, 11, true},
		{PortOpening, nil, 12, PortFailed, 11, false},
		{PortAbsent, missing, 13, PortAbsent, 13, false}, // that it was lost is known
		{PortFailed, denied, 14, PortFailed, 14, false},
		{PortWaiting, nil, 14.1, PortWaiting, 14.1, false},
	} {
		now := start.Add(time.Duration(step.at * 1e9))
		l.enter(now, step.enter, step.err)
		news := l.err != nil && step.enter != PortOpening && l.worthLogging(now)
		since := l.since.Sub(start).Seconds()
		if l.state != step.state || since != step.since || news != step.news {
			t.Errorf("step %d: %s since %v, news %v; want %+v", i, l.state, since, news, step)
		}
	}
}

func TestAverage(t *testing.T) {
	var p average
	now := time.Unix(1000, 0)
	if r := p.rate(now); r != 0 {
		t.Error(r)
	}
	for range 200 { // 20 s
		p.add(now, 5)
		now = now.Add(100 * time.Millisecond)
		if r := p.rate(now); r > 60 {
			t.Fatal(r)
		}
	}
	if r := p.rate(now); r < 48 || r > 52 {
		t.Errorf("50 in a second are %v", r)
	}
	if r := p.rate(now.Add(time.Minute)); r > 0.01 {
		t.Errorf("a minute later it is %v", r)
	}
}

// TestStuckWriter: a device that has fallen silent is gone in time, even if a write to its port hangs.
func TestStuckWriter(t *testing.T) {
	stuck := &stuckPort{stuck: make(chan struct{}), release: make(chan struct{})}
	b := newBench(t, func(o *Options, _ *device.Options) {
		native, err := port.NewOpener(port.OpenerNative)
		must(t, err)
		o.Ports[0].Opener = port.OpenerFunc(func(path string, baud int) (port.Port, error) {
			stuck.Port, err = native.Open(path, baud)
			return stuck, err
		})
		o.Ask, o.Timeout = 100*time.Millisecond, 300*time.Millisecond
	})
	serve(t, b.hub, b.atHub)
	stop := serve(t, b.device, b.atDevice)
	b.atHub.wait(t, "connected", 1)
	stuck.jam.Store(true)
	<-stuck.stuck
	stop()
	if gone := b.atHub.wait(t, "disconnected", 1); !errors.Is(gone.cause, carrier.ErrTimeout) {
		t.Error(gone.cause)
	}
	close(stuck.release)
}

// A stuckPort hangs in a write, once it is jammed, until it is released.
type stuckPort struct {
	port.Port
	jam            atomic.Bool
	stuck, release chan struct{}
	once           sync.Once
}

func (p *stuckPort) Write(b []byte) (int, error) {
	if p.jam.Load() {
		p.once.Do(func() { close(p.stuck) })
		<-p.release
	}
	return p.Port.Write(b)
}

// A curiousHandler calls something before it handles a record.
type curiousHandler struct {
	slog.Handler
	call func()
}

func (h curiousHandler) Handle(ctx context.Context, r slog.Record) error {
	h.call()
	return h.Handler.Handle(ctx, r)
}

// TestLogAsksForPorts: nothing is logged while the server's lock is held, so that a log may call the server.
func TestLogAsksForPorts(t *testing.T) {
	var b *bench
	b = newBench(t, func(o *Options, _ *device.Options) {
		o.Ports = append(o.Ports, PortOptions{Port: t.TempDir() + "/*"})
		o.Logger = slog.New(curiousHandler{o.Logger.Handler(), func() { b.hub.Ports() }})
	})
	b.start(t)
	other, err := b.pty.Open(t.Context()) // the device's end again
	must(t, err)
	_, err = other.Write([]byte("\x00ets Jul 29 2019 12:21:46\r\n\x00"))
	must(t, err)
	b.log.wait(t, "device prints")
	b.log.wait(t, "no port yet")
	acknowledged(t, b.report(t, 0, 5))
}
