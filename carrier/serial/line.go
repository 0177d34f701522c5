package serial

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/endpoint"
	"sighub/carrier/serial/internal/link"
	"sighub/carrier/serial/internal/wire"
	"sighub/carrier/serial/port"
	"sighub/carrier/serial/port/discovery"
)

// A line is one port of a server, for as long as the server knows of it. One goroutine, run, opens it and opens it
// again.
type line struct {
	server *Server
	o      *PortOptions
	path   string
	wanted endpoint.Notice // to try again now: the port may be there, or may be free
	wake   endpoint.Notice // there is something to write
	stop   context.CancelCauseFunc
	log    *slog.Logger

	// The server's lock guards what follows.
	end      *link.HubEnd
	port     portState
	client   *client // the latest
	usb      *discovery.USB
	readings uint64  // that arrived
	average  average // of readings
}

func newLine(s *Server, o *PortOptions, p discovery.Port) *line {
	l := &line{server: s, o: o, path: p.Path, usb: p.USB, wanted: endpoint.NewNotice(), wake: endpoint.NewNotice(), log: s.o.Logger}
	l.end = link.NewHubEnd(link.HubConfig{
		Name: p.Path, Baud: l.baud(), MaxBaud: o.MaxBaud, MaxFrame: s.o.MaxFrame, Window: s.o.Window,
		Ask: s.o.Ask, Timeout: s.o.Timeout, Random: func() uint16 { return uint16(rand.Uint32()) }, Wake: l.wake.Give,
		Log: s.log,
	}, &s.devices, l)
	l.port.enter(time.Now(), PortOpening, nil)
	return l
}

// run keeps the port open until ctx is done.
func (l *line) run(ctx context.Context) {
	const steady = time.Second // a port that holds for so long was not opened in vain
	backoff := l.server.o.Backoff
	for ctx.Err() == nil {
		l.enter(PortOpening, nil)
		p, err := l.open()
		if err != nil {
			state := PortFailed
			if port.Gone(err) {
				state = PortAbsent
				backoff.Reset() // what appears next is another
			}
			l.fail(state, err)
			l.rest(ctx, backoff.Next())
			continue
		}
		l.enter(PortWaiting, nil)
		l.log.Info("port open", "port", l.path, "baud", l.baud())
		opened := time.Now()
		err = l.serve(ctx, p)
		if time.Since(opened) >= steady {
			backoff.Reset()
		}
		if ctx.Err() == nil {
			l.log.Warn("port lost", "port", l.path, "error", err)
			l.enter(PortFailed, err)
			l.rest(ctx, backoff.Next())
		}
	}
}

// baud returns the rate at which the port is opened.
func (l *line) baud() int { return cmp.Or(l.o.Baud, wire.DefaultBaud) }

func (l *line) open() (port.Port, error) {
	p, err := l.o.Opener.Open(l.path, l.baud())
	if err != nil || !l.o.DTROff && !l.o.RTSOff {
		return p, err
	}
	m, ok := p.(port.ModemSetter)
	if !ok {
		err = fmt.Errorf("%w: this opener cannot set DTR and RTS: use the native one", port.ErrNoModem)
	} else if err = m.SetModem(!l.o.DTROff, !l.o.RTSOff); err != nil {
		err = fmt.Errorf("%w: %w", port.ErrNoModem, err)
	}
	if err != nil {
		_ = p.Close()
		return nil, err
	}
	return p, nil
}

// serve moves bytes until the port is lost, and returns why.
func (l *line) serve(ctx context.Context, p port.Port) (lost error) {
	_, settable := p.(port.RateSetter)
	l.server.mu.Lock()
	l.end.Opened(settable && l.o.Baud == 0)
	l.server.mu.Unlock()
	endpoint.Pump(ctx, p, l.end, &l.server.mu, l.wake, func(err error) {
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

// endOf returns why a line ends that nothing has happened to.
func endOf(ctx context.Context) error {
	if cause := context.Cause(ctx); errors.Is(cause, carrier.ErrUnplugged) {
		return cause
	}
	return carrier.ErrShutdown
}

// fail notes why the port cannot be opened, and logs it once for each reason.
func (l *line) fail(state PortState, err error) {
	now := time.Now()
	l.server.mu.Lock()
	l.port.enter(now, state, err)
	news := l.port.news(now)
	l.server.mu.Unlock()
	if news {
		l.log.Warn("port cannot be opened", "port", l.path, "error", err, "remedy", port.Remedy(err))
	}
}

// rest waits for the next try: for some time, or until it is wanted.
func (l *line) rest(ctx context.Context, d time.Duration) {
	l.server.mu.Lock()
	l.port.next = time.Now().Add(d)
	l.server.mu.Unlock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-l.wanted:
	case <-t.C:
	}
}

func (l *line) enter(state PortState, err error) {
	l.server.mu.Lock()
	defer l.server.mu.Unlock()
	l.port.enter(time.Now(), state, err)
}

// Connected, disconnected, arrived and forgot make the line HubOwner; the server's lock is held.
func (l *line) Connected(now time.Time, _ *link.HubEnd, p *link.Device) {
	l.port.enter(time.Now(), PortConnected, nil)
	l.server.connected(now, l, p)
}

func (l *line) Forgot(p *link.Device) { delete(l.server.records, p.ID) }

func (l *line) Disconnected(p *link.Device, cause error) {
	now := time.Now()
	l.end.LastError = link.LastError{Err: cause, At: now}
	l.port.enter(now, PortWaiting, nil)
	l.server.disconnected(p, cause)
}

func (l *line) Arrived(now time.Time, p *link.Device, a link.Arrival) { l.server.arrived(now, p, a) }
