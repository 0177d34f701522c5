package serial

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/endpoint"
	"sighub/carrier/serial/internal/link"
	"sighub/carrier/serial/internal/wire"
	"sighub/carrier/serial/port"
	"sighub/carrier/serial/port/discovery"
	"sighub/carrier/serial/port/remote"
)

// remoteSlower is how many times longer at most the hub waits between two tries of a port elsewhere: nothing tells when it is there
// again, and each try is an attempt to connect at somebody's machine.
const remoteSlower = 5

// A line is one port of a server, for as long as the server knows of it. One goroutine, run, opens the port, and opens it
// again when it is lost.
type line struct {
	server  *Server
	options *PortOptions
	path    string
	wanted  endpoint.Notice // the port may be there or free now: try again
	wake    endpoint.Notice // there is something to write
	speaker Speaker         // nil: the hub's own devices are here
	stop    context.CancelCauseFunc

	// The server's lock guards what follows, and all of end.
	end      *link.HubEnd
	port     portState
	remote   remote.Describer // nil: it is not open, or a port of this machine
	client   *client          // the latest
	identity string           // of the device that was let in last
	usb      *discovery.USB
	heard    overheard
	openedAt time.Time
	release  func()     // lets go of the port
	left     *leftError // why it was let go; nil: it was not
	stamp    string     // of the port when it was let go
	readings uint64     // that were taken
	average  average    // of readings
}

func newLine(s *Server, o *PortOptions, p discovery.Port) *line {
	l := &line{server: s, options: o, path: p.Path, usb: p.USB, wanted: endpoint.NewNotice(), wake: endpoint.NewNotice()}
	l.end = link.NewHubEnd(link.HubConfig{
		Name: p.Path, Baud: l.baud(), MaxBaud: o.MaxBaud, MaxFrame: s.options.MaxFrame, Window: s.options.Window,
		Ask: s.options.Ask, Timeout: s.options.Timeout, Random: func() uint16 { return uint16(rand.Uint32()) }, Wake: l.wake.Give,
		Admit: l.admit, Log: s.log, Quiet: l.polite(),
	}, &s.devices, l)
	if o.DTROff != o.RTSOff {
		s.options.Logger.Warn("only one of DTR and RTS is off: boards with the usual circuit of an ESP32 stay in reset or in their loader, so turn off both or none",
			"port", p.Path, "dtr", !o.DTROff, "rts", !o.RTSOff)
	}
	if o.Speaker != nil {
		l.speaker = o.Speaker(p)
	}
	l.heard = overheard{port: p.Path, log: s.log}
	l.port.enter(time.Now(), PortOpening, nil)
	return l
}

// run keeps the port open until ctx is done.
func (l *line) run(ctx context.Context) {
	const steady = time.Second // a port that was open for so long works
	backoff, log := l.server.options.Backoff, l.server.options.Logger
	if l.options.pattern.Remote() {
		backoff.Max *= remoteSlower
	}
	for ctx.Err() == nil {
		l.enter(PortOpening, nil)
		p, err := l.open(ctx)
		if err != nil && ctx.Err() != nil {
			return
		}
		if err != nil {
			state := PortFailed
			if port.Gone(err) {
				state = PortAbsent
				backoff.Reset() // the next one is another port
			}
			l.fail(state, err)
			l.server.changed.Give()
			if l.busyFor(time.Now(), err) {
				l.stayAway(ctx)
				continue
			}
			l.awaitRetry(ctx, backoff.Next())
			continue
		}
		l.enter(PortWaiting, nil)
		log.Info("port open", "port", l.path, "baud", l.baud())
		opened := time.Now()
		l.describe(p)
		err = l.serve(ctx, p)
		l.describe(nil)
		l.server.changed.Give()
		if l.isLeft() && ctx.Err() == nil {
			l.stayAway(ctx)
			continue
		}
		if time.Since(opened) >= steady {
			backoff.Reset()
		}
		if ctx.Err() == nil {
			log.Warn("port lost", "port", l.path, "error", err)
			l.enter(PortFailed, err)
			l.awaitRetry(ctx, backoff.Next())
		}
	}
}

// describe notes which port is open; nil: none.
func (l *line) describe(p port.Port) {
	l.server.mu.Lock()
	defer l.server.mu.Unlock()
	l.remote, _ = p.(remote.Describer)
}

// address returns the line's address for people to read.
func (l *line) address() string {
	if l.options.pattern.Remote() {
		return l.path
	}
	return "serial://" + l.path
}

// baud returns the rate at which the port is opened.
func (l *line) baud() int { return cmp.Or(l.options.Baud, wire.DefaultBaud) }

