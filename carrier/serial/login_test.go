//go:build linux || darwin

package serial

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/device"
	"sighub/carrier/serial/internal/wire"
	"sighub/carrier/serial/port/discovery"
)

// TestLogin: a device that is not let in gets no answer, and its port says why; once it may come in it does, as who it is; and it goes
// when it may not any more.
func TestLogin(t *testing.T) {
	var knows atomic.Bool
	refused := errors.New("nobody knows it")
	s, err := Listen(Options{Ports: []PortOptions{{Port: "a"}}, Timeout: watchdog, Login: func(uid, port string) (string, error) {
		if !knows.Load() {
			return "", refused
		}
		return "device:" + uid + " at " + port, nil
	}})
	must(t, err)
	s.handler = carrier.AsSignalHandler(newRecorder())
	l := newLine(s, &s.options.Ports[0], discovery.Port{Path: "a"})
	now := time.Unix(1e9, 0)
	var out []byte
	say := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		now = now.Add(time.Second)
		var sent sentBytes
		hello := wire.Hello{UID: []byte{1, 0xab}, Name: "porch", ReceiveWindow: 60, MaxFrame: 60, Window: 1, TicksPerSecond: 1000}
		(&wiredDevice{t: t, conn: &sent}).write(wire.CRCStart, wire.Frame{Kind: wire.FrameHello, Payload: hello.Pack()})
		end := listeningEnd{l.end, &l.heard}
		end.Receive(now, sent.bytes)
		out, _ = end.Pull(now, nil)
	}
	shown := func() string {
		s.mu.Lock()
		defer s.mu.Unlock()
		list := l.problems(now)
		if len(list) == 0 {
			return ""
		}
		return list[0].What + ": " + list[0].Remedy
	}
	s.mu.Lock()
	l.end.Opened(false)
	s.mu.Unlock()
	for range 3 {
		say()
		if len(out) > 0 || l.end.InSession() {
			t.Errorf("it is answered with % x", out)
		}
		if text := shown(); !strings.Contains(text, "the device porch (01ab) is not let in: nobody knows it") || !strings.Contains(text, "sighub pair NAME --device 01ab") {
			t.Errorf("the port shows %q", text)
		}
	}
	knows.Store(true)
	say()
	if len(out) == 0 || !l.end.InSession() || shown() != "" || l.client.identity != "device:01ab at a" {
		t.Errorf("it is not let in: % x, %q", out, shown())
	}
	former := l.client
	knows.Store(false)
	say()
	if l.end.InSession() || !errors.Is(former.cause, carrier.ErrRevoked) || shown() == "" {
		t.Errorf("it stays: %v, %q", former.cause, shown())
	}
	s.running.Wait()
}

// TestRevoked: a device that may not stay goes, its port says why, and it comes back when it may, with what it has reported meanwhile; every
// reading arrives once.
func TestRevoked(t *testing.T) {
	var knows atomic.Bool
	knows.Store(true)
	b := newBench(t, func(o *Options, _ *device.Options) {
		o.Login = func(uid, _ string) (string, error) {
			if !knows.Load() {
				return "", errors.New("it is not known any more")
			}
			return "device:" + uid, nil
		}
	})
	b.start(t)
	first := b.atHub.wait(t, "connected", 1).client
	if first.Identity != "device:a1b2" {
		t.Errorf("the client is %+v", first)
	}
	acknowledged(t, b.report(t, 0, 5))
	b.hub.Review() // it stays
	acknowledged(t, b.report(t, 5, 10))
	knows.Store(false)
	b.hub.Review()
	if gone := b.atHub.wait(t, "disconnected", 1); gone.id != first.ID || !errors.Is(gone.cause, carrier.ErrRevoked) {
		t.Errorf("it is gone because of %v", gone.cause)
	}
	ended := b.report(t, 10, 15)
	deadline := time.Now().Add(watchdog)
	for len(b.hub.Ports()[0].Problems) == 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond) // until it says HELLO
	}
	if p := b.hub.Ports()[0].Problems; len(p) == 0 || !strings.Contains(p[0].What, "is not let in: it is not known any more") {
		t.Errorf("%+v", p)
	}
	knows.Store(true)
	b.atHub.wait(t, "connected", 2)
	acknowledged(t, ended)
	b.counted(t, 15)
}
