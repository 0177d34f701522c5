package link

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/wire"
)

const (
	badFrames     = 4                      // in a row, after which a new session is due; and
	badFor        = 100 * time.Millisecond // without a good one: on a dirty line, four in a row are chance
	askEvery      = 500 * time.Millisecond // shortest time between two frames that ask for HELLO
	badHelloEvery = time.Minute            // shortest time between two log entries of HELLOs that cannot be read
	deafAfter     = 6                      // answers to HELLO that a device did not hear, after which that is logged
	meetEvery     = 400 * time.Millisecond // shortest time between two devices, or starts of one; HELLO comes every 500 ms
	answering     = 500 * time.Millisecond // that a device may take to answer a PING; after that it is silent
)

// A HubEnd is the hub's end of one line: it finds out which device is there and gives it sessions.
type HubEnd struct {
	HubConfig
	devices *Devices
	owner   HubOwner

	device         *Device // nil: there is no session
	in             wire.Deframer
	frameBegan     time.Time // when what was read since the last zero began to arrive
	out            wire.Transmitter
	text           console
	Closing        bool   // Finish was called: nothing new is taken
	welcome        []byte // payload of the answer to HELLO that is due
	askHello       bool   // a frame that asks for HELLO is due
	mayAnswer      bool   // Pull may have something to write; see Receive
	helloAsked     time.Time
	badInRow       int
	badHelloLogged time.Time // when a HELLO that cannot be read was last logged
	lastMet        time.Time // when the latest device appeared or was started
	refusedUID     string    // the uid last logged as refused, or as connected on another port
	rates          hubRates
	known          recognizer
	Stats          LineStats
	LastError      LastError
}

// A HubConfig configures a [HubEnd].
type HubConfig struct {
	Name     string // of the port
	Baud     int    // bits per second at which HELLO is expected
	MaxBaud  int    // the fastest rate to be offered
	MaxFrame int
	Window   int
	Ask      time.Duration // silence after which to send a PING
	Timeout  time.Duration // silence after which the device is gone
	Quiet    bool          // nothing is written until it is known that a device is there: the port may be that of something else
	Random   func() uint16
	Wake     func() // called when there is something to write
	// Admit returns an error if a device may not come in. It neither waits nor logs. Nil: all may.
	Admit func(id string) error
	Log   *slog.Logger
}

// NewHubEnd returns the hub's end of a line. All lines of a hub share its devices.
func NewHubEnd(c HubConfig, devices *Devices, owner HubOwner) *HubEnd {
	return &HubEnd{HubConfig: c, devices: devices, owner: owner, text: console{log: c.Log, port: c.Name},
		in: wire.Deframer{Limit: wire.MaxFrame}}
}

// LineStats counts what arrived: whole frames, what was not a frame, and the hub's own frames, which the line has returned.
type LineStats struct{ Frames, BadFrames, Echoes uint64 }

// A LastError is the latest error on a line, and when it happened.
type LastError struct {
	Err error
	At  time.Time

	// Remedy says what a user can do about it, if it is wrong with a device that says HELLO. It comes again with each HELLO.
	Remedy string
}

// A HubOwner is told what happens at a [HubEnd].
type HubOwner interface {
	// Connected begins a device's connection. After a reset in which the device lost its memory, d is another one than
	// before, with the same ID.
	Connected(now time.Time, l *HubEnd, d *Device)
	Disconnected(d *Device, cause error)
	Arrived(now time.Time, d *Device, a Arrival)
	// Forgot says that there are too many devices to remember this one.
	Forgot(d *Device)
}

// Opened begins anew on a port that was just opened, and whose rate can be changed if settable.
func (l *HubEnd) Opened(settable bool) {
	l.in.Reset()
	l.out = wire.Transmitter{}
	l.rates.name, l.rates.log, l.rates.max, l.rates.settable = l.Name, l.Log, l.MaxBaud, settable
	l.rates.opened(l.Baud)
	l.welcome, l.askHello, l.badInRow, l.Closing = nil, false, 0, false
	l.lastMet = time.Time{}
}

// Finish takes nothing new from here on. It reports whether everything that was taken is answered.
func (l *HubEnd) Finish() bool {
	l.Closing, l.rates.mayOffer = true, false
	return l.device == nil || !l.device.Link.in.unanswered()
}

