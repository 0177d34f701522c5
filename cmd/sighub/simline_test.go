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
	"sighub/internal/simulator"
)

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
