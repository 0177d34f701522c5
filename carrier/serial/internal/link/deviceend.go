package link

import (
	"fmt"
	"math"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/wire"
)

const (
	helloEvery  = 500 * time.Millisecond
	helloSlower = time.Second // after this many tries
	helloTries  = 10
)

// A DeviceEnd is the device's end of a line: it says HELLO until the hub answers, and again when the line has gone bad;
// it gives the hub its dictionary, and keeps readings until the hub has acknowledged them. It does nothing by itself.
type DeviceEnd struct {
	DeviceConfig
	owner DeviceOwner
	Link  *Link
	ring  ring
	stats DeviceStats

	open      bool // there is a port
	saying    bool // HELLO was not answered yet
	kept      bool // HELLO says that readings were kept
	welcomed  bool // HELLO was answered since the device was started
	hub       byte // whose numbers are gone on with
	since     uint32
	tries     int
	next      time.Time // of the next HELLO
	connected bool      // to a hub that was not lost since
	in        wire.Deframer
	out       wire.Transmitter
	rates     deviceRates
	badInRow  int // frames in a row
}

// A DeviceConfig is what a device's end is made with.
type DeviceConfig struct {
	Hello      wire.Hello // as it is said after the first start, but for the ticks and the number expected
	Dictionary []byte
	Events     int                        // in the dictionary
	Batch      int                        // readings in a frame at most
	Ask        time.Duration              // silence after which to send a PING
	Timeout    time.Duration              // silence after which the hub is gone
	Baud       int                        // bits per second at which HELLO is said
	Fastest    int                        // that the device can do; 0: none but baud
	Ticks      func(now time.Time) uint32 // the device's clock
}

// Stats count a device's traffic: see device.Stats.
type DeviceStats struct{ Sent, Acknowledged, Refused, Lost, Resent, BadFrames uint64 }

// A DeviceOwner is told what happens at a device's end.
type DeviceOwner interface {
	Connected()
	Disconnected(cause error)
	Arrived(a Arrival) // a message, or the answer to one

	// ended is told of readings that the hub has acknowledged, or that end with an error.
	Ended(readings []*PendingReading, err error)
}

func NewDeviceEnd(c DeviceConfig, owner DeviceOwner) *DeviceEnd {
	l := &DeviceEnd{DeviceConfig: c, owner: owner, ring: newRing(c.Events, c.Batch)}
	l.rates.lineRate = lineRate{base: c.Baud, now: c.Baud}
	l.boot(c.Hello.Boot)
	return l
}

// boot begins a session-less life under a boot number.
func (l *DeviceEnd) boot(number uint32) {
	l.Hello.Boot = number
	l.Link = &Link{askAfter: l.Ask, baud: l.Baud, ticks: l.Ticks}
	l.rates = deviceRates{lineRate: lineRate{free: l.rates.free, base: l.Baud, now: l.rates.now}, fastest: l.Fastest}
	l.open, l.saying, l.kept, l.welcomed, l.hub = false, false, false, false, 0
}

// Reset does what the Reset of a microcontroller does: the device begins anew under another boot number. It forgets
// everything, and readings that were not acknowledged end; unless they are kept, as in memory that the Reset leaves
// alone: then only the connection and its messages end.
func (l *DeviceEnd) Reset(now time.Time, kept bool, boot uint32) {
	former, open := *l, l.open
	l.disconnect(carrier.ErrReset)
	l.stats.Resent += l.Link.Stats.Resent
	if !kept {
		l.Abandon(carrier.ErrReset)
	}
	l.boot(boot)
	if kept {
		l.Link.out, l.hub = former.Link.out, former.hub
		// Until a hub has heard of the reset that kept nothing, that is what it must be told.
		l.kept = former.welcomed || former.kept
	}
	if open {
		l.begin(now)
		// An answer to the HELLO before may be under way: from the next tick on it is told from those to come.
		l.since++
		l.next = l.next.Add(time.Second / time.Duration(l.Hello.TicksPerSecond))
	}
}

// Opened begins anew on a port that was just Opened, and whose rate may be changed or not.
func (l *DeviceEnd) Opened(now time.Time, settable bool) {
	l.rates.start(l.Baud)
	l.rates.free = settable && l.Fastest > 0
	l.begin(now)
}

// begin begins anew on an open port.
func (l *DeviceEnd) begin(now time.Time) {
	l.open = true
	l.in.Limit = wire.MaxFrame
	l.in.Reset()
	l.out = wire.Transmitter{}
	l.Link.baud = l.rates.now
	l.say(now)
}

