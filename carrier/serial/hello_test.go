//go:build linux || darwin

package serial

import (
	"net"
	"strings"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/wire"
	"sighub/carrier/serial/port/discovery"
)

// TestHelloProblems: what is wrong with a device that says HELLO stands among the problems for as long as it says it.
func TestHelloProblems(t *testing.T) {
	s, err := Listen(Options{Ports: []PortOptions{{Port: "a"}, {Port: "b"}}, Timeout: watchdog})
	must(t, err)
	s.handler = carrier.AsSignalHandler(newRecorder())
	a, b := newLine(s, &s.options.Ports[0], discovery.Port{Path: "a"}), newLine(s, &s.options.Ports[1], discovery.Port{Path: "b"})
	s.mu.Lock()
	now := time.Unix(1e9, 0)
	hello := wire.Hello{UID: []byte{1}, Name: "porch", ReceiveWindow: 60, MaxFrame: 60, Window: 1, TicksPerSecond: 1000}
	say := func(l *line, payload []byte) {
		now = now.Add(time.Second)
		var sent sentBytes
		(&wiredDevice{t: t, conn: &sent}).write(wire.CRCStart, wire.Frame{Kind: wire.FrameHello, Payload: payload})
		end := listeningEnd{l.end, &l.heard}
		end.Receive(now, sent.bytes)
		end.Pull(now, nil)
	}
	check := func(l *line, what, remedy string) {
		t.Helper()
		p := l.problems(now)
		if what == "" && len(p) == 0 {
			return
		}
		if len(p) != 1 || !strings.Contains(p[0].What, what) || !strings.Contains(p[0].Remedy, remedy) || what == "" {
			t.Errorf("%+v, want %q, %q", p, what, remedy)
		}
		if p := l.problems(now.Add(stillOfHello)); len(p) > 0 {
			t.Errorf("later: %+v", p)
		}
	}
	a.end.Opened(false)
	b.end.Opened(false)
	later := hello.Pack()
	later[0] = 9
	say(a, later)
	check(a, "speaks version 9 of the protocol", "update the hub or the device")
	say(a, []byte("\x01\x01"))
	check(a, "a device's HELLO cannot be read", "update the hub or the device")
	now = now.Add(stillOfHello)
	say(a, hello.Pack())
	check(a, "", "")
	say(b, hello.Pack())
	check(b, "the device 01 is connected on a, and ignored here", "a uid of its own")
	for range 10 {
		say(a, hello.Pack())
	}
	check(a, "the device porch is heard, but does not hear", "check the wire to its receiver")
	a.end.Drop(carrier.ErrUnplugged)
	check(a, "", "")
	s.mu.Unlock()
	s.running.Wait()
}

// sentBytes is a connection that keeps what is written to it.
type sentBytes struct {
	net.Conn
	bytes []byte
}

func (c *sentBytes) Write(p []byte) (int, error) {
	c.bytes = append(c.bytes, p...)
	return len(p), nil
}
