package serial

import (
	"bytes"
	"fmt"
	"log/slog"
	"time"

	"sighub/carrier"
)

const (
	badFrames = 4                      // in a row, after which a new session is due
	askEvery  = 500 * time.Millisecond // at most, for a HELLO
	oddEvery  = time.Minute            // between two log entries of HELLOs that make no sense
	deafAfter = 6                      // answers to HELLO that were not heard
	meetEvery = 400 * time.Millisecond // between two devices, or starts of one: HELLO comes again after 500 ms
	answering = 500 * time.Millisecond // that a device may take to answer when asked; after that it is silent
)

// A hubLine is the hub's end of one open line: it finds out which device is there and gives it sessions. Like
// link it does nothing by itself.
type hubLine struct {
	hubConfig
	peers  *peers
	events hubEvents

	peer    *peer // nil: no session
	in      deframer
	began   time.Time // when what is read since the last zero began to arrive: a zero that is lost delays it
	out     transmitter
	text    console
	closing bool   // nothing new is taken
	welcome []byte // the payload of an answer to HELLO that is due
	asking  bool   // a frame that asks for HELLO is due
	owing   bool   // see receive
	asked   time.Time
	bad     int
	odd     time.Time // when a HELLO that makes no sense was logged
	met     time.Time // when the latest device was met, or the latest start of it
	refused string    // the uid last logged as being on another port
	rates   hubRates
	stats   lineStats
	trouble trouble
}

// A hubConfig is what a hub's end is made with.
type hubConfig struct {
	name     string // of the port, for people to read
	baud     int    // bits per second at which HELLO is expected
	maxBaud  int    // to be offered
	maxFrame int
	window   int
	ask      time.Duration // silence after which to send a PING
	timeout  time.Duration // silence after which the device is gone
	random   func() uint16
	wake     func() // called when there is something to write
	log      *slog.Logger
}

// newHubLine returns the hub's end of a line, with its owner's events. The peers are those of all the hub's lines.
func newHubLine(c hubConfig, peers *peers, events hubEvents) *hubLine {
	return &hubLine{hubConfig: c, peers: peers, events: events, text: console{log: c.log, port: c.name}}
}

// lineStats counts what arrived: frames, and what was none.
type lineStats struct{ good, bad uint64 }

// trouble is the latest that went wrong.
type trouble struct {
	what error
	at   time.Time
}

// hubEvents is told what happens on a hubLine.
type hubEvents interface {
	// connected is told of another peer than before of a device that was started anew and has forgotten everything.
	connected(now time.Time, l *hubLine, p *peer)
	disconnected(p *peer, cause error)
	arrived(now time.Time, p *peer, a arrival)

	// forgot is told of a device that nothing is remembered of any more.
	forgot(p *peer)
}

// opened begins anew on a port that was just opened, and whose rate may be changed or not.
func (l *hubLine) opened(settable bool) {
	l.in.limit = limitFrame
	l.in.reset()
	l.out = transmitter{}
	l.rates.name, l.rates.log, l.rates.max, l.rates.free = l.name, l.log, l.maxBaud, settable
	l.rates.opened(l.baud)
	l.welcome, l.asking, l.bad, l.closing = nil, false, 0, false
	l.met = time.Time{}
}

// finish takes nothing new from here on, and returns whether everything that was taken is answered.
func (l *hubLine) finish() bool {
	l.closing, l.rates.ready = true, false
	return l.peer == nil || !l.peer.link.in.unanswered()
}

// drop ends the session, if there is one, and the device's connection.
func (l *hubLine) drop(cause error) {
	p := l.peer
	if p == nil {
		return
	}
	l.peer, p.line = nil, nil
	l.rates.ready = false
	l.rates.settle()
	p.link.end()
	p.link.out.abandon(frameMessage)
	l.events.disconnected(p, cause)
	if forgotten := l.peers.left(p); forgotten != nil {
		l.events.forgot(forgotten)
	}
}

// silent tells whether the device in a session has been asked in vain. One that has may appear on another port.
func (l *hubLine) silent(now time.Time) bool { return now.After(l.silentSince()) }

// silentSince returns from when on a device that does not answer is silent.
func (l *hubLine) silentSince() time.Time { return l.peer.link.heard.Add(l.ask + answering) }

