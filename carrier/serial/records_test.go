package serial

import (
	"fmt"
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

// TestLossesAreBounded: of a device with more senders than the hub takes, the times of as many are kept.
func TestLossesAreBounded(t *testing.T) {
	ls := losses{last: make(map[string]time.Time), untold: make(map[string]*loss)}
	at := time.Unix(1e9, 0)
	var d wire.Dictionary
	for n := range 4000 {
		name := fmt.Sprint(n)
		d.Senders = append(d.Senders, wire.Sender{Name: name})
		ls.reported(name, at, 100)
	}
	ls.reported("7", at.Add(time.Second), 100)
	ls.unreadable(at, "malformed", &d)
	if len(ls.last) != 100 || len(ls.untold) != 100 || !ls.last["7"].After(at) {
		t.Errorf("%d, %d, %v", len(ls.last), len(ls.untold), ls.last["7"])
	}
	if !ls.tellUnread(at) || ls.tellUnread(at) {
		t.Error("it is told again at once")
	}
	ls.unreadable(at, "malformed", &d)
	if ls.tellUnread(at.Add(unreadableEvery-1)) || !ls.tellUnread(at.Add(unreadableEvery)) {
		t.Error("it is told too soon, or not again")
	}
}
