package serial

import (
	"fmt"
	"math"
	"time"

	"sighub/carrier"
)

const (
	helloEvery  = 500 * time.Millisecond
	helloSlower = time.Second // after this many tries
	helloTries  = 10
)

// A deviceLine is the device's end of a line: it says HELLO until the hub answers, and again when the line has gone bad;
// it gives the hub its dictionary, and keeps readings until the hub has acknowledged them. It does nothing by itself.
type deviceLine struct {
	deviceConfig
	owner deviceOwner
	link  *link
	ring  ring
	stats deviceStats

	open      bool // there is a port
	saying    bool // HELLO was not answered yet
	kept      bool // HELLO says that readings were kept
	welcomed  bool // HELLO was answered since the device was started
	hub       byte // whose numbers are gone on with
	since     uint32
	tries     int
	next      time.Time // of the next HELLO
	connected bool      // to a hub that was not lost since
	in        deframer
	out       transmitter
	rates     deviceRates
	bad       int // frames in a row
}

// A deviceConfig is what a device's end is made with.
type deviceConfig struct {
	hello      hello // as it is said after the first start, but for the ticks and the number expected
	dictionary []byte
	events     int                        // in the dictionary
	batch      int                        // readings in a frame at most
	ask        time.Duration              // silence after which to send a PING
	timeout    time.Duration              // silence after which the hub is gone
	baud       int                        // bits per second at which HELLO is said
	fastest    int                        // that the device can do; 0: none but baud
	ticks      func(now time.Time) uint32 // the device's clock
}

// deviceStats count a device's traffic: see device.Stats.
type deviceStats struct{ Sent, Acknowledged, Refused, Lost, Resent, BadFrames uint64 }

// A deviceOwner is told what happens at a device's end.
type deviceOwner interface {
	connected()
	disconnected(cause error)
	arrived(a arrival) // a message, or the answer to one

	// ended is told of readings that the hub has acknowledged, or that end with an error.
	ended(readings []*pendingReading, err error)
}

func newDeviceLine(c deviceConfig, owner deviceOwner) *deviceLine {
	l := &deviceLine{deviceConfig: c, owner: owner, ring: newRing(c.events, c.batch)}
	l.rates.lineRate = lineRate{base: c.baud, now: c.baud}
	l.boot(c.hello.boot)
	return l
}

// boot begins a session-less life under a boot number.
func (l *deviceLine) boot(number uint32) {
	l.hello.boot = number
	l.link = &link{askAfter: l.ask, baud: l.baud, ticks: l.ticks}
	l.rates = deviceRates{lineRate: lineRate{free: l.rates.free, base: l.baud, now: l.rates.now}, fastest: l.fastest}
	l.open, l.saying, l.kept, l.welcomed, l.hub = false, false, false, false, 0
}

// reset does what the reset of a microcontroller does: the device begins anew under another boot number. It forgets
// everything, and readings that were not acknowledged end; unless they are kept, as in memory that the reset leaves
// alone: then only the connection and its messages end.
func (l *deviceLine) reset(now time.Time, kept bool, boot uint32) {
	former, open := *l, l.open
	l.disconnect(carrier.ErrReset)
	l.stats.Resent += l.link.stats.resent
	if !kept {
		l.abandon(carrier.ErrReset)
	}
	l.boot(boot)
	if kept {
		l.link.out, l.hub = former.link.out, former.hub
		// Until a hub has heard of the reset that kept nothing, that is what it must be told.
		l.kept = former.welcomed || former.kept
	}
	if open {
		l.opened(now)
		// An answer to the HELLO before may be under way: from the next tick on it is told from those to come.
		l.since++
		l.next = l.next.Add(time.Second / time.Duration(l.hello.ticksPerSecond))
	}
}

// opened begins anew on a port that was just opened.
func (l *deviceLine) opened(now time.Time) {
	l.open = true
	l.in.limit = limitFrame
	l.in.reset()
	l.out = transmitter{}
	l.link.baud = l.rates.now
	l.say(now)
}

// closed ends the connection: the port is gone, or its owner stops.
func (l *deviceLine) closed(cause error) {
	l.open, l.saying = false, false
	l.disconnect(cause)
}