// receive takes bytes as they were read. It returns whether pull may have something to give for them, which it has not
// if all they brought are frames that others have to answer first.
func (l *hubLine) receive(now time.Time, data []byte) bool {
	if l.in.empty() {
		l.began = now
	}
	good := l.stats.good
	l.owing = l.peer == nil
	l.in.feed(data, func(chunk []byte, whole bool) {
		l.chunk(now, chunk, whole)
		l.began = now
	})
	switch {
	case l.stats.good > good:
		l.rates.understood()
	case l.peer == nil && !isText(bytes.ReplaceAll(data, []byte{0}, []byte{' '})):
		l.rates.noise(now)
	}
	return l.owing || l.rates.trying()
}

// chunk takes what stood between two zeros, or a piece of it.
func (l *hubLine) chunk(now time.Time, chunk []byte, whole bool) {
	text, pure := readable(chunk) // a frame may look like text, so it is tried as a frame first
	var session uint16
	if l.peer != nil {
		session = l.peer.link.session
	}
	f, err := parseFrame(chunk, session)
	switch {
	case !whole || err != nil:
		l.owing = true
		l.text.write(now, text)
		if !pure {
			l.noise(now, err)
		}
	case l.closing && f.kind != frameAck && f.kind != frameReply: // the device keeps it
	case f.kind == frameHello:
		l.owing = true
		l.stats.good++
		l.hello(now, f.payload)
	case l.peer != nil:
		l.stats.good++
		l.bad = 0
		l.frame(now, f)
	}
}

// frame takes a frame of the session.
func (l *hubLine) frame(now time.Time, f frame) {
	p := l.peer
	if p.astray || f.kind != frameEvent && f.kind != frameMessage {
		l.owing = true
	}
	switch {
	case p.astray && (f.kind == frameEvent || f.kind == frameMessage):
		p.link.hear(now)
		if p.strayed(f.number) {
			l.demand(now)
		}
		return
	case f.kind == frameBaud:
		p.link.hear(now)
		l.rates.answered(now, f)
		return
	case f.kind == framePing && len(f.payload) > 0 && l.rates.proven():
		p.link.baud = l.rates.now
	}
	arrivals := p.link.receive(now, f, nil)
	if len(arrivals) == 0 { // it came again, or too early
		l.owing = true
	}
	for _, a := range arrivals {
		if a.pong != nil {
			l.sample(now, a)
			continue
		}
		l.events.arrived(now, p, a)
	}
}

// noise counts what is not a frame. When it goes on, or comes from a device that believes to be in a session, the
// hub asks for a new one.
func (l *hubLine) noise(now time.Time, err error) {
	l.stats.bad++
	if l.rates.trying() {
		return
	}
	l.bad++
	l.log.Debug("not a frame", "port", l.name, "error", err)
	if l.peer != nil {
		l.peer.link.damaged()
	}
	if l.peer == nil || l.bad >= badFrames {
		l.demand(now)
	}
}

// demand asks the device for HELLO, now and then.
func (l *hubLine) demand(now time.Time) {
	if l.welcome == nil && now.Sub(l.asked) >= askEvery {
		l.asking, l.asked, l.bad = true, now, 0
	}
}

func (l *hubLine) sample(now time.Time, a arrival) {
	in := items{rest: a.pong}
	ticks := in.uint("the ticks", 1<<32-1)
	if in.err == nil {
		c := &l.peer.clock
		c.sample(uint32(ticks), a.sentAt, now)
		l.peer.link.clockEvery = c.every(l.ask, 5*l.ask)
	}
}

