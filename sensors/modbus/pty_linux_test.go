package modbus

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial"
	"sighub/carrier/serial/port"
	"sighub/carrier/serial/port/discovery"
	"sighub/hub"
	"sighub/sensors/modbus/frame"
	"sighub/sensors/modbus/slave"
)

// nobody is a handler of a serial server without devices of its own.
type nobody struct{}

func (nobody) ClientConnected(carrier.Client)                                        {}
func (nobody) HandleMessage(carrier.ClientID, *carrier.Message, func(carrier.Reply)) {}
func (nobody) ClientDisconnected(carrier.ClientID, error)                            {}
func (nobody) AllClientsDisconnected(error)                                          {}

// TestBus: thirty units on a pseudo terminal, one of which is dead, polled through a serial server. The silence before each request is at
// least 3.5 characters: it is measured where the units are. The bus is unplugged, and comes back.
func TestBus(t *testing.T) {
	const baud, units, dead = 19200, 30, 13
	pty, err := port.NewPTY(filepath.Join(t.TempDir(), "bus"))
	if err != nil {
		t.Fatal(err)
	}
	defer pty.Close()
	var mu sync.Mutex
	var asked, said []time.Time
	bus := slave.Bus{
		Units: make(map[byte]slave.Unit),
		Heard: func(_ byte, at time.Time) {
			mu.Lock()
			asked = append(asked, at)
			said = append(said, time.Time{})
			mu.Unlock()
		},
		Said: func(_ byte, at time.Time) { mu.Lock(); said[len(said)-1] = at; mu.Unlock() },
	}
	o := Options{Timeout: 300 * time.Millisecond, Settings: port.Settings{Baud: baud}}
	for id := 1; id <= units; id++ {
		o.Devices = append(o.Devices, thing(id, fmt.Sprint("u", id), word("v", 1, 500*time.Millisecond)))
		if id != dead {
			bank := slave.NewBank()
			bank.Set(frame.ReadHolding, 1, []byte{0, byte(id)})
			bus.Units[byte(id)] = bank
		}
	}
	serving := make(chan struct{})
	go func() {
		defer close(serving)
		for {
			line, err := pty.Open(context.Background())
			if err != nil {
				return
			}
			_ = bus.ServeRTU(line)
		}
	}()
	router := hub.NewRouter(hub.Options{Times: hub.TimeRange{Any: true}})
	heard := listen(t, router)
	var speaker *Speaker
	s, err := serial.Listen(serial.Options{
		Ports: []serial.PortOptions{{Port: pty.Path(), Baud: baud, Speaker: func(at discovery.Port) serial.Speaker {
			speaker, err = New(o, Place{Path: at.Path, Router: func() *hub.Router { return router }})
			if err != nil {
				t.Error(err)
			}
			return speaker
		}}},
		Logger: slog.New(slog.DiscardHandler), Backoff: carrier.Backoff{Min: time.Millisecond, Max: 10 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := contextOf(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(ctx, nobody{})
	}()
	await(t, "every unit", func() bool { return len(heard.texts("#connect")) == units-1 && len(heard.texts("v")) > 3*units })
	if i := s.Ports()[0]; i.State != serial.PortConnected || i.Spoken == nil || len(i.Spoken.Senders) != units-1 || i.Spoken.Format != "rtu" {
		t.Errorf("%+v", i)
	}
	pty.Cut()
	await(t, "the end", func() bool { return len(heard.texts("#disconnect")) == units-1 })
	if texts := heard.texts("#disconnect"); !slices.Contains(texts, "u1 #disconnect unplugged") {
		t.Errorf("%q", texts)
	}
	if err := pty.Restore(); err != nil {
		t.Fatal(err)
	}
	await(t, "every unit again", func() bool { return len(heard.texts("#connect")) == 2*(units-1) })
	stop()
	<-done
	_ = pty.Close()
	<-serving
	for _, h := range heard.all("v") {
		if "u"+h.data != h.sender {
			t.Errorf("a false reading: %v", h)
		}
	}
	gap := 35 * time.Second / baud
	shortest := time.Hour
	n := 0
	for i := range asked[1:] {
		if !said[i].IsZero() && asked[i+1].After(said[i]) {
			shortest = min(shortest, asked[i+1].Sub(said[i]))
			n++
		}
	}
	if t.Logf("%d requests: the shortest silence is %v, of %v", n, shortest, gap); shortest < gap || n < 3*units {
		t.Error("the line was not silent for long enough")
	}
}

// TestGateway: units behind a gateway on the network; one that it does not reach, and one that it knows nothing of. When the connection
// is lost, the reason is closed.
func TestGateway(t *testing.T) {
	near, far := net.Pipe()
	bank := slave.NewBank()
	bank.Set(frame.ReadHolding, 1, []byte{0, 42})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = (&slave.Bus{Units: map[byte]slave.Unit{1: bank, 255: bank}}).ServeTCP(far)
	}()
	router := hub.NewRouter(hub.Options{Times: hub.TimeRange{Any: true}})
	heard := listen(t, router)
	interval := 100 * time.Millisecond
	s, err := New(Options{TCP: true, Timeout: time.Minute, Devices: []Device{
		thing(1, "one", word("v", 1, interval)), thing(255, "gate", word("v", 1, interval)), thing(9, "nobody", word("v", 1, interval)),
	}}, Place{Path: "tcp://gate:502", Router: func() *hub.Router { return router }})
	if err != nil {
		t.Fatal(err)
	}
	spoke := make(chan error, 1)
	go func() { spoke <- s.Speak(t.Context(), near) }()
	await(t, "a problem", func() bool {
		return len(heard.texts("v")) >= 6 && slices.ContainsFunc(s.Spoken(time.Now()).Problems, func(p serial.Problem) bool {
			return p.What == "unit 9 (nobody): the unit behind the gateway does not answer (11)"
		})
	})
	far.Close()
	if err := <-spoke; err == nil {
		t.Error("no error")
	}
	<-done
	if texts := heard.texts("#disconnect"); len(texts) != 2 || texts[0] != "one #disconnect closed" {
		t.Errorf("%q", texts)
	}
}
