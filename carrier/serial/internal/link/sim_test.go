package link

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/wire"
)

// A sim is a hub's line and a device over a line that damages what it carries, in virtual time and with chance
// from a seed.
type sim struct {
	t    *testing.T
	seed uint64
	rng  *rand.Rand
	now  time.Time

	hub    *HubEnd
	window int // the hub's
	device *simDevice
	toHub  direction
	toDev  direction

	damage  float64 // chance that a byte is flipped, and a tenth of it for each other harm
	cut     time.Time
	pending []delayed // replies that come later

	echoes      bool // each end hears what it sends
	fastest     int  // the fastest rate that the line carries
	offersRates bool // the hub offers faster rates

	readings   []int64 // delivered at the hub, in order
	messages   []int64 // delivered at the hub
	requests   []int64 // executed by the device
	connected  *Device
	ended      int // requests of the hub that were answered or given up
	asked      int64
	told       int64
	reported   int64
	queued     int                                // readings reported
	acked      map[int64]bool                     // readings acknowledged
	forgotten  int                                // readings that ended with a reset
	refusals   bool                               // some frames are refused, as if their dictionary were not known
	refused    int                                // readings that ended so
	prompt     bool                               // frames are answered at once, not some of them later
	resyncs    int                                // frames whose ticks were not known
	onDamage   func(chunk []byte, at time.Time)   // nil, or told what was damaged on its way to the hub, and arrives then
	onReadings func(payload []byte, at time.Time) // nil, or told of EVT frames that are handed on
	resets     int
	confirmed  int64 // messages of the device that were answered
	journal    *simJournal
}

// A lineEnd is what a HubEnd and a DeviceEnd have in common.
type lineEnd interface {
	Receive(now time.Time, data []byte) bool
	Pull(now time.Time, dst []byte) ([]byte, time.Time)
	Rate() int
	RateSet(now time.Time, rate int, err error)
}

type delayed struct {
	at time.Time
	do func()
}

// A direction is one direction of the line.
type direction struct {
	busy   time.Time // until then bytes leave the sender
	flight []parcel
	sent   map[string]bool // what was put between two zeros
	in     wire.Deframer
	began  time.Time // when what is in it began to arrive
}

type parcel struct {
	at   time.Time
	data []byte
	rate int // of the sender
}

// byteTime is how long a line of a rate takes for n bytes.
func byteTime(n, rate int) time.Duration {
	return time.Duration(n) * 10 * time.Second / time.Duration(rate)
}

func newSim(t *testing.T, seed uint64, damage float64) *sim {
	s := &sim{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), fastest: 1e9, now: time.Unix(1e9, 0), damage: damage, acked: make(map[int64]bool)}
	s.window = 1 + s.rng.IntN(wire.MaxWindow)
	s.hub = s.newHub()
	s.device = newSimDevice(func() time.Time { return s.now }, 1+s.rng.IntN(wire.MaxWindow), wire.MinFrame+s.rng.IntN(200))
	s.device.Opened(s.now, false)
	return s
}

func (s *sim) newHub() *HubEnd {
	return newTestHub(simEvents{s}, func(c *HubConfig) {
		c.Window, c.Random = s.window, func() uint16 { return uint16(s.rng.Uint32()) }
	})
}

// hasten lets both ends change their rates.
func (s *sim) hasten(fastest, most int) {
	s.offersRates, s.fastest = true, most
	s.hub.rates.settable = true
	s.device.rates.settable, s.device.rates.fastest, s.device.Fastest = true, fastest, fastest
}

// simEvents make the sim the hub's owner.
type simEvents struct{ *sim }

func (e simEvents) Connected(_ time.Time, l *HubEnd, d *Device) {
	e.sim.connected = d
	if e.sim.offersRates {
		l.OfferFasterRates()
	}
}

func (e simEvents) Disconnected(*Device, error)                 { e.sim.connected = nil }
func (e simEvents) Forgot(*Device)                              {}
func (e simEvents) Arrived(now time.Time, d *Device, a Arrival) { e.sim.arrived(now, d, a) }

