package serial

import (
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/wire"
	"sighub/carrier/serial/port/discovery"
)

// TestRecordsAreBounded: the server keeps records of as many devices as the link remembers.
func TestRecordsAreBounded(t *testing.T) {
	s, err := Listen(Options{})
	must(t, err)
	s.handler = carrier.AsSignalHandler(newRecorder())
	l := newLine(s, &PortOptions{}, discovery.Port{Path: "test"})
	s.mu.Lock()
	l.end.Opened(false)
	now := time.Unix(1e9, 0)
	const devices = 600
	for n := range devices {
		now = now.Add(time.Second)
		h := wire.Hello{UID: []byte{byte(n), byte(n >> 8)}, ReceiveWindow: wire.MinFrame, MaxFrame: wire.MinFrame, Window: 1, TicksPerSecond: 1000}
		l.end.Receive(now, wire.AppendFrame([]byte{0}, wire.Device, wire.CRCStart, wire.Frame{Kind: wire.FrameHello, Payload: h.Pack()}))
	}
	l.end.Drop(carrier.ErrUnplugged)
	records := len(s.records)
	s.mu.Unlock()
	s.running.Wait()
	if records == 0 || records > devices/2 {
		t.Errorf("there are records of %d devices of %d", records, devices)
	}
}
