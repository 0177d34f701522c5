package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sighub/carrier/serial"
	"sighub/carrier/serial/port"
	"sighub/hub"
	"sighub/internal/config"
	"sighub/internal/simulator"
)

// TestFiftyPorts: devices of every format on fifty ports are senders, which come and go with their cables, whatever is on the others.
func TestFiftyPorts(t *testing.T) {
	entries := []string{
		"format: json", "format: pairs", "format: csv, columns: [temp, hum, lux]", "format: number, event: level", "format: nmea", "format: mysensors", "format: dsmr",
		`format: pattern, pattern: "T=(?P<temp>[0-9.]+)"`, "modbus", "our own",
	}
	const n = 50
	dir := t.TempDir()
	text := "serial:\n"
	ptys := make([]simulator.PTY, n)
	for i := range ptys {
		var err error
		if ptys[i], err = simulator.NewPTY(filepath.Join(dir, fmt.Sprint("device", i))); err != nil {
			t.Fatal(err)
		}
		defer ptys[i].Close()
		switch entry := entries[i%len(entries)]; entry {
		case "modbus":
			entry = fmt.Sprintf("baud: 9600, speaks: modbus, id: 1, profile: xy-md02, interval: 200ms, sender: s%d", i)
			text += fmt.Sprintf("  - {port: %s, %s}\n", ptys[i].Path(), entry)
		case "our own":
			text += fmt.Sprintf("  - {port: %s, baud: 115200}\n", ptys[i].Path())
		default:
			text += fmt.Sprintf("  - {port: %s, baud: 115200, speaks: lines, sender: s%d, %s}\n", ptys[i].Path(), i, entry)
		}
	}
	cfg, err := config.Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	heard := newHeard(n)
	router := hub.NewServerRouter(hub.ServerOptions{})
	if _, err := router.AddListener("", "", heard.hear); err != nil {
		t.Fatal(err)
	}
	list, err := Ports(cfg, func() *hub.Router { return router.Router }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	server, err := serial.Listen(serial.Options{Ports: list, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	all.Go(func() { _ = router.Serve(ctx, server) })
	for i, pty := range ptys {
		device, err := newDevice(entries[i%len(entries)], fmt.Sprint("s", i))
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() { _ = device(ctx, pty.Open) })
	}
	for round := range 3 {
		heard.await(t, fmt.Sprintf("round %d: a reading behind #connect", round), func(p *heardPort) bool { return p.there && p.readings > 0 })
		for i := range ptys {
			if (i+round)%2 == 0 {
				ptys[i].Cut()
			}
		}
		heard.await(t, fmt.Sprintf("round %d: #disconnect of every other, and no more", round), func(p *heardPort) bool {
			return p.there == ((p.port+round)%2 != 0) && (p.there || p.reason == "unplugged")
		})
		for i := range ptys {
			if (i+round)%2 == 0 {
				if err := ptys[i].Restore(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// newDevice returns what a device does that an entry is for.
func newDevice(entry, name string) (run func(context.Context, func(context.Context) (port.Port, error)) error, err error) {
	switch entry {
	case "modbus":
		bus, err := simulator.NewModbusBus([]string{"1:xy-md02"}, time.Hour)
		if err != nil {
			return nil, err
		}
		return bus.Run, nil
	case "our own":
		return func(ctx context.Context, open func(context.Context) (port.Port, error)) error {
			o := simulator.Options{Name: name, Counter: true, Rate: 10, Baud: 115200}
			if err := o.AddSender(name + ":n"); err != nil {
				return err
			}
			device, err := simulator.New(o, open)
			if err != nil {
				return err
			}
			return device.Run(ctx)
		}, nil
	}
	format, _, _ := strings.Cut(strings.TrimPrefix(entry, "format: "), ",")
	device, err := simulator.NewLinePrinter(simulator.LinesOptions{Format: format, Rate: 10, Day: time.Hour})
	if err != nil {
		return nil, err
	}
	return device.Run, nil
}

// Heard is what was heard of the senders of ports. The sender s3 is that of port 3, and so are those whose names begin with "s3.".
type heard struct {
	mu    sync.Mutex
	ports []heardPort
	more  chan struct{}
}

type heardPort struct {
	port, readings int
	there          bool
	reason         string
	senders        map[string]bool
}

func newHeard(n int) *heard {
	h := &heard{ports: make([]heardPort, n), more: make(chan struct{}, 1)}
	for i := range h.ports {
		h.ports[i] = heardPort{port: i, senders: make(map[string]bool)}
	}
	return h
}

func (h *heard) hear(ev hub.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var i int
	if _, err := fmt.Sscanf(ev.Sender, "s%d", &i); err != nil || i >= len(h.ports) {
		return
	}
	p := &h.ports[i]
	switch ev.Name {
	case hub.Connect:
		if len(p.senders) == 0 {
			p.readings = 0
		}
		p.senders[ev.Sender] = true
	case hub.Disconnect:
		var c hub.Connection
		_ = ev.Data.Decode(&c)
		p.reason = c.Reason
		delete(p.senders, ev.Sender)
	default:
		p.readings++
	}
	p.there = len(p.senders) > 0
	select {
	case h.more <- struct{}{}:
	default:
	}
}

// await waits until all ports are as they should be.
func (h *heard) await(t *testing.T, what string, ok func(*heardPort) bool) {
	t.Helper()
	timeout := time.After(patience)
	for {
		var wrong []string
		h.mu.Lock()
		for i := range h.ports {
			if p := &h.ports[i]; !ok(p) {
				wrong = append(wrong, fmt.Sprintf("%+v", *p))
			}
		}
		h.mu.Unlock()
		if len(wrong) == 0 {
			return
		}
		select {
		case <-h.more:
		case <-timeout:
			t.Fatalf("%s: not so of %d ports: %s", what, len(wrong), strings.Join(wrong[:min(len(wrong), 5)], "; "))
		}
	}
}
