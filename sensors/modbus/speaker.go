package modbus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial"
	"sighub/carrier/serial/port"
	"sighub/hub"
	"sighub/internal/lockrank"
	"sighub/sensors/modbus/frame"
)

// A Speaker is the master of one bus. It is a [serial.Speaker].
type Speaker struct {
	options Options
	place   Place
	log     *slog.Logger
	tally   tally

	mu      lockrank.Mutex[lockrank.Leaf]
	session *session // nil: the port is not open
}

var _ serial.Speaker = (*Speaker)(nil)

// New returns a Speaker. The error is that of [Options.Check].
func New(o Options, p Place) (*Speaker, error) {
	if err := o.Check(); err != nil {
		return nil, fmt.Errorf("modbus: %w", err)
	}
	if p.Logger == nil {
		p.Logger = slog.New(slog.DiscardHandler)
	}
	return &Speaker{options: o, place: p, log: p.Logger.With("port", p.Path)}, nil
}

// Spoken implements [serial.Speaker].
func (s *Speaker) Spoken(now time.Time) serial.Spoken {
	spoken := s.tally.spoken(now)
	spoken.Speaks, spoken.Format = "modbus", "rtu"
	if s.options.TCP {
		spoken.Format = "tcp"
	}
	return spoken
}

// A session is one time for which a port is open.
type session struct {
	*Speaker
	bus     *bus
	in      *inbox
	devices []*device
	written chan *device // whose values a request has changed
	late    time.Time    // when a block was late last
}

// Speak implements [serial.Speaker].
func (s *Speaker) Speak(ctx context.Context, p port.Port) error {
	l := s.open(p)
	s.tally.opened(time.Now())
	s.setSession(l)
	var reading sync.WaitGroup
	reading.Go(func() { _ = l.in.fill(p) })
	stop := context.AfterFunc(ctx, func() { _ = p.Close() }) // nobody waits for an answer at the end
	err := l.run(ctx)
	stop()
	s.setSession(nil)
	_ = p.Close()
	reading.Wait()
	for _, d := range l.devices {
		d.disconnect(s.reason(ctx))
	}
	s.tally.closed(time.Now())
	return err
}

// open returns a session on a port.
func (s *Speaker) open(p port.Port) *session {
	l := &session{Speaker: s, written: make(chan *device, 2*maxWaiting)}
	l.bus, l.in = s.options.bus(p, func(kind error) { s.tally.refuse(kind, time.Now()) })
	units := make(map[int]*unit)
	now := time.Now()
	for i := range s.options.Devices {
		d := &s.options.Devices[i]
		if units[d.ID] == nil {
			units[d.ID] = &unit{id: byte(d.ID), since: now}
		}
		l.devices = append(l.devices, newDevice(l, d, units[d.ID], now))
	}
	return l
}

// bus returns the bus at a port, and what has arrived there. count is called with what is no answer.
func (o *Options) bus(p port.Port, count func(kind error)) (*bus, *inbox) {
	t, in := o.timing(), newInbox()
	b := newBus(t)
	if o.TCP {
		b.link = &tcp{timing: t, port: p, in: in, count: count}
	} else {
		echoes := o.Settings.RS485 != nil && o.Settings.RS485.Echo
		b.link = &rtu{timing: t, port: p, in: in, count: count, doubts: b.doubted, echoes: echoes}
	}
	return b, in
}

func (s *Speaker) setSession(l *session) {
	s.mu.Lock()
	s.session = l
	s.mu.Unlock()
}

// ask asks a unit of the present session for a request of a client.
func (s *Speaker) ask(ctx context.Context, id int, r *frame.Request) (answer, error) {
	s.mu.Lock()
	l := s.session
	s.mu.Unlock()
	if l == nil {
		return answer{}, errGone
	}
	if l.bus.waiting.Add(1) > maxWaiting {
		l.bus.waiting.Add(-1)
		return answer{}, errBusy
	}
	defer l.bus.waiting.Add(-1)
	a, err := l.bus.ask(ctx, byte(id), r)
	if w, ok := errors.AsType[*waitError](err); ok {
		select {
		case <-time.After(time.Until(w.until)):
			a, err = l.bus.ask(ctx, byte(id), r)
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-l.in.ended:
			err = errGone
		}
	}
	return a, err
}

// reason returns why senders disconnect when a port is served no longer.
func (s *Speaker) reason(ctx context.Context) string {
	switch {
	case ctx.Err() != nil && !errors.Is(context.Cause(ctx), carrier.ErrUnplugged):
		return "shutdown"
	case s.options.TCP:
		return "closed"
	}
	return "unplugged"
}

// run polls until the port is lost or ctx is done.
func (l *session) run(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		d, b := l.next()
		timer.Reset(time.Until(b.at(d.unit)))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-l.in.ended:
			_, _, _, err := l.in.look()
			return err
		case d := <-l.written:
			d.again(time.Now())
			continue
		case <-timer.C:
		}
		if err := l.poll(ctx, d, b); err != nil {
			return err
		}
	}
}

// next returns the block that is due next. A bus has at most some hundreds, so a search costs less than a queue.
func (l *session) next() (first *device, block *block) {
	for _, d := range l.devices {
		for _, b := range d.blocks {
			if block == nil || b.at(d.unit).Before(block.at(first.unit)) {
				first, block = d, b
			}
		}
	}
	return first, block
}

// router returns where senders are.
func (s *Speaker) router() *hub.Router { return s.place.Router() }
