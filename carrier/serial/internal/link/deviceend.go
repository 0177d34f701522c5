package link

import (
	"errors"
	"fmt"
	"math"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/wire"
)

const (
	helloEvery  = 500 * time.Millisecond
	helloSlower = time.Second // after helloTries
	helloTries  = 10
)

// A DeviceEnd is the device's end of a line. It says HELLO until the hub answers, and again when the line has gone bad; it
// gives the hub its dictionary, and keeps readings until the hub has acknowledged them.
type DeviceEnd struct {
	DeviceConfig
	owner DeviceOwner
	Link  *Link
	ring  ring
	batch batchSize
	stats DeviceStats

	open       bool // there is a port
	saying     bool // HELLO is said, and not answered yet
	kept       bool // HELLO says that the device has kept its readings
	welcomed   bool // HELLO has been answered since the device was started
	hub        byte // that knows the numbers of our frames
	helloSince uint32
	hellosSaid int
	nextHello  time.Time // when HELLO is due
	connected  bool      // the owner was told of the hub
	in         wire.Deframer
	out        wire.Transmitter
	rates      deviceRates
	badInRow   int
}

// A DeviceConfig configures a [DeviceEnd].
type DeviceConfig struct {
	Hello      wire.Hello // as at the first start; Kept, Ticks and Expects are filled in
	Dictionary []byte
	Events     int                        // in the dictionary
	Batch      int                        // readings in a frame at most
	Ask        time.Duration              // silence after which to send a PING
	Timeout    time.Duration              // silence after which the hub is gone
	Baud       int                        // bits per second, for HELLO
	Fastest    int                        // bits per second that the device can do; 0: only Baud
	Ticks      func(now time.Time) uint32 // the device's clock
}

// DeviceStats counts a device's traffic: see device.Stats.
type DeviceStats struct{ Sent, Acknowledged, Refused, Lost, Resent, BadFrames, Echoes uint64 }

// A DeviceOwner is told what happens at a [DeviceEnd].
type DeviceOwner interface {
	Connected()
	Disconnected(cause error)
	Arrived(a Arrival) // a message or the answer to one

	// Ended says that the hub has acknowledged readings, or with which error they end.
	Ended(readings []*PendingReading, err error)
}

// NewDeviceEnd returns the device's end of a line.
func NewDeviceEnd(c DeviceConfig, owner DeviceOwner) *DeviceEnd {
	l := &DeviceEnd{DeviceConfig: c, owner: owner, ring: newRing(c.Events, c.Batch), in: wire.Deframer{Limit: wire.MaxFrame}}
	l.rates.lineRate = lineRate{base: c.Baud, now: c.Baud}
	l.boot(c.Hello.Boot)
	return l
}

// boot starts the device under a boot number.
func (l *DeviceEnd) boot(number uint32) {
	l.Hello.Boot = number
	l.Link = &Link{side: wire.Device, askAfter: l.Ask, baud: l.Baud, ticks: l.Ticks}
	l.rates = deviceRates{lineRate: lineRate{settable: l.rates.settable, base: l.Baud, now: l.rates.now}, fastest: l.Fastest}
	l.open, l.saying, l.kept, l.welcomed, l.hub = false, false, false, false, 0
}

// Reset does what the reset of a microcontroller does: it starts the device anew under another boot number. If kept, as in
// memory that a reset leaves alone, the readings go on; else they end with [carrier.ErrReset].
func (l *DeviceEnd) Reset(now time.Time, kept bool, boot uint32) {
	former := *l
	l.disconnect(carrier.ErrReset)
	l.stats.Resent += l.Link.Stats.Resent
	if !kept {
		l.Abandon(carrier.ErrReset)
	}
	l.boot(boot)
	if kept {
		l.Link.out, l.hub = former.Link.out, former.hub
		// Until a hub has heard of a reset that kept nothing, HELLO must say so.
		l.kept = former.welcomed || former.kept
	}
	if former.open {
		l.restart(now)
		// The next HELLO waits for the next tick, so that the answer to an earlier one is not mistaken for its answer.
		l.helloSince++
		l.nextHello = l.nextHello.Add(time.Second / time.Duration(l.Hello.TicksPerSecond))
	}
}

// Opened begins anew on a port that was just opened, and whose rate can be changed if settable.
func (l *DeviceEnd) Opened(now time.Time, settable bool) {
	l.rates.start(l.Baud)
	l.rates.settable = settable && l.Fastest > 0
	l.restart(now)
}