// Drop ends the session and the device's connection. Without a session it does nothing.
func (l *HubEnd) Drop(cause error) {
	d := l.device
	if d == nil {
		return
	}
	l.device, d.end = nil, nil
	l.rates.mayOffer = false
	l.rates.toBase()
	d.Link.end()
	d.Link.out.abandon(wire.FrameMessage)
	l.owner.Disconnected(d, cause)
	if forgotten := l.devices.leave(d); forgotten != nil {
		l.owner.Forgot(forgotten)
	}
}

// SilentSince reports whether the device does not answer a PING, and since when. A silent device may appear on another
// port.
func (l *HubEnd) SilentSince(now time.Time) (since time.Time, silent bool) {
	if l.device == nil {
		return time.Time{}, false
	}
	since = l.device.Link.heard.Add(l.Ask + answering)
	return since, now.After(since)
}

// InSession reports whether a device is there.
func (l *HubEnd) InSession() bool { return l.device != nil }

// CurrentBaud returns the rate at which the line runs now.
func (l *HubEnd) CurrentBaud() int { return l.rates.now }

// Receive takes bytes as they were read. It reports whether Pull may have something to write for them: not if all they
// bring is frames that the owner has to answer first.
func (l *HubEnd) Receive(now time.Time, data []byte) bool {
	if l.in.Empty() {
		l.frameBegan = now
	}
	before := l.Stats
	l.mayAnswer = l.device == nil
	l.in.Feed(data, func(chunk []byte, whole bool) {
		l.chunk(now, chunk, whole)
		l.frameBegan = now
	})
	switch {
	case l.Stats.Frames > before.Frames:
		l.rates.understood()
	case l.Stats.Echoes > before.Echoes: // which says nothing of the device's rate
	case l.device == nil && !isText(bytes.ReplaceAll(data, []byte{0}, []byte{' '})):
		l.rates.noise(now)
	}
	return l.mayAnswer || l.rates.trying()
}

// chunk takes the bytes between two zeros, or some of them if whole is false.
func (l *HubEnd) chunk(now time.Time, chunk []byte, whole bool) {
	text, pure := readable(chunk) // before ParseFrame overwrites it
	if whole && !l.mayAsk() {
		l.known.note(chunk)
	}
	var session uint16
	if l.device != nil {
		session = l.device.Link.session
	}
	f, err := wire.ParseFrame(chunk, wire.Device, session)
	switch {
	case whole && errors.Is(err, wire.ErrEcho): // neither a device nor damage
		l.Stats.Echoes++
	case !whole || err != nil:
		l.mayAnswer = true
		l.text.write(now, text)
		if !pure {
			l.noise(now, err)
		}
	case l.Closing && f.Kind != wire.FrameAck && f.Kind != wire.FrameReply: // the device will send it again
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
	d := l.device
	if d.resyncing || f.Kind != wire.FrameEvent && f.Kind != wire.FrameMessage {
		l.mayAnswer = true
	}
	switch {
	case d.resyncing && (f.Kind == wire.FrameEvent || f.Kind == wire.FrameMessage):
		d.Link.hear(now)
		if d.passOver(f.Number) {
			l.askForHello(now)
		}
		return
	case f.Kind == wire.FrameBaud:
		d.Link.hear(now)
		l.rates.answered(now, f)
		return
	case f.Kind == wire.FramePing && len(f.Payload) > 0 && l.rates.proven():
		d.Link.baud = l.rates.now
	}
	arrivals := d.Link.receive(now, f, nil)
	if len(arrivals) == 0 { // the frame came again, or too early
		l.mayAnswer = true
	}
	for _, a := range arrivals {
		if a.pong != nil {
			l.sample(now, a)
			continue
		}
		l.owner.Arrived(now, d, a)
	}
}

// noise counts what is not a frame. Outside a session, or when there is much of it, the hub asks for HELLO: the device may
// believe it is in a session.
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
	if l.device == nil || l.badInRow >= badFrames && now.Sub(l.device.Link.heard) >= badFor {
		l.askForHello(now)
	}
}