func (l *deviceLine) disconnect(cause error) {
	l.link.end()
	if l.connected {
		l.connected = false
		l.link.out.abandon(frameMessage)
		l.owner.disconnected(cause)
	}
}

// say begins to say HELLO.
func (l *deviceLine) say(now time.Time) {
	l.rates.settle()
	l.saying, l.since, l.tries, l.next, l.bad = true, l.link.ticks(now), 0, now, 0
}

// receive takes bytes as they were read. pull may always have something to give for them.
func (l *deviceLine) receive(now time.Time, data []byte) bool {
	l.in.feed(data, func(chunk []byte, whole bool) {
		f, err := parseFrame(chunk, l.link.session)
		switch {
		case err != nil || !whole:
			l.stats.BadFrames++
			if !l.rates.until.IsZero() {
				return // at a rate that may be no good
			}
			l.link.damaged()
			if l.bad++; l.bad >= badFrames && !l.saying {
				l.say(now)
			}
		case f.kind == frameHello && len(f.payload) == 0:
			if !l.saying {
				l.say(now)
			}
		case f.kind == frameHello:
			if w, err := parseWelcome(f.payload); err == nil && l.saying && l.mine(now, w.echo) {
				l.begin(now, w)
			}
		case f.kind == frameEvent: // it is ours: nobody is at the other end
		case l.link.session != 0:
			l.bad, l.rates.until = 0, time.Time{}
			if f.kind == frameBaud {
				l.link.hear(now)
				l.rates.offered(f)
				return
			}
			for _, a := range l.link.receive(now, f, nil) {
				l.arrived(a)
			}
		}
	})
	return true
}

// arrived answers what asks for the dictionary, at once and whatever the owner is doing, and notes what became of
// readings. Everything else is the owner's.
func (l *deviceLine) arrived(a arrival) {
	switch {
	case a.pong != nil:
	case a.answered != nil && a.answered.kind == frameEvent:
		l.acknowledged(a)
	case a.in != nil && l.fetched(a):
	default:
		l.owner.arrived(a)
	}
}

// acknowledged ends the readings of a frame that the hub has answered.
func (l *deviceLine) acknowledged(a arrival) {
	readings := l.ring.land(a.answered.id)
	err := unpackReply(a.reply).Err()
	for _, r := range readings {
		switch {
		case r.gap:
		case err != nil:
			l.stats.Refused++
		default:
			l.stats.Acknowledged++
		}
	}
	l.ended(readings, err)
}

// fetched answers a message that asks for a piece of the dictionary, and reports whether it is one.
func (l *deviceLine) fetched(a arrival) bool {
	method, params, ok := unpackCompact(a.payload)
	if !ok || method != fetchMethod {
		return false
	}
	in := items{rest: params}
	offset := in.uint("the offset", math.MaxUint32)
	limit := l.link.payloadLimit()
	reply := carrier.Done(pieceOf(l.dictionary, offset, limit))
	if in.err != nil {
		reply = carrier.Failed(in.err)
	}
	l.link.consumed()
	l.link.answer(a.in, packReply(reply, limit))
	return true
}

// mine tells whether ticks were said in this series of HELLOs: not in one before it, nor before a reset.
func (l *deviceLine) mine(now time.Time, ticks uint32) bool {
	return int32(ticks-l.since) >= 0 && int32(l.link.ticks(now)-ticks) >= 0
}

// begin begins the session that the hub has given. What another hub expects says nothing of what it has, for numbers
// come again.
func (l *deviceLine) begin(now time.Time, w welcome) {
	l.saying, l.welcomed, l.bad = false, true, 0
	known := w.known && w.hub() == l.hub
	l.hub = w.hub()
	if !known && l.connected {
		l.disconnect(fmt.Errorf("%w: the hub does not know this device any more", carrier.ErrReset))
	}
	if !known || !l.link.out.resume(w.expects) {
		l.ring.restart(l.link.out.renumber(w.expects, frameEvent))
	}
	l.link.begin(now, w.session, limits{
		maxFrame: min(w.maxFrame, l.hello.maxFrame),
		window:   min(w.window, l.hello.window),
		bytes:    limitFrame * maxWindow,
	})
	if !l.connected {
		l.connected = true
		l.owner.connected()
	}
}

