//go:build linux || darwin

package serial

import (
	"context"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/carriertest"
	"sighub/carrier/serial/device"
	"sighub/carrier/serial/internal/wire"
	"sighub/carrier/serial/port"
)

// TestConformance runs the suite over a pseudo terminal: the hub opens the terminal, the device has its other end.
func TestConformance(t *testing.T) {
	for _, c := range []struct {
		name             string
		maxFrame, window int
	}{
		{name: "Default", maxFrame: wire.DefaultFrame, window: 4},
		{name: "SmallFrames", maxFrame: 90, window: 1},
		{name: "LargeFrames", maxFrame: wire.MaxFrame, window: wire.MaxWindow},
	} {
		t.Run(c.name, func(t *testing.T) {
			carriertest.Run(t, func(t testing.TB) *carriertest.Pair { return connectPTY(t, c.maxFrame, c.window) })
		})
	}
}

func BenchmarkCarrier(b *testing.B) {
	carriertest.Bench(b, func(t testing.TB) *carriertest.Pair { return connectPTY(t, wire.MaxFrame, wire.MaxWindow) })
}

func connectPTY(t testing.TB, maxFrame, window int) *carriertest.Pair {
	pty, err := port.NewPTY(t.TempDir() + "/port")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pty.Close() })
	hub, err := Listen(Options{
		Ports:    []PortOptions{{Port: pty.Path()}},
		MaxFrame: maxFrame, Window: window,
		Ask: 200 * time.Millisecond, Timeout: 2 * time.Second,
		Backoff: carrier.Backoff{Min: 5 * time.Millisecond, Max: 20 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	device, err := device.New(pty.Open, device.Options{
		MaxFrame: maxFrame, Window: window,
		Ask: 200 * time.Millisecond, Timeout: 2 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	cut := func() { pty.Cut() }
	ended, end := context.WithCancel(context.Background())
	end() // a line that is cut is not waited for
	write := func(b string) {
		if p, err := pty.Open(ended); err == nil {
			_, _ = p.Write([]byte(b))
		}
	}
	return &carriertest.Pair{
		Hub: hub, Peer: device,
		MaxData: wire.PayloadLimit(maxFrame) - 28,
		Cut:     cut,
		Restore: func() {
			if err := pty.Restore(); err != nil {
				t.Error(err)
			}
		},
		Half:    func() { write("\x00\x20\x60\xa1half a mess"); cut() },
		Garbage: func() { write("\x00garbage\x01\xff\xfe\x00\x05\x61\x62\x63\x64\x00") },
	}
}
