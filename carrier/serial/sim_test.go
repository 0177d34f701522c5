package serial

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"sighub/carrier"
)

// A sim is a hub's line and a device over a line that damages what it carries, in virtual time and with chance
// from a seed.
type sim struct {
	t   *testing.T
	rng *rand.Rand
	now time.Time

	hub    *hubLine
	device *Device
	toHub  wire
	toDev  wire

	damage  float64 // chance that a byte is flipped, and a tenth of it for each other harm
	cut     time.Time
	pending []due // replies that come later

	readings  []int64 // delivered at the hub, in order
	messages  []int64 // delivered at the hub
	requests  []int64 // executed by the device
	connected *peer
	ended     int // requests of the hub that were answered or given up
	asked     int64
	told      int64
	reported  int64
	queued    int            // readings reported
	acked     map[int64]bool // readings acknowledged
	forgotten int            // readings that ended with a reset
	resets    int
	confirmed int64 // messages of the device that were answered
}

type due struct {
	at time.Time
	do func()
}

// A wire is one direction of the line.
type wire struct {
	busy   time.Time // until then bytes leave the sender
	flight []parcel
	sent   map[string]bool // what was put between two zeros
	in     deframer
}

type parcel struct {
	at   time.Time
	data []byte
}

const simByte = 87 * time.Microsecond // at 115200 baud

func newSim(t *testing.T, seed uint64, damage float64) *sim {
	s := &sim{t: t, rng: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1e9, 0), damage: damage, acked: make(map[int64]bool)}
	quietLog := slog.New(slog.DiscardHandler)
	s.hub = &hubLine{
		name: "sim", baud: 115200, maxFrame: defaultFrame, window: 1 + s.rng.IntN(maxWindow), ask: time.Second,
		timeout: 3 * time.Second, peers: new(peers), random: func() uint16 { return uint16(s.rng.Uint32()) },
		events: simEvents{s}, log: quietLog, text: console{log: quietLog},
	}
	s.hub.opened()
	d, err := NewDevice(nil, DeviceOptions{
		UID: []byte{1}, Name: "sim", Boot: 7, Window: 1 + s.rng.IntN(maxWindow), MaxFrame: helloFrame + s.rng.IntN(200),
		Senders: []Sender{{Name: "s", Events: []Event{{Name: "e"}}}},
		Clock:   func() time.Time { return s.now },
	})
	must(t, err)
	s.device = d
	d.line.opened(s.now)
	return s
}

// simEvents make the sim the hub's owner.
type simEvents struct{ *sim }

func (e simEvents) connected(_ *hubLine, p *peer)             { e.sim.connected = p }
func (e simEvents) disconnected(*peer, error)                 { e.sim.connected = nil }
func (e simEvents) arrived(now time.Time, p *peer, a arrival) { e.sim.arrived(now, p, a) }

func (s *sim) arrived(now time.Time, p *peer, a arrival) {
	switch {
	case a.answered != nil:
		s.ended++
		if r := unpackReply(a.reply); r.Status == carrier.StatusDone {
			var got int64
			if err := r.Response.Decode(&got); err != nil || got != int64(a.answered.id) {
				s.t.Fatalf("request %d is answered with %v", a.answered.id, r.Response)
			}
		}
	case a.kind == frameEvent:
		rs, err := p.readings(now, a.payload, s.device.dict)
		must(s.t, err)
		for _, r := range rs {
			var n int64
			must(s.t, r.data.Decode(&n))
			s.readings = append(s.readings, n)
			want := time.Unix(1e9, 0).Add(time.Duration(n) * time.Millisecond)
			if off := r.time.Sub(want).Abs(); off > r.uncertainty+time.Millisecond {
				s.t.Fatalf("reading of %v is stamped %v, off by %v, though sure to %v", want, r.time, off, r.uncertainty)
			}
		}
		s.later(&p.link, a.in, nil)
	default:
		m, err := unpackPlain(a.payload)
		must(s.t, err)
		var n int64
		must(s.t, m.Params.Decode(&n))
		s.messages = append(s.messages, n)
		s.later(&p.link, a.in, packReply(carrier.Done(n), 200))
	}
}

// later answers a frame at once, or some time later, even after the connection has gone.
func (s *sim) later(l *link, in *incoming, reply []byte) {
	l.consumed()
	if s.rng.IntN(4) > 0 {
		l.answer(in, reply)
		return
	}
	s.pending = append(s.pending, due{s.now.Add(time.Duration(s.rng.IntN(300)) * time.Millisecond), func() { l.answer(in, reply) }})
}