func (s *sim) arrived(now time.Time, d *Device, a Arrival) {
	switch {
	case a.Answered != nil:
		s.ended++
		if r := wire.UnpackReply(a.Reply); r.Status == carrier.StatusDone {
			var got int64
			if err := r.Response.Decode(&got); err != nil || got != int64(a.Answered.ID) {
				s.t.Fatalf("request %d is answered with %v", a.Answered.ID, r.Response)
			}
		}
	case a.Kind == wire.FrameEvent:
		dict := s.device.dict
		if s.refusals && s.rng.IntN(100) == 0 {
			dict = nil
		}
		rs, err := d.Readings(now, a, dict)
		switch {
		case errors.Is(err, wire.ErrNoTicks):
			s.resyncs++
			d.Link.Consumed()
			return
		case errors.Is(err, ErrNoDictionary):
			s.settle(d, a.In, wire.PackReply(carrier.Failed(err), 200), func() {})
			return
		}
		must(s.t, err)
		if s.onReadings != nil {
			s.onReadings(a.Payload, now)
		}
		var taken []int64
		for _, r := range rs {
			var n int64
			must(s.t, wire.Scale(r.Value, 0).Decode(&n))
			taken = append(taken, n)
			want := time.Unix(1e9, 0).Add(time.Duration(n) * time.Millisecond)
			if off := r.Time.Sub(want).Abs(); off > r.Uncertainty+time.Millisecond {
				s.t.Fatalf("seed %d: reading of %v is stamped %v, off by %v, though sure to %v", s.seed, want, r.Time, off, r.Uncertainty)
			}
		}
		s.settle(d, a.In, nil, func() { s.readings = append(s.readings, taken...) })
	default:
		m, err := wire.UnpackMessage(a.Payload)
		must(s.t, err)
		var n int64
		must(s.t, m.Params.Decode(&n))
		s.settle(d, a.In, wire.PackReply(carrier.Done(n), 200), func() { s.messages = append(s.messages, n) })
	}
}

// later answers a frame at once, or some time later, even after the connection has gone.
func (s *sim) later(l *Link, in *Incoming, reply []byte) {
	l.Consumed()
	if s.prompt || s.rng.IntN(4) > 0 {
		l.Answer(in, reply)
		return
	}
	s.pending = append(s.pending, delayed{s.now.Add(time.Duration(s.rng.IntN(300)) * time.Millisecond), func() { l.Answer(in, reply) }})
}

