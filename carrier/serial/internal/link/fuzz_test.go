package link

import (
	"bytes"
	"errors"
	"reflect"
	"strconv"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/wire"
)

// FuzzReadings reads frames with dictionaries of any size.
func FuzzReadings(f *testing.F) {
	for _, v := range readVectors(f).Readings {
		f.Add(unhex(f, v.Payload), uint16(2), uint16(2), int8(-2), v.After != nil)
	}
	f.Add([]byte{0x29, 1, 0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, uint16(3), uint16(1), int8(18), false)
	now := time.Unix(1e9, 0)
	f.Fuzz(func(t *testing.T, data []byte, events, others uint16, exponent int8, begun bool) {
		senders := []wire.Sender{{Name: "s"}}
		for n := range events % 300 {
			senders[0].Events = append(senders[0].Events, wire.Event{Name: strconv.Itoa(int(n)), Exponent: int(exponent % (wire.MaxExponent + 1))})
		}
		for n := range others % 300 {
			senders = append(senders, wire.Sender{Name: strconv.Itoa(int(n))})
		}
		dict := wire.NewDictionary(senders)
		from := wire.Timeline{Ticks: 100, Begun: begun}
		p := Device{Clock: newClock(1000), timeline: from}
		p.Clock.sample(5, now.Add(-time.Millisecond), now)
		rs, end, err := wire.ParseReadings(data, dict, from)
		stamped, stampErr := p.Readings(now, Arrival{In: p.Link.in.take(0), Payload: data}, dict)
		for n := 0; errors.Is(stampErr, ErrComesAgain); n++ {
			if n == maxDoubts || p.timeline != from {
				t.Fatalf("the frame was doubted %d times, and the timeline is at %+v", n+1, p.timeline)
			}
			stamped, stampErr = p.Readings(now, Arrival{In: p.Link.in.take(0), Payload: data}, dict)
		}
		if (err == nil) != (stampErr == nil) || len(stamped) != len(rs) {
			t.Fatalf("%d readings, %v; stamped %d, %v", len(rs), err, len(stamped), stampErr)
		}
		if err != nil {
			if p.timeline.Begun {
				t.Fatal("the timeline goes on behind a frame that could not be read")
			}
			return
		}
		var packed []byte
		at := from
		for i, r := range rs {
			if r.Number < 0 || r.Number >= 2*len(dict.Events) {
				t.Fatalf("%+v of %d events", r, len(dict.Events))
			}
			if s := stamped[i]; s.Time.After(now) || s.Uncertainty < 0 || s.Event < 0 || s.Event >= len(dict.Events) {
				t.Fatalf("%+v", s)
			}
			packed = at.Append(packed, r, wire.NumberBits(len(dict.Events)))
		}
		again, _, err := wire.ParseReadings(packed, dict, from)
		if err != nil || !reflect.DeepEqual(again, rs) {
			t.Fatalf("%v is read again as %v, %v", rs, again, err)
		}
		if len(rs) > 0 && !end.Begun {
			t.Fatal("the timeline has not begun")
		}
	})
}

var fuzzDict = wire.NewDictionary([]wire.Sender{{Name: "s", Events: []wire.Event{{Name: "e", Exponent: 3}}}})

// fuzzHub is a hub's owner that answers everything at once.
type fuzzHub struct {
	t     *testing.T
	hub   *HubEnd
	queue int
}

func (h *fuzzHub) Forgot(*Device) {}
func (h *fuzzHub) Connected(_ time.Time, l *HubEnd, d *Device) {
	d.Link.Send(wire.FrameMessage, 1, []byte{0, 0})
	l.OfferFasterRates()
}
func (h *fuzzHub) Disconnected(d *Device, _ error) {}
func (h *fuzzHub) Arrived(now time.Time, d *Device, a Arrival) {
	if a.In == nil {
		_ = wire.UnpackReply(a.Reply)
		return
	}
	if d.Link.backlog > wire.MaxWindow+1 {
		h.t.Fatalf("%d frames wait", d.Link.backlog)
	}
	if a.Kind == wire.FrameEvent {
		if _, err := d.Readings(now, a, fuzzDict); errors.Is(err, ErrComesAgain) {
			d.Link.Consumed()
			return
		}
	} else {
		_, _ = wire.UnpackMessage(a.Payload)
		_, _, _ = wire.UnpackNumbered(a.Payload)
	}
	if h.queue++; h.queue%3 != 0 { // some are never dealt with
		d.Link.Consumed()
		d.Link.Answer(a.In, wire.PackReply(carrier.Done(h.queue%2 == 0), d.Link.PayloadLimit()))
	}
}

// FuzzLink gives arbitrary frames to a hub and to a device in a session: three bytes of how, then the payload.
func FuzzLink(f *testing.F) {
	f.Add([]byte{0x20, 0, 3, 0, 1, 2, 0x40, 0, 0, 0x80, 0, 1, 0, 0xa0, 0, 0})
	f.Add([]byte{0x60, 1, 4, 0xa1, 0x61, 'a', 1, 0x61, 9, 2, 0, 0})
	f.Add(bytes.Repeat([]byte{0x20, 0, 0, 0x21, 0, 0, 0x22, 0, 0}, 20))
	f.Add([]byte{0xc1, 0, 5, 0x1a, 0, 15, 0x42, 0x40, 0xa0, 5, 1, 5, 0xc1, 40, 1, 0, 0, 10, 0})
	f.Fuzz(func(t *testing.T, script []byte) {
		now := time.Unix(1e9, 0)
		owner := &fuzzHub{t: t}
		hub := newTestHub(owner, func(c *HubConfig) { c.Random = func() uint16 { now = now.Add(1); return uint16(now.UnixNano()) } })
		owner.hub = hub
		device := newSimDevice(func() time.Time { return now }, 4, wire.DefaultFrame)
		hub.rates.settable = true
		device.Fastest, device.rates.fastest = 1e6, 1e6
		device.Opened(now, true)
		exchange := func() {
			for range 8 {
				data, _ := device.Pull(now, nil)
				hub.Receive(now, data)
				data, _ = hub.Pull(now, nil)
				device.Receive(now, data)
				for _, end := range []lineEnd{hub, device} {
					if rate := end.Rate(); rate != 0 {
						end.RateSet(now, rate, nil)
					}
					if rate := end.Rate(); rate != 0 {
						t.Fatalf("the rate %d is wanted though it was just set", rate)
					}
				}
			}
		}
		exchange()
		if hub.device == nil || device.calls == nil {
			t.Fatal("no session")
		}
		for len(script) >= 3 {
			ctrl, delay, n := script[0], script[1], int(script[2])
			payload := script[3:min(len(script), 3+n)]
			script = script[min(len(script), 3+n):]
			now = now.Add(time.Duration(delay) * 10 * time.Millisecond)
			fr := wire.Frame{Kind: wire.FrameType(ctrl >> 5), Number: ctrl & 31, Payload: payload}
			hub.Receive(now, wire.AppendFrame(nil, wire.Device, device.Link.session, fr))
			device.Receive(now, wire.AppendFrame(nil, wire.Hub, device.Link.session, fr))
			exchange()
			for _, e := range device.events {
				if e.arrival.In != nil {
					e.link.Consumed()
				} else if e.arrival.Answered != nil {
					e.calls.Answer(e.arrival.Answered.ID, wire.UnpackReply(e.arrival.Reply))
				}
			}
			device.events = nil
		}
	})
}