// owner deals with what the device's link has told its owner.
func (s *sim) owner() {
	d := s.device
	for {
		e, ok := d.events.take()
		switch {
		case !ok:
			return
		case e.readings != nil:
			for _, w := range e.readings {
				switch {
				case errors.Is(e.err, carrier.ErrReset):
					s.forgotten++
				case e.err != nil:
					s.t.Fatalf("a reading ends with %v", e.err)
				}
				w.end(e.err)
				d.ring.leave(w)
			}
		case e.arrival.answered != nil:
			e.from.answered(e.arrival)
		case e.arrival.in != nil:
			m, err := unpackPlain(e.arrival.payload)
			must(s.t, err)
			var n int64
			must(s.t, m.Params.Decode(&n))
			s.requests = append(s.requests, n)
			s.later(e.from.link, e.arrival.in, packReply(carrier.Done(n), 40))
		}
	}
}

// harm returns what becomes of bytes on the line.
func (s *sim) harm(data []byte) []byte {
	out := make([]byte, 0, len(data)+8)
	for _, b := range data {
		switch x := s.rng.Float64(); {
		case x < s.damage:
			out = append(out, b^byte(1<<s.rng.IntN(8)))
		case x < s.damage*1.1: // lost
		case x < s.damage*1.2:
			out = append(out, b, b)
		case x < s.damage*1.3:
			out = append(out, b, byte(s.rng.IntN(256)))
		default:
			out = append(out, b)
		}
	}
	if s.rng.Float64() < s.damage { // the whole piece twice
		out = append(out, out...)
	}
	return out
}

// deliver gives the receiver what arrives. Of damaged frames a CRC of 16 bits lets one in 65,536 pass; the sim,
// which knows what was sent, takes these out.
func (s *sim) deliver(w *wire, to station, data []byte) {
	w.in.limit = 2 * limitFrame
	w.in.feed(data, func(chunk []byte, _ bool) {
		session := s.device.line.link.session
		if to == station(s.hub) && s.connected != nil {
			session = s.connected.link.session
		}
		if _, err := parseFrame(append([]byte(nil), chunk...), session); err == nil && !w.sent[string(chunk)] {
			return
		}
		to.receive(s.now, append(append([]byte(nil), chunk...), 0))
	})
}

func (s *sim) transfer(w *wire, data []byte) {
	if w.sent == nil {
		w.sent = make(map[string]bool)
	}
	for chunk := range bytes.SplitSeq(data, []byte{0}) {
		w.sent[string(chunk)] = true
	}
	w.busy = s.now.Add(time.Duration(len(data)) * simByte)
	if s.now.Before(s.cut) {
		return
	}
	w.flight = append(w.flight, parcel{w.busy.Add(time.Millisecond), s.harm(data)})
}

