package link

import (
	"bytes"
	"fmt"
	"log/slog"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/wire"
)

const (
	badFrames     = 4                      // in a row, after which a new session is due
	askEvery      = 500 * time.Millisecond // at most, for a HELLO
	badHelloEvery = time.Minute            // between two log entries of HELLOs that make no sense
	deafAfter     = 6                      // answers to HELLO that were not heard
	meetEvery     = 400 * time.Millisecond // between two devices, or starts of one: HELLO comes again after 500 ms
	answering     = 500 * time.Millisecond // that a device may take to answer when asked; after that it is silent
)

// A HubEnd is the hub's end of one open line: it finds out which device is there and gives it sessions. Like
// link it does nothing by itself.
type HubEnd struct {
	HubConfig
	devices *Devices
	owner   HubOwner

	device         *Device // nil: no session
	in             wire.Deframer
	frameBegan     time.Time // when what is read since the last zero began to arrive: a zero that is lost delays it
	out            wire.Transmitter
	text           console
	Closing        bool   // nothing new is taken
	welcome        []byte // the payload of an answer to HELLO that is due
	askHello       bool   // a frame that asks for HELLO is due
	mayAnswer      bool   // see receive
	helloAsked     time.Time
	badInRow       int
	badHelloLogged time.Time // when a HELLO that makes no sense was logged
	lastMet        time.Time // when the latest device was met, or the latest start of it
	refusedUID     string    // the uid last logged as being on another port
	rates          hubRates
	Stats          LineStats
	LastError      LastError
}

// A HubConfig is what a hub's end is made with.
type HubConfig struct {
	Name     string // of the port, for people to read
	Baud     int    // bits per second at which HELLO is expected
	MaxBaud  int    // to be offered
	MaxFrame int
	Window   int
	Ask      time.Duration // silence after which to send a PING
	Timeout  time.Duration // silence after which the device is gone
	Random   func() uint16
	Wake     func() // called when there is something to write
	Log      *slog.Logger
}

// NewHubEnd returns the hub's end of a line, with its owner's events. The peers are those of all the hub's lines.
func NewHubEnd(c HubConfig, peers *Devices, events HubOwner) *HubEnd {
	return &HubEnd{HubConfig: c, devices: peers, owner: events, text: console{log: c.Log, port: c.Name}}
}

// LineStats counts what arrived: frames, and what was none.
type LineStats struct{ Frames, BadFrames uint64 }

// LastError is the latest that went wrong.
type LastError struct {
	Err error
	At  time.Time
}

// HubOwner is told what happens on a HubEnd.
type HubOwner interface {
	// connected is told of another peer than before of a device that was started anew and has forgotten everything.
	Connected(now time.Time, l *HubEnd, p *Device)
	Disconnected(p *Device, cause error)
	Arrived(now time.Time, p *Device, a Arrival)

	// forgot is told of a device that nothing is remembered of any more.
	Forgot(p *Device)
}

// Opened begins anew on a port that was just Opened, and whose rate may be changed or not.
func (l *HubEnd) Opened(settable bool) {
	l.in.Limit = wire.MaxFrame
	l.in.Reset()
	l.out = wire.Transmitter{}
	l.rates.name, l.rates.log, l.rates.max, l.rates.free = l.Name, l.Log, l.MaxBaud, settable
	l.rates.opened(l.Baud)
	l.welcome, l.askHello, l.badInRow, l.Closing = nil, false, 0, false
	l.lastMet = time.Time{}
}

// Finish takes nothing new from here on, and returns whether everything that was taken is answered.
func (l *HubEnd) Finish() bool {
	l.Closing, l.rates.ready = true, false
	return l.device == nil || !l.device.Link.in.unanswered()
}

// Drop ends the session, if there is one, and the device's connection.
func (l *HubEnd) Drop(cause error) {
	p := l.device
	if p == nil {
		return
	}
	l.device, p.end = nil, nil
	l.rates.ready = false
	l.rates.settle()
	p.Link.end()
	p.Link.out.abandon(wire.FrameMessage)
	l.owner.Disconnected(p, cause)
	if forgotten := l.devices.left(p); forgotten != nil {
		l.owner.Forgot(forgotten)
	}
}

// SilentSince returns from when on the device has not answered, and whether that is so. One that is silent may appear on
// another port.
func (l *HubEnd) SilentSince(now time.Time) (since time.Time, silent bool) {
	if l.device == nil {
		return time.Time{}, false
	}
	since = l.device.Link.heard.Add(l.Ask + answering)
	return since, now.After(since)
}

// CurrentBaud returns the rate at which the line runs now.
func (l *HubEnd) CurrentBaud() int { return l.rates.now }

