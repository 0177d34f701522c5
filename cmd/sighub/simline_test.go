package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"sighub/carrier/serial"
	"sighub/carrier/serial/port"
	"sighub/hub"
	"sighub/internal/config"
	"sighub/internal/simulator"
	"sighub/sensors/lines/formats"
)

// TestForeignQueries: with what simulate says, run serves each device that knows nothing of sighub.
func TestForeignQueries(t *testing.T) {
	for _, format := range formats.Names() {
		d, err := simulator.NewLinePrinter(simulator.LinesOptions{Format: format})
		if err != nil {
			t.Fatal(err)
		}
		p, err := config.ParsePort("/dev/x?" + d.Query())
		if err != nil || p.Lines == nil {
			t.Errorf("%s: %v, %v", d.Query(), p.Lines, err)
			continue
		}
		switch o := p.Lines.Options; {
		case format == formats.CSV && len(o.Columns) != 3:
			t.Errorf("%s: columns %q", d.Query(), o.Columns)
		case format == formats.Pattern && o.Pattern != "T=(?P<temp>[-0-9.]+) H=(?P<hum>[0-9.]+)":
			t.Errorf("%s: pattern %q", d.Query(), o.Pattern)
		}
	}
	bus, err := simulator.NewModbusBus(simulator.DefaultUnits(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := config.ParsePort("/dev/x?" + bus.Query()); err != nil || p.Modbus == nil {
		t.Errorf("%s: %v, %v", bus.Query(), p.Modbus, err)
	}
}

// TestFaultyPort: the line of a serial port, too, does harm, keeps to its rate and loses nothing.
func TestFaultyPort(t *testing.T) {
	defer goleak.VerifyNone(t)
	pty, err := simulator.NewPTY(filepath.Join(t.TempDir(), "port"))
	if err != nil {
		t.Fatal(err)
	}
	defer pty.Close()
	ctx, stop := context.WithCancel(t.Context())
	ports, err := serial.Listen(serial.Options{Ports: []serial.PortOptions{{
		Port:   "the other end",
		Opener: port.OpenerFunc(func(string, int) (port.Port, error) { return pty.Open(ctx) }),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		router := hub.NewServerRouter(hub.ServerOptions{Options: hub.Options{Logger: slog.New(slog.DiscardHandler)}})
		served <- router.Serve(ctx, ports)
	}()
	defer func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	code, stdout, stderr := try(ctx, "", "simulate", "--port", pty.Path(), "--rate", "0", "--count", "500",
		"--fault", "to-hub.drop=20%,to-device.repeat=20%,baud=57600,seed=1")
	if code != exitDone || !strings.Contains(stdout, "sent 500, acknowledged 500, resent ") {
		t.Errorf("exit code %d\n%s\n%s", code, stdout, stderr)
	}
	if _, harm, _ := strings.Cut(stdout, "\nharm done: "); !strings.Contains(harm, " dropped") || !strings.Contains(harm, " repeated") {
		t.Errorf("no harm was done:\n%s", stdout)
	}
}

func TestFaultIsUsage(t *testing.T) {
	for spec, want := range map[string]string{
		"flip=2": "sighub: --fault: flip must be a chance from 0 to 1",
		"drop":   `sighub: --fault: "drop" says nothing: write one or more of flip, `,
	} {
		code, _, stderr := try(t.Context(), "", "simulate", "--pty", "--fault", spec)
		if code != exitUsage || !strings.HasPrefix(stderr, want) {
			t.Errorf("%s: exit code %d: %s", spec, code, stderr)
		}
	}
}
