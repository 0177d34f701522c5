package serial

import (
	"bytes"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"sighub/carrier"
)

func FuzzHello(f *testing.F) {
	full := hello{uid: []byte{1, 2}, name: "porch", firmware: "1.0", dictionary: 7, receiveWindow: 500, maxFrame: 254,
		window: 4, boot: 9, resetCause: 1, ticks: 1 << 31, ticksPerSecond: 1000, expects: 31}
	f.Add(full.pack())
	f.Add(full.pack()[:9])
	f.Add([]byte{1, 0x40, 0x60})
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
	f.Add(newDictionary([]Sender{{Name: "light", Events: []Event{{"lux", "lx"}}, Requests: []string{"led"}}, {Name: "x"}}).pack())
	f.Add([]byte{0x81, 0x82, 0x61, 'a', 0x81, 0x61, 'e'})
	f.Add([]byte{0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := parseDictionary(data)
		if err != nil {
			return
		}
		packed := d.pack()
		if again, err := parseDictionary(packed); len(d.senders) > 0 && (err != nil || !bytes.Equal(again.pack(), packed)) {
			t.Fatalf("%+v is read again as %+v, %v", d, again, err)
		}
	})
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte{0, 0x19, 1, 0x2c, 0x19, 2, 0})
	f.Add([]byte{0, 1, 2, 1, 0x20, 0xa1, 0x61, 'a', 0x80})
	f.Add([]byte{0x20, 5, 0x82, 3, 4})
	f.Fuzz(func(t *testing.T, data []byte) {
		rs, err := parseReadings(data)
		if err != nil {
			return
		}
		var packed []byte
		for _, r := range rs {
			packed = r.append(packed)
			if _, err := carrier.RawValue(carrier.CBORText, r.value).Any(); err != nil {
				// What is well-formed may still be invalid, as a map with the same key twice is: that is told
				// to whoever decodes it.
				_ = err
			}
		}
		again, err := parseReadings(packed)
		if err != nil || !reflect.DeepEqual(again, rs) {
			t.Fatalf("%v is read again as %v, %v", rs, again, err)
		}
		p := peer{clock: newClock(1000)}
		p.clock.sample(5, time.Unix(1e9, 0), time.Unix(1e9, 1000))
		stamped, err := p.readings(time.Unix(1e9, 0), data)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range stamped {
			if s.time.After(time.Unix(1e9, 0)) || s.uncertainty < 0 {
				t.Fatalf("%+v", s)
			}
			_ = gapData(s)
		}
	})
}

// fuzzHub is a hub's owner that answers everything at once.
type fuzzHub struct {
	t     *testing.T
	hub   *hubLine
	queue int
}

func (h *fuzzHub) connected(_ *hubLine, p *peer) { p.link.send(frameMessage, 1, []byte{0, 0}) }
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
		_, _ = p.readings(now, a.payload)
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
	f.Fuzz(func(t *testing.T, script []byte) {
		now := time.Unix(1e9, 0)
		owner := &fuzzHub{t: t}
		log := slog.New(slog.DiscardHandler)
		hub := &hubLine{maxFrame: defaultFrame, window: maxWindow, ask: time.Second, timeout: 3 * time.Second,
			peers: new(peers), random: func() uint16 { return 7 }, events: owner, log: log, text: console{log: log}}
		owner.hub = hub
		hub.opened()
		hub.random = func() uint16 { now = now.Add(1); return uint16(now.UnixNano()) }
		device, err := NewDevice(nil, DeviceOptions{UID: []byte{1}, Boot: 1, Senders: []Sender{{Name: "s", Events: []Event{{"e", ""}}}},
			Clock: func() time.Time { return now }})
		must(t, err)
		device.line.opened(now)
		exchange := func() {
			for range 8 {
				data, _ := device.pull(now, nil)
				hub.receive(now, data)
				data, _ = hub.pull(now, nil)
				device.receive(now, data)
			}
		}
		exchange()
		if hub.peer == nil || device.hub == nil {
			t.Fatal("no session")
		}
		for len(script) >= 3 {
			ctrl, delay, n := script[0], script[1], int(script[2])
			payload := script[3:min(len(script), 3+n)]
			script = script[min(len(script), 3+n):]
			now = now.Add(time.Duration(delay) * 10 * time.Millisecond)
			fr := frame{kind: frameType(ctrl >> 5), number: ctrl & 31, payload: payload}
			hub.receive(now, appendFrame(nil, device.line.link.session, fr))
			device.receive(now, appendFrame(nil, device.line.link.session, fr))
			exchange()
			for {
				e, ok := device.events.take()
				if !ok {
					break
				}
				if e.arrival.in != nil {
					e.from.consumed()
				} else if e.arrival.answered != nil {
					e.from.answered(e.arrival)
				}
			}
		}
		device.ending.Wait()
	})
}