func (l *hubLine) hello(now time.Time, payload []byte) {
	h, err := parseHello(payload)
	if err != nil {
		l.trouble = trouble{err, now}
		if now.Sub(l.odd) >= oddEvery {
			l.odd = now
			l.log.Warn("a device's HELLO makes no sense", "port", l.name, "error", err,
				"remedy", "if this goes on, update the older one of hub and device")
		}
		return
	}
	if p := l.peer; p == nil || p.id != h.id() || p.hello.boot != h.boot {
		if now.Sub(l.met) < meetEvery { // a device that is broken fills no log, and keeps no listener busy
			return
		}
		l.met = now
	}
	if known := l.peers.byID[h.id()]; known != nil && known.line != nil && known.line != l {
		other := known.line
		if !other.silent(now) {
			l.trouble = trouble{fmt.Errorf("serial: the device %s is connected on %s: it is not heard here", h.id(), other.name), now}
			if l.refused != h.id() {
				l.refused = h.id()
				l.log.Error("a device with this uid is connected on another port; it is not heard on this one",
					"port", l.name, "uid", h.id(), "other", other.name)
			}
			return
		}
		other.drop(fmt.Errorf("%w: the device has appeared on %s", carrier.ErrUnplugged, l.name))
	}
	if p := l.peer; p != nil && p.id != h.id() {
		l.drop(fmt.Errorf("%w: another device is on %s now", carrier.ErrUnplugged, l.name))
	} else if p != nil && p.hello.boot != h.boot {
		l.drop(fmt.Errorf("%w, reset cause %d", carrier.ErrReset, h.resetCause))
	}
	l.refused = ""
	l.rates.settle()
	p := l.peers.meet(now, h)
	known := p.numbered()
	if p.anew {
		p.found()
	}
	session := p.link.session
	switch {
	case session == 0 || p.link.anything:
		session, p.unheard = l.newSession(p.session), 0
	case l.welcome == nil: // else several have come at once, and none was answered yet
		p.unheard++
	}
	if p.unheard == deafAfter {
		p.unheard++ // it is told once
		l.trouble = trouble{fmt.Errorf("serial: the device %s is heard, but does not hear: check the wire to its receiver", h.title()), now}
		l.log.Warn("a device is heard, but does not hear: check the wire to its receiver", "port", l.name, "device", h.title())
	}
	p.session = session
	p.link.baud, p.link.askAfter, p.link.clockEvery = l.rates.base, l.ask, l.ask
	p.link.ticks = func(time.Time) uint32 { return 0 }
	p.link.resend.measures = true
	if !p.link.out.resume(h.expects) {
		p.link.out.renumber(h.expects, frameEvent)
	}
	agreed := limits{maxFrame: min(h.maxFrame, l.maxFrame), window: min(h.window, l.window), bytes: h.receiveWindow}
	p.link.begin(now, session, agreed)
	p.compare(l.began.Add(-helloTrip), now, h)
	w := welcome{session: session, maxFrame: agreed.maxFrame, window: agreed.window, known: known,
		expects: p.link.in.next, echo: h.ticks}
	l.welcome, l.asking, l.bad = w.pack(), false, 0
	if l.peer == nil {
		l.peer, p.line = p, l
		l.events.connected(now, l, p)
	}
}

// newSession returns the number of a device's next session. Its high byte is the hub's, by which a device knows it from
// others; the low one counts, so that no frame of the 200 sessions before fits. It is never 0, nor where HELLO starts.
func (l *hubLine) newSession(former uint16) uint16 {
	low := byte(former) + 1
	if former == 0 {
		low = byte(l.random())
	}
	if l.peers.hub == 0 {
		l.peers.hub = min(max(byte(l.random()>>8), 1), crcStart>>8-1)
	}
	return uint16(l.peers.hub)<<8 | uint16(max(low, 1))
}

// pull appends what is to be written now, and returns when it should be asked again at the latest; a zero time
// means that there is no need.
func (l *hubLine) pull(now time.Time, dst []byte) ([]byte, time.Time) {
	l.expire(now)
	if l.peer != nil {
		l.rates.advance(now, &l.peer.hello)
	}
	dst = l.out.fill(now, dst, func(dst []byte) []byte {
		switch {
		case l.rates.want != 0:
		case l.welcome != nil:
			dst = appendFrame(dst, crcStart, frame{kind: frameHello, payload: l.welcome})
			l.welcome = nil
		case l.asking:
			dst = appendFrame(dst, crcStart, frame{kind: frameHello})
			l.asking = false
			l.rates.settle() // after that: a device at a faster rate is to hear it
		case l.rates.trying():
			return l.rates.pull(now, dst, &l.peer.link)
		case l.peer != nil:
			return l.peer.link.pull(now, dst)
		}
		return dst
	})
	if l.peer == nil {
		return dst, time.Time{}
	}
	gone := l.peer.link.heard.Add(l.timeout)
	if l.rates.trying() {
		return dst, earliest(l.rates.wake(), gone)
	}
	return dst, earliest(l.peer.link.wake(), gone)
}

// expire drops a device that was silent for too long.
func (l *hubLine) expire(now time.Time) {
	if l.peer != nil && now.Sub(l.peer.link.heard) >= l.timeout {
		l.drop(fmt.Errorf("%w: nothing was heard on %s for %v", carrier.ErrTimeout, l.name, l.timeout))
	}
}

// rate and rated make the line's rate that which is wanted.
func (l *hubLine) rate() int { return l.rates.want }

func (l *hubLine) rated(now time.Time, rate int, err error) {
	l.rates.changed(now, rate, err)
	l.in.reset()
	l.out = transmitter{}
}

// hurry lets a device be offered faster rates from here on.
func (l *hubLine) hurry() { l.rates.ready = true }
