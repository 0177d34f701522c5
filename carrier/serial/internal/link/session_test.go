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
		hub.Receive(now, wire.AppendFrame([]byte{0}, wire.Device, wire.CRCStart, wire.Frame{Kind: wire.FrameHello, Payload: h.Pack()}))
		session := hub.device.Link.session
		if seen[session] || session == 0 || session == wire.CRCStart || session>>8 != 0x12 {
			t.Fatalf("session %d has the number %04x, after %04x", n, session, former)
		}
		seen[session] = true
		if former != 0 {
			bad := hub.Stats.BadFrames
			hub.Receive(now, wire.AppendFrame(nil, wire.Device, former, wire.Frame{Kind: wire.FrameMessage, Number: uint8(n) % wire.FrameNumbers, Payload: []byte{0xa0}}))
			if hub.Stats.BadFrames != bad+1 {
				t.Fatalf("a frame of session %04x is taken in session %04x", former, session)
			}
		}
		hub.Receive(now, wire.AppendFrame([]byte{0}, wire.Device, session, wire.Frame{Kind: wire.FramePing})) // so that the session was heard
		former = session
	}
	if len(owner.got) != 0 {
		t.Errorf("%d frames of earlier sessions were taken", len(owner.got))
	}
}

// TestOtherHub: a hub that expects the number that a device would use next, by coincidence, does not have the frames before
// it: so the device numbers its readings anew.
func TestOtherHub(t *testing.T) {
	now := time.Unix(1e9, 0)
	sd := newSimDevice(func() time.Time { return now }, 4, wire.DefaultFrame)
	sd.Opened(now, false)
	// pull returns the readings' frames that the device writes.
	pull := func() (frames []wire.Frame) {
		data, _ := sd.Pull(now, nil)
		in := wire.Deframer{Limit: wire.MaxFrame}
		in.Feed(data, func(chunk []byte, _ bool) {
			f, err := wire.ParseFrame(chunk, wire.Device, sd.Link.session)
			must(t, err)
			if f.Kind == wire.FrameEvent {
				f.Payload = append([]byte(nil), f.Payload...)
				frames = append(frames, f)
			}
		})
		return frames
	}
	answer := func(session uint16, known bool) {
		pull() // HELLO
		w := wire.Welcome{Session: session, Echo: sd.Ticks(now), MaxFrame: wire.DefaultFrame, Window: 4, Known: known, Expects: 1}
		sd.Receive(now, wire.AppendFrame([]byte{0}, wire.Hub, wire.CRCStart, wire.Frame{Kind: wire.FrameHello, Payload: w.Pack()}))
	}
	answer(0x1201, false)
	sd.take(5, nil)
	first := pull()
	if len(first) != 1 {
		t.Fatalf("%d frames", len(first))
	}
	for _, c := range []struct {
		session uint16
		number  uint8
	}{{0x1202, first[0].Number}, {0x3401, 1}} {
		now = now.Add(time.Second)
		sd.sayHello(now)
		answer(c.session, true)
		if again := pull(); len(again) != 1 || again[0].Number != c.number {
			t.Errorf("in session %04x the device sends %+v, want number %d", c.session, again, c.number)
		}
	}
}

// TestResyncWaits: a device whose readings have no time numbers anew only once all frames before them are answered, and once
// the first reading without a time has come several times after that.
func TestResyncWaits(t *testing.T) {
	var d Device
	earlier := d.Link.in.take(0)
	d.resync(d.Link.in.take(1))
	passOver := func(what string, number uint8, want ...bool) {
		t.Helper()
		for i, w := range want {
			if got := d.passOver(number); got != w {
				t.Fatalf("%s: after the frame has come %d times the hub asks for HELLO: %t", what, i+1, got)
			}
		}
	}
	passOver("an earlier frame is unanswered", 1, false, false, false, false)
	d.Link.in.answer(earlier, nil)
	passOver("it is answered", 1, false, false)
	passOver("it comes again", 0, false)
	passOver("the first frame without a time again", 1, false, false, true)
	if expected := d.Link.in.next; expected != 1 {
		t.Errorf("frame %d is expected", expected)
	}
	d.beginNumbering()
	if expected := d.Link.in.next; expected != 1+renumberBy || d.resyncing {
		t.Errorf("afterwards frame %d is expected, and the hub waits: %t", expected, d.resyncing)
	}
}