// owner deals with what the device's link has told its owner.
func (s *sim) owner() {
	sd := s.device
	for len(sd.events) > 0 {
		e := sd.events[0]
		sd.events = sd.events[1:]
		switch {
		case e.readings != nil:
			for _, r := range e.readings {
				switch {
				case errors.Is(e.err, carrier.ErrReset):
					s.forgotten++
				case e.err != nil && s.refusals && errors.Is(e.err, carrier.ErrMalformed):
					s.refused++
				case e.err != nil:
					s.t.Fatalf("a reading ends with %v", e.err)
				}
				r.End(e.err)
				sd.waiting--
			}
		case e.arrival.Answered != nil:
			e.calls.Answer(e.arrival.Answered.ID, wire.UnpackReply(e.arrival.Reply))
		case e.arrival.In != nil:
			m, err := wire.UnpackMessage(e.arrival.Payload)
			must(s.t, err)
			var n int64
			must(s.t, m.Params.Decode(&n))
			s.requests = append(s.requests, n)
			s.later(e.link, e.arrival.In, wire.PackReply(carrier.Done(n), 40))
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

// garbage is what a receiver at a rate makes of what is on the line for some time at another one.
func (s *sim) garbage(on time.Duration, rate int) []byte {
	b := make([]byte, 1+int(on/byteTime(1, rate)))
	for i := range b {
		b[i] = byte(s.rng.IntN(256))
	}
	return b
}

// deliver gives the receiver what arrives. Of damaged frames a CRC of 16 bits lets one in 65,536 pass; the sim,
// which knows what was sent, takes these out.
func (s *sim) deliver(w *direction, to lineEnd, data []byte) {
	w.in.Limit = 2 * wire.MaxFrame
	if w.in.Empty() {
		w.began = s.now
	}
	w.in.Feed(data, func(chunk []byte, _ bool) {
		from, session := wire.Hub, s.device.Link.session
		if to == lineEnd(s.hub) {
			from = wire.Device
			if s.connected != nil {
				session = s.connected.Link.session
			}
		}
		if _, err := wire.ParseFrame(append([]byte(nil), chunk...), from, session); err == nil && !w.sent[string(chunk)] {
			return
		}
		to.Receive(w.began, append([]byte(nil), chunk...))
		to.Receive(s.now, []byte{0})
		w.began = s.now
	})
}

func (s *sim) transfer(w *direction, data []byte) {
	if w.sent == nil {
		w.sent = make(map[string]bool)
	}
	w.busy = s.now
	rate := s.hub.rates.now
	if w == &s.toHub {
		rate = s.device.rates.now
	}
	for chunk := range bytes.SplitAfterSeq(data, []byte{0}) {
		w.sent[string(bytes.TrimSuffix(chunk, []byte{0}))] = true
		w.busy = w.busy.Add(byteTime(len(chunk), rate))
		if s.now.Before(s.cut) {
			continue
		}
		p := parcel{w.busy.Add(time.Millisecond), s.harm(chunk), rate}
		w.flight = append(w.flight, p)
		if s.onDamage != nil && w == &s.toHub && !bytes.Equal(p.data, chunk) {
			s.onDamage(chunk, p.at)
		}
	}
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
		*direction
		from, to lineEnd
		hears    func() *lineRate
	}{
		{&s.toHub, s.device, s.hub, func() *lineRate { return &s.hub.rates.lineRate }},
		{&s.toDev, s.hub, s.device, func() *lineRate { return &s.device.rates.lineRate }},
	}
	for _, w := range ends {
		for len(w.flight) > 0 && !w.flight[0].at.After(s.now) {
			p := w.flight[0]
			w.flight = w.flight[1:]
			if rate := w.hears().now; p.rate != rate || p.rate > s.fastest {
				w.to.Receive(s.now, s.garbage(byteTime(len(p.data), p.rate), rate))
			} else {
				s.deliver(w.direction, w.to, p.data)
				if s.echoes {
					w.from.Receive(s.now, bytes.Clone(p.data))
				}
			}
		}
	}
	s.owner()
	for _, w := range ends {
		if !s.now.Before(w.busy) {
			data, wake := w.from.Pull(s.now, nil)
			if len(data) > 0 {
				s.transfer(w.direction, data)
			} else if rate := w.from.Rate(); rate != 0 {
				w.from.RateSet(s.now, rate, nil)
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
	sd := s.device
	if s.rng.IntN(3) == 0 && sd.waiting < simRoom {
		// The value is the time it was taken, in milliseconds and never twice.
		if ms := s.now.Sub(time.Unix(1e9, 0)).Milliseconds(); ms > s.reported {
			s.reported = ms
			s.queued++
			sd.take(ms, func(err error) {
				if err == nil {
					s.acked[ms] = true
				}
			})
		}
	}
	if d := s.connected; d != nil && s.rng.IntN(8) == 0 && len(d.Link.out.frames) < wire.MaxWindow {
		s.asked++
		payload, err := wire.PackMessage(&carrier.Message{Method: "x", Params: carrier.ValueOf(s.asked)})
		must(s.t, err)
		d.Link.Send(wire.FrameMessage, uint64(s.asked), payload)
	}
	if sd.calls != nil && s.rng.IntN(8) == 0 && sd.calls.Outstanding() < sd.Link.limits.window {
		s.told++
		n := s.told
		payload, err := wire.PackMessage(&carrier.Message{Method: "x", Params: carrier.ValueOf(n)})
		must(s.t, err)
		id, err := sd.calls.Begin(context.Background(), func(r carrier.Reply, err error) {
			if err != nil {
				return
			}
			s.confirmed++
			var got int64
			if err := r.Response.Decode(&got); err != nil || got != n {
				s.t.Errorf("message %d is answered with %v", n, r.Response)
			}
		})
		must(s.t, err)
		sd.Link.Send(wire.FrameMessage, id, payload)
	}
}

// unplug cuts the line for a while: unseen, or seen by one end or both.
func (s *sim) unplug() {
	if s.rng.IntN(2) == 0 {
		s.cut = s.now.Add(time.Duration(s.rng.IntN(6000)) * time.Millisecond)
	}
	s.toHub.flight, s.toDev.flight = nil, nil
	if s.rng.IntN(2) == 0 {
		s.hub.Drop(carrier.ErrUnplugged)
		s.hub.Opened(s.hub.rates.settable)
	}
	if s.rng.IntN(2) == 0 {
		s.device.Closed(carrier.ErrUnplugged)
		s.device.Opened(s.now, s.device.rates.settable)
	}
}

// reset starts the device anew. If nothing is kept its clock starts anew, too: anywhere, because this takes no time, and
// answers to what it said before are still on the line.
func (s *sim) reset(kept bool) {
	s.resets++
	s.device.Reset(s.now, kept, s.device.Hello.Boot+1<<24)
	s.owner()
	if !kept {
		s.device.start = s.now.Add(-time.Duration(s.rng.IntN(1e6)) * time.Millisecond)
	}
	s.device.restart(s.now) // again: the clock has changed
}