// restart begins anew on an open port.
func (l *DeviceEnd) restart(now time.Time) {
	l.open = true
	l.in.Reset()
	l.out = wire.Transmitter{}
	l.Link.baud = l.rates.now
	l.sayHello(now)
}

// Closed ends the connection, because the port is lost or closed.
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

// sayHello begins to say HELLO.
func (l *DeviceEnd) sayHello(now time.Time) {
	l.rates.toBase()
	l.saying, l.helloSince, l.hellosSaid, l.nextHello, l.badInRow = true, l.Link.ticks(now), 0, now, 0
}

// Receive takes bytes as they were read. It returns true: Pull may have something to write for them.
func (l *DeviceEnd) Receive(now time.Time, data []byte) bool {
	l.in.Feed(data, func(chunk []byte, whole bool) {
		f, err := wire.ParseFrame(chunk, wire.Hub, l.Link.session)
		switch {
		case whole && errors.Is(err, wire.ErrEcho):
			l.stats.Echoes++
		case err != nil || !whole:
			l.stats.BadFrames++
			if !l.rates.until.IsZero() {
				return // which may be due to the rate on trial
			}
			l.Link.damaged()
			if l.badInRow++; l.badInRow >= badFrames && now.Sub(l.Link.heard) >= badFor && !l.saying {
				l.sayHello(now)
			}
		case f.Kind == wire.FrameHello && len(f.Payload) == 0:
			if !l.saying {
				l.sayHello(now)
			}
		case f.Kind == wire.FrameHello:
			if w, err := wire.ParseWelcome(f.Payload); err == nil && l.saying && l.answersHello(now, w.Echo) {
				l.begin(now, w)
			}
		case f.Kind == wire.FrameEvent: // a hub sends none
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

// arrived handles what concerns the dictionary and readings, whatever the owner is doing. The rest is the owner's.
func (l *DeviceEnd) arrived(a Arrival) {
	switch {
	case a.pong != nil:
	case a.Answered != nil && a.Answered.kind == wire.FrameEvent:
		l.acknowledged(a)
	case a.In != nil && l.answersFetch(a):
	default:
		l.owner.Arrived(a)
	}
}

// acknowledged ends the readings of a frame that the hub has answered. It may have refused some of them, or all.
func (l *DeviceEnd) acknowledged(a Arrival) {
	readings := l.ring.takeAnswered(a.Answered.ID)
	l.batch.answered(l.Link, a.Answered)
	failed := wire.UnpackReply(a.Reply).Err()
	refused, all := wire.RefusedPlaces(a.Reply)
	became := func(place int) error {
		if all || refused[place] {
			return failed
		}
		return nil
	}
	first := 0 // of those that become the same
	for i, r := range readings {
		err := became(i)
		switch {
		case r.Gap:
		case err != nil:
			l.stats.Refused++
		default:
			l.stats.Acknowledged++
		}
		if i+1 == len(readings) || (became(i+1) == nil) != (err == nil) {
			l.ended(readings[first:i+1], err)
			first = i + 1
		}
	}
}

// answersFetch answers a message if it asks for a piece of the dictionary, and reports whether it does.
func (l *DeviceEnd) answersFetch(a Arrival) bool {
	method, params, ok := wire.UnpackNumbered(a.Payload)
	if !ok || method != wire.MethodFetch {
		return false
	}
	in := wire.Items{Rest: params}
	offset := in.Uint("the offset", math.MaxUint32)
	if in.Err != nil && l.Link.Doubt(a.In) {
		l.Link.Consumed()
		return true
	}
	limit := l.Link.PayloadLimit()
	reply := carrier.Done(wire.DictionaryPiece(l.Dictionary, offset, limit))
	if in.Err != nil {
		reply = carrier.Failed(in.Err)
	}
	l.Link.Consumed()
	l.Link.Answer(a.In, wire.PackReply(reply, limit))
	return true
}

// answersHello reports whether these ticks are those of a HELLO since the latest sayHello.
func (l *DeviceEnd) answersHello(now time.Time, ticks uint32) bool {
	return int32(ticks-l.helloSince) >= 0 && int32(l.Link.ticks(now)-ticks) >= 0
}

// begin begins the session that the hub has given. A hub other than before may expect a number by coincidence, so that is
// ignored.
func (l *DeviceEnd) begin(now time.Time, w wire.Welcome) {
	l.saying, l.welcomed, l.badInRow = false, true, 0
	known := w.Known && w.Hub() == l.hub
	l.hub = w.Hub()
	if !known && l.connected {
		l.disconnect(fmt.Errorf("%w: the hub does not know this device any more", carrier.ErrReset))
	}
	if !known || !l.Link.out.resume(w.Expects) {
		l.ring.restart(l.Link.out.renumber(w.Expects, wire.FrameEvent))
	}
	l.Link.begin(now, w.Session, Limits{
		MaxFrame: min(w.MaxFrame, l.Hello.MaxFrame),
		window:   min(w.Window, l.Hello.Window),
		bytes:    wire.MaxFrame * wire.MaxWindow,
	})
	if !l.connected {
		l.connected = true
		l.owner.Connected()
	}
}

// Pull appends what is to be written now, and returns when to call it again if nothing happens before.
func (l *DeviceEnd) Pull(now time.Time, dst []byte) ([]byte, time.Time) {
	if !l.open {
		return dst, time.Time{}
	}
	if silent := l.Link.heard.Add(l.Timeout); !l.saying && !now.Before(silent) {
		l.disconnect(fmt.Errorf("%w: nothing was heard from the hub for %v", carrier.ErrTimeout, l.Timeout))
		l.sayHello(now)
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
		case now.Before(l.nextHello):
			return dst
		}
		l.hellosSaid++
		l.nextHello = now.Add(helloEvery)
		if l.hellosSaid > helloTries {
			l.nextHello = now.Add(helloSlower)
		}
		h := l.Hello
		h.Kept, h.Ticks, h.Expects = l.kept, l.Ticks(now), l.Link.in.next
		if l.rates.settable {
			h.FastestBaud = uint32(l.rates.fastest)
		}
		return wire.AppendFrame(dst, wire.Device, wire.CRCStart, wire.Frame{Kind: wire.FrameHello, Payload: h.Pack()})
	})
	switch silent := l.Link.heard.Add(l.Timeout); {
	case !l.saying && !l.rates.until.IsZero():
		return dst, earliest(l.rates.until, earliest(l.Link.wake(), silent))
	case !l.saying:
		return dst, earliest(l.Link.wake(), silent)
	case l.connected:
		return dst, earliest(l.nextHello, silent)
	default:
		return dst, l.nextHello
	}
}

// Report queues a reading.
func (l *DeviceEnd) Report(r *PendingReading) { l.ring.queued = append(l.ring.queued, r) }

// Displace queues a reading in the place of another one, which it returns and counts as lost: the oldest one that was not
// sent, or if all were sent, the new one.
func (l *DeviceEnd) Displace(r *PendingReading) (dropped *PendingReading) {
	l.stats.Lost++
	return l.ring.displace(r)
}

// Abandon ends all readings with an error.
func (l *DeviceEnd) Abandon(cause error) {
	l.ended(l.ring.clear(), fmt.Errorf("device: the reading was not acknowledged: %w", cause))
}

func (l *DeviceEnd) ended(readings []*PendingReading, err error) {
	if len(readings) > 0 {
		l.owner.Ended(readings, err)
	}
}

// refill makes frames of readings, as late as possible, so that many share a frame. Messages go first, but leave room for
// one frame of readings.
func (l *DeviceEnd) refill() {
	for !l.ring.empty() {
		unsent := len(l.Link.out.frames) - l.Link.out.inFlight
		if len(l.ring.inFlight) > 0 && (unsent > 0 || l.Link.out.inFlight >= l.Link.limits.window) {
			return
		}
		payload, id, tooLarge := l.ring.pack(l.batch.bytes(l.Link), l.Link.PayloadLimit())
		if tooLarge != nil {
			l.ended([]*PendingReading{tooLarge}, fmt.Errorf("%w: the hub takes frames of %d bytes", carrier.ErrTooLarge, l.Link.limits.MaxFrame))
			continue
		}
		for _, r := range l.ring.inFlight[id] {
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

// Expire does nothing: Pull finds out that the hub is gone.
func (l *DeviceEnd) Expire(time.Time) (again bool) { return false }

// Finish returns true: a device ends at once, as when its power is cut.
func (l *DeviceEnd) Finish() bool { return true }

// Rate returns the rate that the port is to be set to, or 0.
func (l *DeviceEnd) Rate() int { return l.rates.want }

// RateSet notes that the port was set to a rate, or why not.
func (l *DeviceEnd) RateSet(now time.Time, rate int, err error) {
	l.rates.changed(now, rate, err)
	l.Link.baud = l.rates.now
	l.in.Reset()
	l.out = wire.Transmitter{}
	if l.saying { // since the rate was asked for
		l.rates.toBase()
	}
}
