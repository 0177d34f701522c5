package serial

import (
	"fmt"
	"time"

	"sighub/carrier"
)

const (
	helloEvery  = 500 * time.Millisecond
	helloSlower = time.Second // after this many tries
	helloTries  = 10
)

// A deviceLine is the device's end of a line: it says HELLO until the hub answers, and again when the line has
// gone bad. Like link it does nothing by itself.
type deviceLine struct {
	hello   hello // as it is said, but for the ticks and the number expected
	timeout time.Duration
	events  deviceEvents
	link    *link

	open      bool // there is a port
	saying    bool // HELLO was not answered yet
	welcome   bool // HELLO was answered since the device was started
	hub       byte // whose numbers are gone on with
	since     uint32
	tries     int
	next      time.Time // of the next HELLO
	connected bool      // to a hub that was not lost since
	in        deframer
	out       transmitter
	rates     deviceRates
	bad       int
	badFrames uint64
}

// deviceEvents is told what happens on a deviceLine.
type deviceEvents interface {
	connected()
	disconnected(cause error)
	arrived(now time.Time, a arrival)

	// renumbered gives back the ids of EVT frames that a hub which knows nothing of this device must be sent
	// anew.
	renumbered(ids []uint64)

	// refill queues frames that the window has room for.
	refill()
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

// lost ends the connection: the port is gone, or its owner stops.
func (l *deviceLine) lost(cause error) {
	l.open, l.saying = false, false
	l.disconnect(cause)
}

func (l *deviceLine) disconnect(cause error) {
	l.link.end()
	if l.connected {
		l.connected = false
		l.link.out.abandon(frameMessage)
		l.events.disconnected(cause)
	}
}

// say begins to say HELLO.
func (l *deviceLine) say(now time.Time) {
	l.rates.settle()
	l.saying, l.since, l.tries, l.next, l.bad = true, l.link.ticks(now), 0, now, 0
}

func (l *deviceLine) receive(now time.Time, data []byte) {
	l.in.feed(data, func(chunk []byte, whole bool) {
		f, err := parseFrame(chunk, l.link.session)
		switch {
		case err != nil || !whole:
			l.badFrames++
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
				l.welcomed(now, w)
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
				l.events.arrived(now, a)
			}
		}
	})
}

// mine tells whether ticks were said in this series of HELLOs: not in one before it, nor before a reset.
func (l *deviceLine) mine(now time.Time, ticks uint32) bool {
	return int32(ticks-l.since) >= 0 && int32(l.link.ticks(now)-ticks) >= 0
}

// welcomed begins the session that the hub has given. What another hub expects says nothing of what it has, for numbers
// come again.
func (l *deviceLine) welcomed(now time.Time, w welcome) {
	l.saying, l.welcome, l.bad = false, true, 0
	known := w.known && w.hub() == l.hub
	l.hub = w.hub()
	if !known && l.connected {
		l.disconnect(fmt.Errorf("%w: the hub does not know this device any more", carrier.ErrReset))
	}
	if !known || !l.link.out.resume(w.expects) {
		l.events.renumbered(l.link.out.renumber(w.expects, frameEvent))
	}
	l.link.begin(now, w.session, limits{
		maxFrame: min(w.maxFrame, l.hello.maxFrame),
		window:   min(w.window, l.hello.window),
		bytes:    limitFrame * maxWindow,
	})
	if !l.connected {
		l.connected = true
		l.events.connected()
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
			l.events.refill()
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
		h.ticks, h.expects = l.link.ticks(now), l.link.in.next
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