// pull appends what is to be written now, and returns when it should be asked again at the latest.
func (l *deviceLine) pull(now time.Time, dst []byte) ([]byte, time.Time) {
	if !l.open {
		return dst, time.Time{}
	}
	if silent := l.link.heard.Add(l.timeout); !l.saying && !now.Before(silent) {
		l.disconnect(fmt.Errorf("%w: nothing was heard from the hub for %v", carrier.ErrTimeout, l.timeout))
		l.say(now)
	} else if l.saying && l.connected && !now.Before(silent) {
		l.disconnect(fmt.Errorf("%w: the hub does not answer", carrier.ErrTimeout))
	}
	l.rates.advance(now)
	dst = l.out.fill(now, dst, func(dst []byte) []byte {
		switch {
		case l.rates.want != 0:
			return dst
		case !l.saying && l.rates.due:
			return l.rates.answer(dst, l.link)
		case !l.saying:
			l.refill()
			return l.link.pull(now, dst)
		case now.Before(l.next):
			return dst
		}
		l.tries++
		l.next = now.Add(helloEvery)
		if l.tries > helloTries {
			l.next = now.Add(helloSlower)
		}
		h := l.hello
		h.kept, h.ticks, h.expects = l.kept, l.ticks(now), l.link.in.next
		if l.rates.free {
			h.fastest = uint32(l.rates.fastest)
		}
		return appendFrame(dst, crcStart, frame{kind: frameHello, payload: h.pack()})
	})
	switch silent := l.link.heard.Add(l.timeout); {
	case !l.saying && !l.rates.until.IsZero():
		return dst, earliest(l.rates.until, earliest(l.link.wake(), silent))
	case !l.saying:
		return dst, earliest(l.link.wake(), silent)
	case l.connected:
		return dst, earliest(l.next, silent)
	default:
		return dst, l.next
	}
}

// report queues a reading.
func (l *deviceLine) report(r *pendingReading) { l.ring.queued = append(l.ring.queued, r) }

// displace queues a reading in the place of another one, which it returns: see ring.displace.
func (l *deviceLine) displace(r *pendingReading) (dropped *pendingReading) {
	l.stats.Lost++
	return l.ring.displace(r)
}

// abandon ends all readings.
func (l *deviceLine) abandon(cause error) {
	l.ended(l.ring.clear(), fmt.Errorf("the reading was not acknowledged: %w", cause))
}

func (l *deviceLine) ended(readings []*pendingReading, err error) {
	if len(readings) > 0 {
		l.owner.ended(readings, err)
	}
}

// refill makes frames of readings: as late as possible, so that many share one. Messages go first, but keep room for one
// frame of readings.
func (l *deviceLine) refill() {
	for !l.ring.empty() {
		unsent := len(l.link.out.frames) - l.link.out.flying
		if len(l.ring.flying) > 0 && (unsent > 0 || l.link.out.flying >= l.link.limits.window) {
			return
		}
		payload, id, tooLarge := l.ring.pack(l.link.payloadLimit())
		if tooLarge != nil {
			l.ended([]*pendingReading{tooLarge}, fmt.Errorf("%w: the hub takes frames of %d bytes", carrier.ErrTooLarge, l.link.limits.maxFrame))
			continue
		}
		for _, r := range l.ring.flying[id] {
			if !r.again && !r.gap {
				l.stats.Sent++
			}
		}
		l.link.send(frameEvent, id, payload)
	}
}

// count returns what was counted since the device was made.
func (l *deviceLine) count() deviceStats {
	s := l.stats
	s.Resent += l.link.stats.resent
	return s
}

// expire and finish do nothing: a device waits for its hub, and ends at once, as when its power is cut.
func (l *deviceLine) expire(time.Time) {}
func (l *deviceLine) finish() bool     { return true }

// rate and rated make the line's rate that which is wanted.
func (l *deviceLine) rate() int { return l.rates.want }

func (l *deviceLine) rated(now time.Time, rate int, err error) {
	l.rates.changed(now, rate, err)
	l.link.baud = l.rates.now
	l.in.reset()
	l.out = transmitter{}
	if l.saying { // it has begun to meanwhile
		l.rates.settle()
	}
}
