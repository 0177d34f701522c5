package link

import (
	"testing"
	"time"

	"sighub/carrier/serial/internal/wire"
)

// TestEchoOfBoth: on a line that returns what is sent on it, to both ends, as two wires of RS-485 do while the receiver is on, hub
// and device understand each other, and take what they hear of themselves for nothing.
func TestEchoOfBoth(t *testing.T) {
	s := newSim(t, 1, 0)
	s.echoes = true
	for end := s.now.Add(20 * time.Second); s.now.Before(end); {
		s.step()
		s.load()
	}
	hub, device := s.hub.Stats, s.device.Count()
	if hub.Echoes == 0 || hub.BadFrames > 0 || device.Echoes == 0 || device.BadFrames > 0 {
		t.Errorf("the hub counts %+v, the device %+v", hub, device)
	}
	if len(s.acked) < 100 || s.confirmed < 100 || s.ended < 100 {
		t.Errorf("%d readings, %d messages, %d requests", len(s.acked), s.confirmed, s.ended)
	}
}

// TestEchoAlone: a hub that hears nothing but itself asks nobody for HELLO, and looks for no other rate.
func TestEchoAlone(t *testing.T) {
	hub := newTestHub(new(specHub), nil)
	now := time.Unix(1e9, 0)
	hub.Receive(now, []byte{0, 0xff, 0xfe, 0}) // noise, which makes it ask
	for range 100 {
		now = now.Add(100 * time.Millisecond)
		out, _ := hub.Pull(now, nil)
		if hub.Receive(now, out); hub.Rate() != 0 {
			t.Fatalf("the rate %d is wanted", hub.Rate())
		}
	}
	if got := hub.Stats; got.Echoes != 1 || got.BadFrames != 1 || got.Frames != 0 {
		t.Errorf("%+v", got)
	}
	own := wire.AppendFrame(nil, wire.Hub, wire.CRCStart, wire.Frame{Kind: wire.FrameHello, Payload: (&wire.Welcome{Session: 5, MaxFrame: 60, Window: 1}).Pack()})
	if hub.Receive(now, own); hub.Stats.Echoes != 2 {
		t.Errorf("the hub counts %+v after the answer to a HELLO", hub.Stats)
	}
}
