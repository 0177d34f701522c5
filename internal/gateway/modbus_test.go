package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial"
	"sighub/hub"
	"sighub/internal/config"
	"sighub/sensors/modbus"
	"sighub/sensors/modbus/frame"
	"sighub/sensors/modbus/slave"
)

// A nobody is a handler of a serial server on which no device is.
type nobody struct{}

func (nobody) ClientConnected(carrier.Client)                                        {}
func (nobody) HandleMessage(carrier.ClientID, *carrier.Message, func(carrier.Reply)) {}
func (nobody) ClientDisconnected(carrier.ClientID, error)                            {}
func (nobody) AllClientsDisconnected(error)                                          {}

// TestModbusTCP: a gateway at an address of the configuration is connected to, found by a scan, lost and found again.
func TestModbusTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	bank := slave.NewBank()
	bank.Set(frame.ReadHolding, 0, []byte{0, 42})
	connections := make(chan net.Conn, 16)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			connections <- conn
			go func() { _ = (&slave.Bus{Units: map[byte]slave.Unit{3: bank}}).ServeTCP(conn) }()
		}
	}()
	cfg, err := config.Parse("x", fmt.Appendf(nil, `serial:
  - port: tcp://%s
    speaks: modbus
    devices:
      - {id: 3, sender: unit, interval: 20ms, registers: {v: {read: holding, address: 0}}}
`, l.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	if err := ScanModbus(t.Context(), &cfg.Serial[0], modbus.Scan{First: 1, Last: 5, Found: func(f modbus.Found) { found = append(found, f.ID) }}); err != nil ||
		len(found) != 1 || found[0] != 3 {
		t.Errorf("found %v, %v", found, err)
	}
	(<-connections).Close()
	router := hub.NewRouter(hub.Options{Times: hub.TimeRange{Any: true}})
	heard := make(chan string, 1000)
	if _, err := router.AddListener("", "", func(ev hub.Event) {
		text := ev.Name
		if ev.Name == hub.Disconnect {
			text += ev.Data.String()
		}
		select {
		case heard <- text:
		default:
		}
	}); err != nil {
		t.Fatal(err)
	}
	ports, err := Ports(cfg, func() *hub.Router { return router }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s, err := serial.Listen(serial.Options{Ports: ports, Backoff: carrier.Backoff{Min: time.Millisecond, Max: 10 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = s.Serve(ctx, nobody{})
	}()
	hear := func(what string) {
		t.Helper()
		for deadline := time.After(time.Minute); ; {
			select {
			case text := <-heard:
				if strings.HasPrefix(text, what) {
					if what == hub.Disconnect && !strings.Contains(text, `"closed"`) {
						t.Error(text)
					}
					return
				}
			case <-deadline:
				t.Fatalf("%s is never heard", what)
			}
		}
	}
	hear("v")
	if names := LineSenders(cfg); len(names) != 1 || names[0] != "unit" {
		t.Error(names)
	}
	(<-connections).Close()
	hear(hub.Disconnect)
	hear("v")
	stop()
	<-served
	l.Close()
	<-done
}