// Closed ends the connection: the port is gone, or its owner stops.
func (l *DeviceEnd) Closed(cause error) {
	l.open, l.saying = false, false
	l.disconnect(cause)
}

func (l *DeviceEnd) disconnect(cause error) {
	l.Link.end()
	if l.connected {
		l.connected = false
		l.Link.out.abandon(wire.FrameMessage)
		l.owner.Disconnected(cause)
	}
}

// say begins to say HELLO.
func (l *DeviceEnd) say(now time.Time) {
	l.rates.settle()
	l.saying, l.since, l.tries, l.next, l.badInRow = true, l.Link.ticks(now), 0, now, 0
}

// Receive takes bytes as they were read. pull may always have something to give for them.
func (l *DeviceEnd) Receive(now time.Time, data []byte) bool {
	l.in.Feed(data, func(chunk []byte, whole bool) {
		f, err := wire.ParseFrame(chunk, l.Link.session)
		switch {
		case err != nil || !whole:
			l.stats.BadFrames++
			if !l.rates.until.IsZero() {
				return // at a rate that may be no good
			}
			l.Link.damaged()
			if l.badInRow++; l.badInRow >= badFrames && !l.saying {
				l.say(now)
			}
		case f.Kind == wire.FrameHello && len(f.Payload) == 0:
			if !l.saying {
				l.say(now)
			}
		case f.Kind == wire.FrameHello:
			if w, err := wire.ParseWelcome(f.Payload); err == nil && l.saying && l.mine(now, w.Echo) {
				l.accept(now, w)
			}
		case f.Kind == wire.FrameEvent: // it is ours: nobody is at the other end
		case l.Link.session != 0:
			l.badInRow, l.rates.until = 0, time.Time{}
			if f.Kind == wire.FrameBaud {
				l.Link.hear(now)
				l.rates.offered(f)
				return
			}
			for _, a := range l.Link.receive(now, f, nil) {
				l.arrived(a)
			}
		}
	})
	return true
}

// arrived answers what asks for the dictionary, at once and whatever the owner is doing, and notes what became of
// readings. Everything else is the owner's.
func (l *DeviceEnd) arrived(a Arrival) {
	switch {
	case a.pong != nil:
	case a.Answered != nil && a.Answered.kind == wire.FrameEvent:
		l.acknowledged(a)
	case a.In != nil && l.fetched(a):
	default:
		l.owner.Arrived(a)
	}
}

// acknowledged ends the readings of a frame that the hub has answered.
func (l *DeviceEnd) acknowledged(a Arrival) {
	readings := l.ring.land(a.Answered.ID)
	err := wire.UnpackReply(a.Reply).Err()
	for _, r := range readings {
		switch {
		case r.Gap:
		case err != nil:
			l.stats.Refused++
		default:
			l.stats.Acknowledged++
		}
	}
	l.ended(readings, err)
}

// fetched answers a message that asks for a piece of the dictionary, and reports whether it is one.
func (l *DeviceEnd) fetched(a Arrival) bool {
	method, params, ok := wire.UnpackNumbered(a.Payload)
	if !ok || method != wire.MethodFetch {
		return false
	}
	in := wire.Items{Rest: params}
	offset := in.Uint("the offset", math.MaxUint32)
	limit := l.Link.PayloadLimit()
	reply := carrier.Done(wire.DictionaryPiece(l.Dictionary, offset, limit))
	if in.Err != nil {
		reply = carrier.Failed(in.Err)
	}
	l.Link.Consumed()
	l.Link.Answer(a.In, wire.PackReply(reply, limit))
	return true
}

// mine tells whether ticks were said in this series of HELLOs: not in one before it, nor before a reset.
func (l *DeviceEnd) mine(now time.Time, ticks uint32) bool {
	return int32(ticks-l.since) >= 0 && int32(l.Link.ticks(now)-ticks) >= 0
}

// accept begins the session that the hub has given. What another hub expects says nothing of what it has, for numbers
// come again.
func (l *DeviceEnd) accept(now time.Time, w wire.Welcome) {
	l.saying, l.welcomed, l.badInRow = false, true, 0
	known := w.Known && w.Hub() == l.hub
	l.hub = w.Hub()
	if !known && l.connected {
		l.disconnect(fmt.Errorf("%w: the hub does not know this device any more", carrier.ErrReset))
	}
	if !known || !l.Link.out.resume(w.Expects) {
		l.ring.restart(l.Link.out.renumber(w.Expects, wire.FrameEvent))
	}
	l.Link.begin(now, w.Session, limits{
		maxFrame: min(w.MaxFrame, l.Hello.MaxFrame),
		window:   min(w.Window, l.Hello.Window),
		bytes:    wire.MaxFrame * wire.MaxWindow,
	})
	if !l.connected {
		l.connected = true
		l.owner.Connected()
	}
}