// Receive takes bytes as they were read. It returns whether pull may have something to give for them, which it has not
// if all they brought are frames that others have to answer first.
func (l *HubEnd) Receive(now time.Time, data []byte) bool {
	if l.in.Empty() {
		l.frameBegan = now
	}
	good := l.Stats.Frames
	l.mayAnswer = l.device == nil
	l.in.Feed(data, func(chunk []byte, whole bool) {
		l.chunk(now, chunk, whole)
		l.frameBegan = now
	})
	switch {
	case l.Stats.Frames > good:
		l.rates.understood()
	case l.device == nil && !isText(bytes.ReplaceAll(data, []byte{0}, []byte{' '})):
		l.rates.noise(now)
	}
	return l.mayAnswer || l.rates.trying()
}

// chunk takes what stood between two zeros, or a piece of it.
func (l *HubEnd) chunk(now time.Time, chunk []byte, whole bool) {
	text, pure := readable(chunk) // a frame may look like text, so it is tried as a frame first
	var session uint16
	if l.device != nil {
		session = l.device.Link.session
	}
	f, err := wire.ParseFrame(chunk, session)
	switch {
	case !whole || err != nil:
		l.mayAnswer = true
		l.text.write(now, text)
		if !pure {
			l.noise(now, err)
		}
	case l.Closing && f.Kind != wire.FrameAck && f.Kind != wire.FrameReply: // the device keeps it
	case f.Kind == wire.FrameHello:
		l.mayAnswer = true
		l.Stats.Frames++
		l.hello(now, f.Payload)
	case l.device != nil:
		l.Stats.Frames++
		l.badInRow = 0
		l.frame(now, f)
	}
}

// frame takes a frame of the session.
func (l *HubEnd) frame(now time.Time, f wire.Frame) {
	p := l.device
	if p.resyncing || f.Kind != wire.FrameEvent && f.Kind != wire.FrameMessage {
		l.mayAnswer = true
	}
	switch {
	case p.resyncing && (f.Kind == wire.FrameEvent || f.Kind == wire.FrameMessage):
		p.Link.hear(now)
		if p.pass(f.Number) {
			l.askForHello(now)
		}
		return
	case f.Kind == wire.FrameBaud:
		p.Link.hear(now)
		l.rates.answered(now, f)
		return
	case f.Kind == wire.FramePing && len(f.Payload) > 0 && l.rates.proven():
		p.Link.baud = l.rates.now
	}
	arrivals := p.Link.receive(now, f, nil)
	if len(arrivals) == 0 { // it came again, or too early
		l.mayAnswer = true
	}
	for _, a := range arrivals {
		if a.pong != nil {
			l.sample(now, a)
			continue
		}
		l.owner.Arrived(now, p, a)
	}
}

// noise counts what is not a frame. When it goes on, or comes from a device that believes to be in a session, the
// hub asks for a new one.
func (l *HubEnd) noise(now time.Time, err error) {
	l.Stats.BadFrames++
	if l.rates.trying() {
		return
	}
	l.badInRow++
	l.Log.Debug("not a frame", "port", l.Name, "error", err)
	if l.device != nil {
		l.device.Link.damaged()
	}
	if l.device == nil || l.badInRow >= badFrames {
		l.askForHello(now)
	}
}

// askForHello asks the device for HELLO, now and then.
func (l *HubEnd) askForHello(now time.Time) {
	if l.welcome == nil && now.Sub(l.helloAsked) >= askEvery {
		l.askHello, l.helloAsked, l.badInRow = true, now, 0
	}
}

func (l *HubEnd) sample(now time.Time, a Arrival) {
	in := wire.Items{Rest: a.pong}
	ticks := in.Uint("the ticks", 1<<32-1)
	if in.Err == nil {
		c := &l.device.Clock
		c.sample(uint32(ticks), a.sentAt, now)
		l.device.Link.clockEvery = c.every(l.Ask, 5*l.Ask)
	}
}

