package link

import (
	"errors"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/wire"
)

// A doubter owns a hub's end of a line and reads readings as the hub does.
type doubter struct {
	dict     *wire.Dictionary
	readings []Reading
	refused  int
	answers  []carrier.Reply
}

func (*doubter) Connected(time.Time, *HubEnd, *Device) {}
func (*doubter) Forgot(*Device)                        {}
func (*doubter) Disconnected(*Device, error)           {}
func (o *doubter) Arrived(now time.Time, d *Device, a Arrival) {
	if a.Answered != nil {
		o.answers = append(o.answers, wire.UnpackReply(a.Reply))
		return
	}
	rs, err := d.Readings(now, a, o.dict)
	d.Link.Consumed()
	o.readings = append(o.readings, rs...)
	switch {
	case errors.Is(err, ErrComesAgain):
	case err != nil:
		o.refused++
		d.Link.Answer(a.In, wire.PackReply(carrier.Failed(err), 50))
	default:
		d.Link.Answer(a.In, nil)
	}
}

// doubtful returns a hub in a session with a device, and what the device then hears after it has sent a frame.
func doubtful(t *testing.T) (o *doubter, hub *HubEnd, send func(f wire.Frame) []wire.Frame) {
	dict, err := wire.ParseDictionary([]byte("\001a\002b"))
	must(t, err)
	o = &doubter{dict: dict}
	hub = newTestHub(o, nil)
	h := helloOf(1)
	h.Window = 4
	now := time.Unix(1e9, 0)
	in := wire.Deframer{Limit: wire.MaxFrame}
	hub.Receive(now, wire.AppendFrame([]byte{0}, wire.Device, wire.CRCStart, wire.Frame{Kind: wire.FrameHello, Payload: h.Pack()}))
	hub.Pull(now, nil)
	return o, hub, func(f wire.Frame) (heard []wire.Frame) {
		now = now.Add(20 * time.Millisecond)
		session := hub.device.Link.session
		hub.Receive(now, wire.AppendFrame(nil, wire.Device, session, f))
		out, _ := hub.Pull(now, nil)
		in.Feed(out, func(chunk []byte, _ bool) {
			f, err := wire.ParseFrame(chunk, wire.Hub, session)
			must(t, err)
			if f.Kind != wire.FramePing {
				f.Payload = append([]byte(nil), f.Payload...)
				heard = append(heard, f)
			}
		})
		return heard
	}
}

// TestNonsenseComesAgain: readings that make no sense, though their CRC is right, are asked for again. What comes then counts,
// with its time; and if it never makes sense, it is refused at last.
func TestNonsenseComesAgain(t *testing.T) {
	o, hub, send := doubtful(t)
	const acknowledges, asksAgain, replies = wire.FrameAck, wire.FrameAgain, wire.FrameReply
	expect := func(what string, number uint8, payload []byte, want wire.FrameType) {
		t.Helper()
		if got := send(wire.Frame{Kind: wire.FrameEvent, Number: number, Payload: payload}); len(got) != 1 || got[0].Kind != want || got[0].Number != number {
			t.Fatalf("%s is answered with %+v, want %v %d", what, got, want, number)
		}
	}
	mark := []byte{0x39, 1, 0x2c, 0x00, 0x05} // at 300: 5
	later, nonsense := []byte{0x02, 0x06}, []byte{0x02, 0x19, 0x02}
	expect("a reading", 0, mark, acknowledges)
	expect("half a reading", 1, nonsense, asksAgain)
	expect("half a reading again", 1, nonsense, asksAgain)
	expect("the whole reading", 1, later, acknowledges)
	if n := len(o.readings); n != 2 || hub.device.timeline.Ticks != 301 {
		t.Errorf("the readings are %+v", o.readings)
	}
	for range maxDoubts {
		expect("half a reading", 2, nonsense, asksAgain)
	}
	expect("half a reading for ever", 2, nonsense, replies)
	if o.refused != 1 || hub.device.Link.Stats.Doubted != 2+maxDoubts {
		t.Errorf("%d refused, %+v", o.refused, hub.device.Link.Stats)
	}
	for range maxDoubts {
		expect("half a reading with the next number", 3, append(mark, nonsense...), asksAgain)
	}
	expect("and then the whole", 3, append(mark, later...), replies) // not with ACK, because frame 2 may have been
	if n := len(o.readings); n != 4 || o.refused != 1 {
		t.Errorf("%d readings, %d refused", n, o.refused)
	}
}

// TestNonsenseTakesBackWhatFollows: what came after a frame that made no sense comes again behind it, once.
func TestNonsenseTakesBackWhatFollows(t *testing.T) {
	var l Link
	l.begin(time.Time{}, 1, Limits{MaxFrame: 60, window: 4})
	take := func(number uint8) *Incoming {
		in := l.in.take(number)
		if in == nil {
			t.Fatalf("frame %d is not taken", number)
		}
		return in
	}
	first, second := take(0), take(1)
	if !l.Doubt(first) || !first.TakenBack() || !second.TakenBack() || !l.frameMissing {
		t.Fatalf("%+v %+v", first, second)
	}
	if !l.Doubt(second) || l.Stats.Doubted != 1 || l.in.next != 0 {
		t.Fatal("the second is doubted by itself")
	}
	take(0)
	take(1)
}

// TestNonsenseForAReply: a reply that makes no sense is not taken for the answer. The frame is sent again, and the reply comes
// again; if that never makes sense, the call fails.
func TestNonsenseForAReply(t *testing.T) {
	for _, mends := range []bool{true, false} {
		o, hub, send := doubtful(t)
		send(wire.Frame{Kind: wire.FramePing})
		hub.device.Link.Send(wire.FrameMessage, 7, []byte{1})
		if got := send(wire.Frame{Kind: wire.FramePing}); len(got) != 1 || got[0].Kind != wire.FrameMessage {
			t.Fatalf("the hub sends %+v", got)
		}
		nonsense := wire.Frame{Kind: wire.FrameReply, Payload: []byte{0x00, 0x19, 0x02}}
		for range maxDoubts {
			if got := send(nonsense); len(o.answers) > 0 || len(got) != 1 || got[0].Kind != wire.FrameMessage {
				t.Fatalf("nonsense is answered with %+v, and counts as %v", got, o.answers)
			}
		}
		want := carrier.StatusDone
		if last := nonsense; mends {
			last.Payload = []byte{0x00, 0x02}
			send(last)
		} else {
			want = carrier.StatusMalformed
			send(last)
		}
		if len(o.answers) != 1 || o.answers[0].Status != want {
			t.Errorf("mends: %t; the answers are %+v", mends, o.answers)
		}
	}
}