// Pull appends what is to be written now, and returns when it should be asked again at the latest.
func (l *DeviceEnd) Pull(now time.Time, dst []byte) ([]byte, time.Time) {
	if !l.open {
		return dst, time.Time{}
	}
	if silent := l.Link.heard.Add(l.Timeout); !l.saying && !now.Before(silent) {
		l.disconnect(fmt.Errorf("%w: nothing was heard from the hub for %v", carrier.ErrTimeout, l.Timeout))
		l.say(now)
	} else if l.saying && l.connected && !now.Before(silent) {
		l.disconnect(fmt.Errorf("%w: the hub does not answer", carrier.ErrTimeout))
	}
	l.rates.advance(now)
	dst = l.out.Fill(now, dst, func(dst []byte) []byte {
		switch {
		case l.rates.want != 0:
			return dst
		case !l.saying && l.rates.due:
			return l.rates.answer(dst, l.Link)
		case !l.saying:
			l.refill()
			return l.Link.pull(now, dst)
		case now.Before(l.next):
			return dst
		}
		l.tries++
		l.next = now.Add(helloEvery)
		if l.tries > helloTries {
			l.next = now.Add(helloSlower)
		}
		h := l.Hello
		h.Kept, h.Ticks, h.Expects = l.kept, l.Ticks(now), l.Link.in.next
		if l.rates.free {
			h.FastestBaud = uint32(l.rates.fastest)
		}
		return wire.AppendFrame(dst, wire.CRCStart, wire.Frame{Kind: wire.FrameHello, Payload: h.Pack()})
	})
	switch silent := l.Link.heard.Add(l.Timeout); {
	case !l.saying && !l.rates.until.IsZero():
		return dst, earliest(l.rates.until, earliest(l.Link.wake(), silent))
	case !l.saying:
		return dst, earliest(l.Link.wake(), silent)
	case l.connected:
		return dst, earliest(l.next, silent)
	default:
		return dst, l.next
	}
}

// Report queues a reading.
func (l *DeviceEnd) Report(r *PendingReading) { l.ring.queued = append(l.ring.queued, r) }

// Displace queues a reading in the place of another one, which it returns: see ring.Displace.
func (l *DeviceEnd) Displace(r *PendingReading) (dropped *PendingReading) {
	l.stats.Lost++
	return l.ring.displace(r)
}

// Abandon ends all readings.
func (l *DeviceEnd) Abandon(cause error) {
	l.ended(l.ring.clear(), fmt.Errorf("the reading was not acknowledged: %w", cause))
}

func (l *DeviceEnd) ended(readings []*PendingReading, err error) {
	if len(readings) > 0 {
		l.owner.Ended(readings, err)
	}
}

// refill makes frames of readings: as late as possible, so that many share one. Messages go first, but keep room for one
// frame of readings.
func (l *DeviceEnd) refill() {
	for !l.ring.empty() {
		unsent := len(l.Link.out.frames) - l.Link.out.flying
		if len(l.ring.flying) > 0 && (unsent > 0 || l.Link.out.flying >= l.Link.limits.window) {
			return
		}
		payload, id, tooLarge := l.ring.pack(l.Link.PayloadLimit())
		if tooLarge != nil {
			l.ended([]*PendingReading{tooLarge}, fmt.Errorf("%w: the hub takes frames of %d bytes", carrier.ErrTooLarge, l.Link.limits.maxFrame))
			continue
		}
		for _, r := range l.ring.flying[id] {
			if !r.resent && !r.Gap {
				l.stats.Sent++
			}
		}
		l.Link.Send(wire.FrameEvent, id, payload)
	}
}

// Count returns what was counted since the device was made.
func (l *DeviceEnd) Count() DeviceStats {
	s := l.stats
	s.Resent += l.Link.Stats.Resent
	return s
}

// Expire and finish do nothing: a device waits for its hub, and ends at once, as when its power is cut.
func (l *DeviceEnd) Expire(time.Time) {}
func (l *DeviceEnd) Finish() bool     { return true }

// Rate and rated make the line's Rate that which is wanted.
func (l *DeviceEnd) Rate() int { return l.rates.want }

func (l *DeviceEnd) RateSet(now time.Time, rate int, err error) {
	l.rates.changed(now, rate, err)
	l.Link.baud = l.rates.now
	l.in.Reset()
	l.out = wire.Transmitter{}
	if l.saying { // it has begun to meanwhile
		l.rates.settle()
	}
}