// step does what is to be done now, and goes on to the next moment at which there is something.
func (s *sim) step() {
	next := s.now.Add(10 * time.Millisecond)
	soon := func(t time.Time) {
		if !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	rest := s.pending[:0]
	for _, p := range s.pending {
		if p.at.After(s.now) {
			rest = append(rest, p)
			soon(p.at)
		} else {
			p.do()
		}
	}
	s.pending = rest
	ends := []struct {
		*wire
		from, to station
	}{{&s.toHub, s.device, s.hub}, {&s.toDev, s.hub, s.device}}
	for _, w := range ends {
		for len(w.flight) > 0 && !w.flight[0].at.After(s.now) {
			data := w.flight[0].data
			w.flight = w.flight[1:]
			s.deliver(w.wire, w.to, data)
		}
	}
	s.owner()
	s.device.ending.Wait()
	for _, w := range ends {
		if !s.now.Before(w.busy) {
			data, wake := w.from.pull(s.now, nil)
			if len(data) > 0 {
				s.transfer(w.wire, data)
			} else {
				soon(wake)
			}
		}
		if s.now.Before(w.busy) {
			soon(w.busy)
		}
		if len(w.flight) > 0 {
			soon(w.flight[0].at)
		}
	}
	s.owner()
	s.now = latest(next, s.now.Add(10*time.Microsecond))
}

// load reports, asks and tells something now and then.
func (s *sim) load() {
	d := s.device
	if s.rng.IntN(3) == 0 && len(d.ring.room) < cap(d.ring.room) {
		// The value is the time it was taken, in milliseconds and never twice.
		if ms := s.now.Sub(time.Unix(1e9, 0)).Milliseconds(); ms > s.reported {
			s.reported = ms
			s.queued++
			must(s.t, d.Report(context.Background(), "s", "e", ms, func(err error) {
				if err == nil {
					s.acked[ms] = true
				}
			}))
		}
	}
	if p := s.connected; p != nil && s.rng.IntN(8) == 0 && len(p.link.out.frames) < maxWindow {
		s.asked++
		payload, err := packPlain(&carrier.Message{Method: "x", Params: carrier.ValueOf(s.asked)})
		must(s.t, err)
		p.link.send(frameMessage, uint64(s.asked), payload)
	}
	if d.hub != nil && s.rng.IntN(8) == 0 && d.hub.calls.Outstanding() < d.line.link.limits.window {
		s.told++
		n := s.told
		m := &carrier.Message{Method: "x", Params: carrier.ValueOf(n)}
		must(s.t, d.Transmit(context.Background(), d.hubID, m, func(r carrier.Reply, err error) {
			if err != nil {
				return
			}
			s.confirmed++
			var got int64
			if err := r.Response.Decode(&got); err != nil || got != n {
				s.t.Errorf("message %d is answered with %v", n, r.Response)
			}
		}))
	}
}

// unplug cuts the line for a while: unseen, or seen by one end or both.
func (s *sim) unplug() {
	if s.rng.IntN(2) == 0 {
		s.cut = s.now.Add(time.Duration(s.rng.IntN(6000)) * time.Millisecond)
	}
	s.toHub.flight, s.toDev.flight = nil, nil
	if s.rng.IntN(2) == 0 {
		s.hub.drop(carrier.ErrUnplugged)
		s.hub.opened()
	}
	if s.rng.IntN(2) == 0 {
		s.device.line.lost(carrier.ErrUnplugged)
		s.device.line.opened(s.now)
	}
}

// reset starts the device anew. If nothing is kept its clock starts anew, too.
func (s *sim) reset(kept bool) {
	s.resets++
	s.device.Reset(kept)
	s.owner()
	if !kept {
		s.device.start = s.now
	}
	s.device.line.opened(s.now) // in virtual time
}

func rising(what string, got []int64) error {
	for i := 1; i < len(got); i++ {
		if got[i] <= got[i-1] {
			return fmt.Errorf("%s: %d comes after %d", what, got[i], got[i-1])
		}
	}
	return nil
}

// TestLossyLine: over a line that flips, drops, doubles and invents bytes, and is cut again and again, from a device
// that is reset, every reading that is acknowledged was delivered once and in its order, and nothing is executed twice.
// A reset that the device's memory survives loses nothing.
func TestLossyLine(t *testing.T) {
	seeds := uint64(60)
	if testing.Short() {
		seeds = 20
	}
	resets := 0
	for seed := range seeds {
		kept, cold := seed/4%2 == 1, seed/8%2 == 1
		damage := []float64{0, 0.0005, 0.002, 0.004}[seed%4]
		s := newSim(t, seed, damage)
		steps := 0
		for end := s.now.Add(30 * time.Second); s.now.Before(end); steps++ {
			s.step()
			s.load()
			if s.rng.IntN(3000) == 0 {
				s.unplug()
			}
			if s.rng.IntN(1500) == 0 && (kept || cold) {
				s.reset(kept && (!cold || s.rng.IntN(2) == 0))
			}
		}
		s.damage, s.cut = 0, time.Time{}
		for end := s.now.Add(30 * time.Second); s.now.Before(end) && len(s.device.ring.room) > 0; {
			s.step()
		}
		for what, got := range map[string][]int64{"readings": s.readings, "messages": s.messages, "requests": s.requests} {
			if err := rising(what, got); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
		}
		if n := len(s.device.ring.room); n > 0 {
			t.Errorf("seed %d: %d readings are not acknowledged", seed, n)
		}
		delivered := make(map[int64]bool)
		for _, n := range s.readings {
			delivered[n] = true
		}
		for n := range s.acked {
			if !delivered[n] {
				t.Errorf("seed %d: reading %d is acknowledged and was not delivered", seed, n)
			}
		}
		if len(s.acked)+s.forgotten != s.queued {
			t.Errorf("seed %d: of %d readings %d were acknowledged and %d forgotten", seed, s.queued, len(s.acked), s.forgotten)
		}
		if !cold && (len(s.readings) != s.queued || s.forgotten > 0) {
			t.Errorf("seed %d: of %d readings %d were delivered and %d forgotten", seed, s.queued, len(s.readings), s.forgotten)
		}
		resets += s.resets
		if int64(len(s.messages)) < s.confirmed || len(s.requests) < s.ended {
			t.Errorf("seed %d: %d messages delivered, %d answered; %d requests executed, %d answered",
				seed, len(s.messages), s.confirmed, len(s.requests), s.ended)
		}
		if len(s.acked) < 10 || s.confirmed < 10 || s.ended < 10 {
			t.Errorf("seed %d: hardly anything got through: %d readings, %d messages, %d requests in %d steps", seed, len(s.acked), s.confirmed, s.ended, steps)
		}
		if t.Failed() {
			return
		}
	}
	if resets < int(seeds) {
		t.Errorf("the devices were reset %d times", resets)
	}
}