// open opens the port, with its modem lines as the options say.
func (l *line) open(ctx context.Context) (port.Port, error) {
	o := l.options
	settings := o.settings()
	settings.Baud = l.baud()
	if c, ok := o.Opener.(port.ContextOpener); ok {
		return c.OpenContext(ctx, l.path, settings)
	}
	if s, ok := o.Opener.(port.SettingsOpener); ok {
		return s.OpenWith(l.path, settings)
	}
	if !settings.Usual() {
		return nil, fmt.Errorf("%w: use the native opener", port.ErrSettings)
	}
	if !o.DTROff && !o.RTSOff {
		return o.Opener.Open(l.path, l.baud())
	}
	if m, ok := o.Opener.(port.ModemOpener); ok {
		return m.OpenModem(l.path, l.baud(), !o.DTROff, !o.RTSOff)
	}
	p, err := o.Opener.Open(l.path, l.baud())
	if err != nil {
		return nil, err
	}
	m, ok := p.(port.ModemSetter)
	if !ok {
		err = fmt.Errorf("%w: use the native opener", port.ErrNoModem)
	} else if err = m.SetModem(!o.DTROff, !o.RTSOff); err != nil {
		err = fmt.Errorf("%w: %w", port.ErrNoModem, err)
	}
	if err != nil {
		_ = p.Close()
		return nil, err
	}
	return p, nil
}

func (l *line) isLeft() bool {
	l.server.mu.Lock()
	defer l.server.mu.Unlock()
	return l.left != nil
}

// serve moves bytes until the port is lost or let go, and returns why.
func (l *line) serve(ctx context.Context, p port.Port) (lost error) {
	ctx, release := context.WithCancel(ctx)
	defer release()
	if l.speaker != nil {
		return l.speaker.Speak(ctx, p)
	}
	_, settable := p.(port.RateSetter)
	l.server.mu.Lock()
	l.openedAt, l.release = time.Now(), release
	l.end.Opened(settable && l.options.Baud == 0)
	l.heard.opened(l.end.Stats.Echoes)
	l.server.mu.Unlock()
	endpoint.Pump(ctx, p, consideringEnd{listeningEnd{l.end, &l.heard}, l}, &l.server.mu, l.wake, func(err error) {
		lost = err
		cause := fmt.Errorf("%w: %s: %w", carrier.ErrUnplugged, l.path, err)
		if ctx.Err() != nil {
			cause = endOf(ctx)
		}
		l.server.mu.Lock()
		l.end.Drop(cause)
		l.server.mu.Unlock()
	})
	return lost
}

// endOf returns why a line ends whose context is done.
func endOf(ctx context.Context) error {
	if cause := context.Cause(ctx); errors.Is(cause, carrier.ErrUnplugged) {
		return cause
	}
	return carrier.ErrShutdown
}

// fail notes why the port cannot be opened, and logs each reason once.
func (l *line) fail(state PortState, err error) {
	now := time.Now()
	l.server.mu.Lock()
	l.port.enter(now, state, err)
	news := l.port.worthLogging(now)
	l.server.mu.Unlock()
	if news {
		l.server.options.Logger.Warn("port cannot be opened", "port", l.path, "error", err, "remedy", port.Remedy(err))
	}
}

// awaitRetry waits until the next try: for some time, or until it is wanted.
func (l *line) awaitRetry(ctx context.Context, d time.Duration) {
	l.server.mu.Lock()
	l.port.next = time.Now().Add(d)
	l.server.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-l.wanted:
	case <-time.After(d):
	}
}

func (l *line) enter(state PortState, err error) {
	l.server.mu.Lock()
	defer l.server.mu.Unlock()
	l.port.enter(time.Now(), state, err)
}

// admit finds out who a device is. The server's lock is held.
func (l *line) admit(uid string) (err error) {
	l.identity = ""
	if login := l.server.options.Login; login != nil {
		l.identity, err = login(uid, l.path)
	}
	return err
}

// review ends the connection of a device that is not let in any more. The server's lock is held.
func (l *line) review(now time.Time) {
	if c := l.client; c != nil && c.cause == nil {
		if err := l.admit(c.device.ID); err != nil {
			l.end.Refuse(now, c.device.Hello, err)
		}
	}
}

// Connected begins a client. Like the methods below it implements [link.HubOwner], and the server's lock is held.
func (l *line) Connected(now time.Time, _ *link.HubEnd, d *link.Device) {
	s := l.server
	l.port.enter(time.Now(), PortConnected, nil)
	r := s.records[d.ID]
	switch {
	case r == nil:
		r = &deviceRecord{losses: losses{last: make(map[string]time.Time), untold: make(map[string]*loss), recalled: d.Recalled}}
		if d.Recalled != nil && d.Recalled.Lost {
			r.losses.restarted = now
		}
		s.records[d.ID] = r
	case r.device != d: // the device has lost its memory
		r.losses.restarted, r.unhandled = now, nil
	}
	r.device = d
	c := newClient(s, d, r, l)
	c.awaitEnd(s.latest[d.ID])
	c.awaitEnd(l.client)
	r.client, s.latest[d.ID], l.client = c, c, c
	s.store.here.Store(int64(len(s.latest)))
	s.changed.Give() // the port where it was may be forgotten
	s.running.Go(c.run)
}

// Disconnected ends the client.
func (l *line) Disconnected(d *link.Device, cause error) {
	now := time.Now()
	l.end.LastError = link.LastError{Err: cause, At: now}
	l.port.enter(now, PortWaiting, nil)
	r := l.server.records[d.ID]
	c := r.client
	r.client = nil
	c.lose(cause)
}

// Arrived gives the client what has arrived.
func (l *line) Arrived(now time.Time, d *link.Device, a link.Arrival) {
	l.server.records[d.ID].client.arrived(now, a)
}

// Forgot drops the record of a device.
func (l *line) Forgot(d *link.Device) { delete(l.server.records, d.ID) }