// askForHello asks the device for HELLO, unless it did so a moment ago.
func (l *HubEnd) askForHello(now time.Time) {
	if l.mayAsk() && l.welcome == nil && now.Sub(l.helloAsked) >= askEvery {
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

// hello takes the payload of a device's HELLO frame.
func (l *HubEnd) hello(now time.Time, payload []byte) {
	h, err := wire.ParseHello(payload)
	switch {
	case err != nil:
		const remedy = "if this goes on, update the hub or the device, whichever is older"
		l.LastError = LastError{fmt.Errorf("a device's HELLO cannot be read: %w", err), now, remedy}
		if now.Sub(l.badHelloLogged) >= badHelloEvery {
			l.badHelloLogged = now
			l.Log.Warn("a device's HELLO cannot be read", "port", l.Name, "error", err, "remedy", remedy)
		}
		return
	case !l.admits(now, h):
		return
	case l.device == nil:
	case l.device.ID != h.ID():
		l.Drop(fmt.Errorf("%w: another device is on %s now", carrier.ErrUnplugged, l.Name))
	case l.device.Hello.Boot != h.Boot:
		l.Drop(fmt.Errorf("%w, reset cause %d", carrier.ErrReset, h.ResetCause))
	}
	if l.refusedUID != "" {
		l.refusedUID, l.LastError.Remedy = "", "" // whatever it was, it is over
	}
	l.rates.toBase()
	l.devices.recall(now, h, l.Log)
	d := l.devices.meet(now, h)
	known := d.isNumbered()
	if d.renumber {
		d.beginNumbering()
		if d.moving {
			d.moving, d.session = false, l.otherHub(d.session)
		}
	}
	l.beginSession(now, d)
	w := wire.Welcome{Session: d.session, MaxFrame: d.Link.limits.MaxFrame, Window: d.Link.limits.window, Known: known,
		Expects: d.Link.in.next, Echo: h.Ticks}
	l.welcome, l.askHello, l.badInRow = w.Pack(), false, 0
	if l.device == nil {
		l.device, d.end = d, l
		l.owner.Connected(now, l, d)
	}
}

// admits reports whether to answer a HELLO: not if devices appear too quickly, nor if the device is heard on another port.
// From a port where it is silent, the device has moved.
func (l *HubEnd) admits(now time.Time, h wire.Hello) bool {
	if d := l.device; d == nil || d.ID != h.ID() || d.Hello.Boot != h.Boot {
		if now.Sub(l.lastMet) < meetEvery { // a broken device must neither fill the log nor keep listeners busy
			return false
		}
		l.lastMet = now
	}
	if l.Admit != nil {
		if err := l.Admit(h.ID()); err != nil {
			l.Refuse(now, h, err)
			return false
		}
	}
	known := l.devices.byID[h.ID()]
	if known == nil || known.end == nil || known.end == l {
		return true
	}
	other := known.end
	if _, silent := other.SilentSince(now); silent {
		other.Drop(fmt.Errorf("%w: the device has appeared on %s", carrier.ErrUnplugged, l.Name))
		return true
	}
	l.LastError = LastError{fmt.Errorf("serial: the device %s is connected on %s, and ignored here", h.ID(), other.Name), now,
		"give each device a uid of its own"}
	if l.refusedUID != h.ID() {
		l.refusedUID = h.ID()
		l.Log.Error("a device with this uid is connected on another port, and ignored on this one",
			"port", l.Name, "uid", h.ID(), "other", other.Name)
	}
	return false
}

// Refuse does not let a device in, and ends its connection if it was let in before.
func (l *HubEnd) Refuse(now time.Time, h wire.Hello, why error) {
	remedy := fmt.Sprintf("let it in with `sighub pair NAME --device %s`, or unplug it", h.ID())
	if d := l.device; d != nil && d.ID == h.ID() {
		l.Drop(fmt.Errorf("%w: %w", carrier.ErrRevoked, why))
	}
	l.LastError = LastError{fmt.Errorf("serial: the device %s (%s) is not let in: %w", h.Title(), h.ID(), why), now, remedy}
	if l.refusedUID != h.ID() {
		l.refusedUID = h.ID()
		l.Log.Warn("a device is not let in", "port", l.Name, "device", h.Title(), "uid", h.ID(), "error", why, "remedy", remedy)
	}
}

// beginSession begins the session that the answer to a device's HELLO announces. It is the same as before if nothing was
// heard in that: the device may not have heard the answer.
func (l *HubEnd) beginSession(now time.Time, d *Device) {
	h, session := &d.Hello, d.Link.session
	switch {
	case session == 0 || d.Link.heardAny:
		session, d.unheardHellos = l.newSession(d.session), 0
	case l.welcome == nil: // else several HELLOs came at once
		d.unheardHellos++
	}
	if d.unheardHellos >= deafAfter {
		l.LastError = LastError{fmt.Errorf("serial: the device %s is heard, but does not hear", h.Title()), now, "check the wire to its receiver"}
	}
	if d.unheardHellos == deafAfter {
		d.unheardHellos++ // so that it is logged once
		l.Log.Warn("a device is heard, but does not hear: check the wire to its receiver", "port", l.Name, "device", h.Title())
	}
	d.session = session
	d.Link.baud, d.Link.askAfter, d.Link.clockEvery = l.rates.base, l.Ask, l.Ask
	d.Link.ticks = func(time.Time) uint32 { return 0 }
	d.Link.resend.measures = true
	if d.Link.hold || !d.Link.out.resume(h.Expects) {
		d.Link.out.renumber(h.Expects, wire.FrameEvent)
	}
	d.Link.begin(now, session, Limits{MaxFrame: min(h.MaxFrame, l.MaxFrame), window: min(h.Window, l.Window), bytes: h.ReceiveWindow})
	d.compareClock(l.frameBegan.Add(-helloTrip), now, *h)
}

// otherHub returns a session of which a device thinks that it is one of another hub.
func (l *HubEnd) otherHub(former uint16) uint16 {
	hub := min(max(byte(l.Random()>>8), 1), wire.CRCStart>>8-1)
	if hub == byte(former>>8) {
		hub = hub%(wire.CRCStart>>8-1) + 1
	}
	return uint16(hub)<<8 | former&0xff
}

// newSession returns the number of a device's next session. Its high byte is the hub's, by which a device tells hubs apart; for a
// device that an earlier run of the hub has served, that run's. Its low byte counts, so that no frame of the last 200 sessions passes its check. It is neither 0 nor CRCStart.
func (l *HubEnd) newSession(former uint16) uint16 {
	if former != 0 {
		return former&0xff00 | uint16(max(byte(former)+1, 1))
	}
	low := byte(l.Random())
	if l.devices.hub == 0 {
		l.devices.hub = min(max(byte(l.Random()>>8), 1), wire.CRCStart>>8-1)
	}
	return uint16(l.devices.hub)<<8 | uint16(max(low, 1))
}

// Pull appends what is to be written now, and returns when to call it again if nothing happens before. A zero time means
// that there is no need.
func (l *HubEnd) Pull(now time.Time, dst []byte) ([]byte, time.Time) {
	l.Expire(now)
	if l.device != nil {
		l.rates.advance(now, &l.device.Hello)
	}
	dst = l.out.Fill(now, dst, func(dst []byte) []byte {
		switch {
		case l.rates.want != 0:
		case l.welcome != nil:
			dst = wire.AppendFrame(dst, wire.Hub, wire.CRCStart, wire.Frame{Kind: wire.FrameHello, Payload: l.welcome})
			l.welcome = nil
		case l.askHello:
			dst = wire.AppendFrame(dst, wire.Hub, wire.CRCStart, wire.Frame{Kind: wire.FrameHello})
			l.askHello = false
			l.rates.toBase() // only afterwards, so that a device at a faster rate hears it
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

// Expire drops a device that has been silent for too long. Pull does so, too, so Expire need not be called again.
func (l *HubEnd) Expire(now time.Time) (again bool) {
	if l.device != nil && now.Sub(l.device.Link.heard) >= l.Timeout {
		l.Drop(fmt.Errorf("%w: nothing was heard on %s for %v", carrier.ErrTimeout, l.Name, l.Timeout))
	}
	return false
}

// Rate returns the rate that the port is to be set to, or 0.
func (l *HubEnd) Rate() int { return l.rates.want }

// RateSet notes that the port was set to a rate, or why not.
func (l *HubEnd) RateSet(now time.Time, rate int, err error) {
	l.rates.changed(now, rate, err)
	l.in.Reset()
	l.out = wire.Transmitter{}
}

// OfferFasterRates lets the hub offer faster rates to the device from here on.
func (l *HubEnd) OfferFasterRates() { l.rates.mayOffer = true }
