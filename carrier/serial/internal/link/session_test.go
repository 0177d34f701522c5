package link

import (
	"testing"
	"time"

	"sighub/carrier/serial/internal/wire"
)

// TestSessions: the sessions of a device have different numbers, of which all share the hub's part; and a frame of an earlier
// session, as it may still be on its way when the next one begins, is not taken.
func TestSessions(t *testing.T) {
	owner := new(specHub)
	hub := newTestHub(owner, nil)
	now := time.Unix(1e9, 0)
	h := helloOf(1)
	const sessions = 200
	seen := make(map[uint16]bool)
	var former uint16
	for n := range sessions {
		now = now.Add(time.Second)
		hub.Receive(now, wire.AppendFrame([]byte{0}, wire.CRCStart, wire.Frame{Kind: wire.FrameHello, Payload: h.Pack()}))
		session := hub.device.Link.session
		if seen[session] || session == 0 || session == wire.CRCStart || session>>8 != 0x12 {
			t.Fatalf("session %d has the number %04x, after %04x", n, session, former)
		}
		seen[session] = true
		if former != 0 {
			bad := hub.Stats.BadFrames
			hub.Receive(now, wire.AppendFrame(nil, former, wire.Frame{Kind: wire.FrameMessage, Number: uint8(n) % wire.FrameNumbers, Payload: []byte{0xa0}}))
			if hub.Stats.BadFrames != bad+1 {
				t.Fatalf("a frame of session %04x is taken in session %04x", former, session)
			}
		}
		hub.Receive(now, wire.AppendFrame([]byte{0}, session, wire.Frame{Kind: wire.FramePing})) // so that the session was heard
		former = session
	}
	if len(owner.got) != 0 {
		t.Errorf("%d frames of earlier sessions were taken", len(owner.got))
	}
}
