package serial

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strconv"
	"testing"
	"time"

	"sighub/carrier"
)

func FuzzHello(f *testing.F) {
	for _, v := range readVectors(f).Hellos {
		f.Add(unhex(f, v.Payload))
	}
	welcome := welcome{session: 5, maxFrame: 254, window: 8, known: true, expects: 3, echo: 12}
	f.Add(welcome.pack())
	f.Fuzz(func(t *testing.T, data []byte) {
		if h, err := parseHello(data); err == nil {
			again, err := parseHello(h.pack())
			if err != nil || !reflect.DeepEqual(again, h) {
				t.Fatalf("%+v is read again as %+v, %v", h, again, err)
			}
			if h.maxFrame < helloFrame || h.maxFrame > limitFrame || h.window < 1 || h.window > maxWindow || h.expects >= numbers {
				t.Fatalf("%+v", h)
			}
		}
		if w, err := parseWelcome(data); err == nil {
			if again, err := parseWelcome(w.pack()); err != nil || again != w {
				t.Fatalf("%+v is read again as %+v, %v", w, again, err)
			}
		}
	})
}

func FuzzDictionary(f *testing.F) {
	for _, v := range readVectors(f).Dictionaries {
		f.Add(unhex(f, v.Text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := parseDictionary(data)
		if err != nil {
			return
		}
		packed := d.pack()
		if again, err := parseDictionary(packed); err != nil || !reflect.DeepEqual(again, d) {
			t.Fatalf("%+v is read again as %+v, %v", d, again, err)
		}
		names := make(map[string]int)
		for _, s := range d.senders {
			names[s.Name]++
		}
		if err := check(d.senders); (err == nil) != (len(names) == len(d.senders)) {
			t.Fatalf("%+v: %v", d, err)
		}
	})
}

// FuzzReadings reads frames with dictionaries of any size.
func FuzzReadings(f *testing.F) {
	for _, v := range readVectors(f).Readings {
		f.Add(unhex(f, v.Payload), uint16(2), uint16(2), int8(-2), v.After != nil)
	}
	f.Add([]byte{0x29, 1, 0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, uint16(3), uint16(1), int8(18), false)
	now := time.Unix(1e9, 0)
	f.Fuzz(func(t *testing.T, data []byte, events, others uint16, exponent int8, begun bool) {
		senders := []Sender{{Name: "s"}}
		for n := range events % 300 {
			senders[0].Events = append(senders[0].Events, Event{Name: strconv.Itoa(int(n)), Exponent: int(exponent % (maxExponent + 1))})
		}
		for n := range others % 300 {
			senders = append(senders, Sender{Name: strconv.Itoa(int(n))})
		}
		d := newDictionary(senders)
		from := timeline{ticks: 100, begun: begun}
		p := peer{clock: newClock(1000), at: from}
		p.clock.sample(5, now.Add(-time.Millisecond), now)
		rs, end, err := parseReadings(data, d, from)
		stamped, stampErr := p.readings(now, data, d)
		if (err == nil) != (stampErr == nil) || len(stamped) != len(rs) {
			t.Fatalf("%d readings, %v; stamped %d, %v", len(rs), err, len(stamped), stampErr)
		}
		if err != nil {
			if p.at.begun {
				t.Fatal("the timeline goes on behind a frame that could not be read")
			}
			return
		}
		var packed []byte
		at := from
		for i, r := range rs {
			if r.number < 0 || r.number >= 2*len(d.events) {
				t.Fatalf("%+v of %d events", r, len(d.events))
			}
			if s := stamped[i]; s.time.After(now) || s.uncertainty < 0 || s.event < 0 || s.event >= len(d.events) {
				t.Fatalf("%+v", s)
			}
			packed = at.append(packed, r, numberBits(len(d.events)))
		}
		again, _, err := parseReadings(packed, d, from)
		if err != nil || !reflect.DeepEqual(again, rs) {
			t.Fatalf("%v is read again as %v, %v", rs, again, err)
		}
		if len(rs) > 0 && !end.begun {
			t.Fatal("the timeline has not begun")
		}
	})
}

// FuzzScale: what a device makes of a number means that number again, to half a unit of its exponent.
func FuzzScale(f *testing.F) {
	f.Add(21.565, int8(-2))
	f.Add(-0.5, int8(0))
	f.Add(1e300, int8(-18))
	f.Add(-1e22, int8(5))
	f.Fuzz(func(t *testing.T, x float64, exponent int8) {
		e := int(exponent % (maxExponent + 1))
		packed, err := carrier.CBORText.Append(nil, x)
		must(t, err)
		wire, err := unscale(packed, e)
		must(t, err)
		var got float64
		must(t, scale(wire, e).Decode(&got))
		unit := math.Pow10(e)
		if off := math.Abs(got - x); off > unit/2*(1+1e-9)+math.Abs(x)*1e-15 && !math.IsNaN(x) {
			t.Fatalf("%v with exponent %d travels as %x and means %v", x, e, wire, got)
		}
		again, err := unscale(wire, 0)
		if err != nil || !bytes.Equal(again, wire) {
			t.Fatalf("%x, %v", again, err)
		}
	})
}

var fuzzDict = newDictionary([]Sender{{Name: "s", Events: []Event{{Name: "e", Exponent: 3}}}})

// fuzzHub is a hub's owner that answers everything at once.
type fuzzHub struct {
	t     *testing.T
	hub   *hubLine
	queue int
}

func (h *fuzzHub) forgot(*peer) {}
func (h *fuzzHub) connected(_ time.Time, l *hubLine, p *peer) {
	p.link.send(frameMessage, 1, []byte{0, 0})
	l.hurry()
}
func (h *fuzzHub) disconnected(p *peer, _ error) {}
func (h *fuzzHub) arrived(now time.Time, p *peer, a arrival) {
	if a.in == nil {
		_ = unpackReply(a.reply)
		return
	}
	if p.link.backlog > maxWindow+1 {
		h.t.Fatalf("%d frames wait", p.link.backlog)
	}
	if a.kind == frameEvent {
		if _, err := p.readings(now, a.payload, fuzzDict); errors.Is(err, errTorn) {
			p.link.consumed()
			p.stray(a.in)
			return
		}
	} else {
		_, _ = unpackPlain(a.payload)
		_, _, _ = unpackCompact(a.payload)
	}
	if h.queue++; h.queue%3 != 0 { // some are never dealt with
		p.link.consumed()
		p.link.answer(a.in, packReply(carrier.Done(h.queue%2 == 0), p.link.payloadLimit()))
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
		hub := newTestHub(owner, func(c *hubConfig) { c.random = func() uint16 { now = now.Add(1); return uint16(now.UnixNano()) } })
		owner.hub = hub
		device := newSimDevice(func() time.Time { return now }, 4, defaultFrame)
		hub.rates.free = true
		device.rates.free, device.rates.fastest = true, 1e6
		device.opened(now)
		exchange := func() {
			for range 8 {
				data, _ := device.pull(now, nil)
				hub.receive(now, data)
				data, _ = hub.pull(now, nil)
				device.receive(now, data)
				for _, end := range []lineEnd{hub, device} {
					if rate := end.rate(); rate != 0 {
						end.rated(now, rate, nil)
					}
					if rate := end.rate(); rate != 0 {
						t.Fatalf("the rate %d is wanted though it was just set", rate)
					}
				}
			}
		}
		exchange()
		if hub.peer == nil || device.calls == nil {
			t.Fatal("no session")
		}
		for len(script) >= 3 {
			ctrl, delay, n := script[0], script[1], int(script[2])
			payload := script[3:min(len(script), 3+n)]
			script = script[min(len(script), 3+n):]
			now = now.Add(time.Duration(delay) * 10 * time.Millisecond)
			fr := frame{kind: frameType(ctrl >> 5), number: ctrl & 31, payload: payload}
			hub.receive(now, appendFrame(nil, device.link.session, fr))
			device.receive(now, appendFrame(nil, device.link.session, fr))
			exchange()
			for _, e := range device.events {
				if e.arrival.in != nil {
					e.link.consumed()
				} else if e.arrival.answered != nil {
					e.calls.Answer(e.arrival.answered.id, unpackReply(e.arrival.reply))
				}
			}
			device.events = nil
		}
	})
}