func (l *HubEnd) hello(now time.Time, payload []byte) {
	h, err := wire.ParseHello(payload)
	if err != nil {
		l.LastError = LastError{err, now}
		if now.Sub(l.badHelloLogged) >= badHelloEvery {
			l.badHelloLogged = now
			l.Log.Warn("a device's HELLO makes no sense", "port", l.Name, "error", err,
				"remedy", "if this goes on, update the older one of hub and device")
		}
		return
	}
	if p := l.device; p == nil || p.ID != h.ID() || p.Hello.Boot != h.Boot {
		if now.Sub(l.lastMet) < meetEvery { // a device that is broken fills no log, and keeps no listener busy
			return
		}
		l.lastMet = now
	}
	if known := l.devices.byID[h.ID()]; known != nil && known.end != nil && known.end != l {
		other := known.end
		if _, silent := other.SilentSince(now); !silent {
			l.LastError = LastError{fmt.Errorf("serial: the device %s is connected on %s: it is not heard here", h.ID(), other.Name), now}
			if l.refusedUID != h.ID() {
				l.refusedUID = h.ID()
				l.Log.Error("a device with this uid is connected on another port; it is not heard on this one",
					"port", l.Name, "uid", h.ID(), "other", other.Name)
			}
			return
		}
		other.Drop(fmt.Errorf("%w: the device has appeared on %s", carrier.ErrUnplugged, l.Name))
	}
	if p := l.device; p != nil && p.ID != h.ID() {
		l.Drop(fmt.Errorf("%w: another device is on %s now", carrier.ErrUnplugged, l.Name))
	} else if p != nil && p.Hello.Boot != h.Boot {
		l.Drop(fmt.Errorf("%w, reset cause %d", carrier.ErrReset, h.ResetCause))
	}
	l.refusedUID = ""
	l.rates.settle()
	p := l.devices.meet(now, h)
	known := p.numbered()
	if p.renumber {
		p.renumbered()
	}
	session := p.Link.session
	switch {
	case session == 0 || p.Link.anything:
		session, p.unheardHellos = l.newSession(p.session), 0
	case l.welcome == nil: // else several have come at once, and none was answered yet
		p.unheardHellos++
	}
	if p.unheardHellos == deafAfter {
		p.unheardHellos++ // it is told once
		l.LastError = LastError{fmt.Errorf("serial: the device %s is heard, but does not hear: check the wire to its receiver", h.Title()), now}
		l.Log.Warn("a device is heard, but does not hear: check the wire to its receiver", "port", l.Name, "device", h.Title())
	}
	p.session = session
	p.Link.baud, p.Link.askAfter, p.Link.clockEvery = l.rates.base, l.Ask, l.Ask
	p.Link.ticks = func(time.Time) uint32 { return 0 }
	p.Link.resend.measures = true
	if !p.Link.out.resume(h.Expects) {
		p.Link.out.renumber(h.Expects, wire.FrameEvent)
	}
	agreed := limits{maxFrame: min(h.MaxFrame, l.MaxFrame), window: min(h.Window, l.Window), bytes: h.ReceiveWindow}
	p.Link.begin(now, session, agreed)
	p.compare(l.frameBegan.Add(-helloTrip), now, h)
	w := wire.Welcome{Session: session, MaxFrame: agreed.maxFrame, Window: agreed.window, Known: known,
		Expects: p.Link.in.next, Echo: h.Ticks}
	l.welcome, l.askHello, l.badInRow = w.Pack(), false, 0
	if l.device == nil {
		l.device, p.end = p, l
		l.owner.Connected(now, l, p)
	}
}

// newSession returns the number of a device's next session. Its high byte is the hub's, by which a device knows it from
// others; the low one counts, so that no frame of the 200 sessions before fits. It is never 0, nor where HELLO starts.
func (l *HubEnd) newSession(former uint16) uint16 {
	low := byte(former) + 1
	if former == 0 {
		low = byte(l.Random())
	}
	if l.devices.hub == 0 {
		l.devices.hub = min(max(byte(l.Random()>>8), 1), wire.CRCStart>>8-1)
	}
	return uint16(l.devices.hub)<<8 | uint16(max(low, 1))
}

// Pull appends what is to be written now, and returns when it should be asked again at the latest; a zero time
// means that there is no need.
func (l *HubEnd) Pull(now time.Time, dst []byte) ([]byte, time.Time) {
	l.Expire(now)
	if l.device != nil {
		l.rates.advance(now, &l.device.Hello)
	}
	dst = l.out.Fill(now, dst, func(dst []byte) []byte {
		switch {
		case l.rates.want != 0:
		case l.welcome != nil:
			dst = wire.AppendFrame(dst, wire.CRCStart, wire.Frame{Kind: wire.FrameHello, Payload: l.welcome})
			l.welcome = nil
		case l.askHello:
			dst = wire.AppendFrame(dst, wire.CRCStart, wire.Frame{Kind: wire.FrameHello})
			l.askHello = false
			l.rates.settle() // after that: a device at a faster rate is to hear it
		case l.rates.trying():
			return l.rates.pull(now, dst, &l.device.Link)
		case l.device != nil:
			return l.device.Link.pull(now, dst)
		}
		return dst
	})
	if l.device == nil {
		return dst, time.Time{}
	}
	gone := l.device.Link.heard.Add(l.Timeout)
	if l.rates.trying() {
		return dst, earliest(l.rates.wake(), gone)
	}
	return dst, earliest(l.device.Link.wake(), gone)
}

// Expire drops a device that was silent for too long.
func (l *HubEnd) Expire(now time.Time) {
	if l.device != nil && now.Sub(l.device.Link.heard) >= l.Timeout {
		l.Drop(fmt.Errorf("%w: nothing was heard on %s for %v", carrier.ErrTimeout, l.Name, l.Timeout))
	}
}

// Rate and rated make the line's Rate that which is wanted.
func (l *HubEnd) Rate() int { return l.rates.want }

func (l *HubEnd) RateSet(now time.Time, rate int, err error) {
	l.rates.changed(now, rate, err)
	l.in.Reset()
	l.out = wire.Transmitter{}
}

// OfferFasterRates lets a device be offered faster rates from here on.
func (l *HubEnd) OfferFasterRates() { l.rates.ready = true }
