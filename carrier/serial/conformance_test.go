//go:build linux || darwin

package serial

import (
	"context"
	"io"
	"path"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/carriertest"
	"sighub/carrier/serial/device"
	"sighub/carrier/serial/fault"
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
			carriertest.Run(t, func(t testing.TB) *carriertest.Pair { return connectPTY(t, c.maxFrame, c.window, fault.Harm{}) })
		})
	}
}

// TestLossyConformance runs what must hold on a line that loses and doubles, in both directions.
func TestLossyConformance(t *testing.T) {
	harm := fault.Harm{Drop: 0.01, Repeat: 0.01, Lose: 0.0002, Flip: 0.0002}
	carriertest.RunLossy(t, func(t testing.TB) *carriertest.Pair { return connectPTY(t, wire.DefaultFrame, 4, harm) })
}

func BenchmarkCarrier(b *testing.B) {
	carriertest.Bench(b, func(t testing.TB) *carriertest.Pair {
		return connectPTY(t, wire.MaxFrame, wire.MaxWindow, fault.Harm{})
	})
}

// timeoutOf returns how long an end may be silent in a case: short where that is waited for, and else so long that no case depends on how
// busy the machine is.
func timeoutOf(test string) time.Duration {
	switch path.Base(test) {
	case "Idle", "StopHubFirst", "StopPeerFirst":
		return 3 * time.Second
	}
	return 30 * time.Second
}

func connectPTY(t testing.TB, maxFrame, window int, harm fault.Harm) *carriertest.Pair {
	timeout := timeoutOf(t.Name())
	pty, err := port.NewPTY(t.TempDir() + "/port")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pty.Close() })
	hub, err := Listen(Options{
		Ports:    []PortOptions{{Port: pty.Path()}},
		MaxFrame: maxFrame, Window: window,
		Ask: 200 * time.Millisecond, Timeout: timeout,
		Backoff: carrier.Backoff{Min: 5 * time.Millisecond, Max: 20 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	line, err := fault.New(fault.Options{Seed: 1, ToHub: harm, ToDevice: harm})
	if err != nil {
		t.Fatal(err)
	}
	open := pty.Open
	if harm != (fault.Harm{}) {
		open = func(ctx context.Context) (port.Port, error) {
			return line.Open(fault.DeviceEnd, func() (io.ReadWriteCloser, error) { return pty.Open(ctx) })
		}
	}
	device, err := device.New(open, device.Options{
		Name: "peer", UID: []byte{1, 2, 3, 4, 5, 6, 7, 8},
		MaxFrame: maxFrame, Window: window,
		Ask: 200 * time.Millisecond, Timeout: timeout,
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
		Medium: carriertest.Medium{
			Name: "peer", UID: "0102030405060708", Timeout: timeout, NoGoodbye: true, NoSignalsToHub: true, NoSignalsToPeer: true,
		},
		Cut: cut,
		Restore: func() {
			if err := pty.Restore(); err != nil {
				t.Error(err)
			}
		},
		Half:    func() { write("\x00\x20\x60\xa1half a mess"); cut() },
		Garbage: func() { write("\x00garbage\x01\xff\xfe\x00\x05\x61\x62\x63\x64\x00") },
	}
}
