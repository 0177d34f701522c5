//go:build linux || darwin

package lines

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial"
	"sighub/carrier/serial/port"
	"sighub/carrier/serial/port/discovery"
	"sighub/hub"
	"sighub/sensors/lines/formats"
)

// watchdog bounds every wait: much longer than anything takes on a busy machine.
const watchdog = time.Minute

// nobody is a handler for which no device ever comes.
type nobody struct{ carrier.Handler }

func (nobody) AllClientsDisconnected(error) {}

// A gateway serves a pseudo terminal as a port whose device prints lines.
type gateway struct {
	t      *testing.T
	pty    *port.PTY
	server *serial.Server
	events chan string
}

func newGateway(t *testing.T, o Options) *gateway {
	t.Helper()
	pty, err := port.NewPTY(filepath.Join(t.TempDir(), "tty"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pty.Close() })
	g := &gateway{t: t, pty: pty, events: make(chan string, 10_000)}
	router := hub.NewRouter(hub.Options{})
	if _, err := router.AddListener("", "", g.hear); err != nil {
		t.Fatal(err)
	}
	g.server, err = serial.Listen(serial.Options{
		Backoff: carrier.Backoff{Min: time.Millisecond, Max: 20 * time.Millisecond},
		Ports: []serial.PortOptions{{Port: filepath.Join(filepath.Dir(pty.Path()), "*"), Baud: o.Baud, Speaker: func(at discovery.Port) serial.Speaker {
			s, err := New(o, Place{Path: at.Path, Router: func() *hub.Router { return router }, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Error(err)
			}
			return s
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = g.server.Serve(ctx, nobody{}) }()
	t.Cleanup(func() { stop(); <-done })
	return g
}

func (g *gateway) hear(ev hub.Event) {
	text := ev.Sender + "." + ev.Name
	switch ev.Name {
	case hub.Connect:
	case hub.Disconnect:
		var c hub.Connection
		if err := ev.Data.Decode(&c); err != nil {
			g.t.Error(err)
		}
		text += " " + c.Reason
	default:
		text += " = " + ev.Data.String()
	}
	g.events <- text
}

// open returns the device's end, once the hub has the port open.
func (g *gateway) open() io.Writer {
	g.t.Helper()
	device, err := g.pty.Open(g.t.Context())
	if err != nil {
		g.t.Fatal(err)
	}
	g.state(serial.PortWaiting)
	time.Sleep(2 * wholeAfter) // the silence after which a line is whole
	return device
}

// state waits until the port is in a state.
func (g *gateway) state(want serial.PortState) serial.PortInfo {
	g.t.Helper()
	for deadline := time.Now().Add(watchdog); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		for _, i := range g.server.Ports() {
			if i.State == want {
				return i
			}
		}
	}
	g.t.Fatalf("never %s: %+v", want, g.server.Ports())
	return serial.PortInfo{}
}

// expect waits for events, in this order.
func (g *gateway) expect(want ...string) {
	g.t.Helper()
	for _, w := range want {
		select {
		case got := <-g.events:
			if got != w {
				g.t.Fatalf("heard %s, want %s", got, w)
			}
		case <-time.After(watchdog):
			g.t.Fatalf("never heard %s", w)
		}
	}
}

func say(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

// TestReplug: on a terminal of the real kernel, a sketch is heard, is gone when it is pulled, and comes back, ten times.
func TestReplug(t *testing.T) {
	g := newGateway(t, Options{Options: formats.Options{Format: formats.Pairs}, Sender: "{port}", Baud: 9600})
	for n := range 10 {
		device := g.open()
		say(t, device, fmt.Sprintf("temp:%d\r\n", n))
		g.expect("tty.#connect", fmt.Sprintf("tty.temp = %d", n))
		if i := g.state(serial.PortConnected); i.Spoken == nil || i.Spoken.Format != formats.Pairs || i.Baud != 9600 {
			t.Errorf("%+v", i)
		}
		g.pty.Cut()
		g.expect("tty.#disconnect unplugged")
		g.state(serial.PortAbsent)
		if err := g.pty.Restore(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestManyLines: what comes as fast as the kernel takes it is heard whole and in order, with lines of 4 KiB among it.
func TestManyLines(t *testing.T) {
	g := newGateway(t, Options{Options: formats.Options{Format: formats.JSON}, Sender: "s", Baud: 115200})
	device := g.open()
	const n = 300
	want := []string{"s.#connect"}
	go func() {
		for i := range n {
			pad := ""
			if i%50 == 7 {
				pad = strings.Repeat(" ", 4000)
			}
			_, _ = fmt.Fprintf(device, "{\"n\":%d%s}\n", i, pad)
			if i%50 == 9 {
				_, _ = fmt.Fprintf(device, "{\"n\":%d%s}\n", i, strings.Repeat(" ", 5000))
			}
		}
	}()
	for i := range n {
		want = append(want, fmt.Sprintf("s.n = %d", i))
	}
	g.expect(want...)
	counted := func(i serial.PortInfo) bool { return i.Spoken.Refused["size"] == n/50 && i.Spoken.Readings == n }
	for deadline := time.Now().Add(watchdog); !counted(g.state(serial.PortConnected)); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) { // the counts are told after the events
			t.Fatalf("%+v", g.state(serial.PortConnected).Spoken)
		}
	}
}
