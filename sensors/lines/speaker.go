package lines

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
	"sighub/sensors/lines/formats"
)

// A Speaker makes senders of the lines of one port. It is a [serial.Speaker].
type Speaker struct {
	options Options
	place   Place
	log     *slog.Logger
	asked   asks
	tally   tally

	// Only Speak uses what follows.
	rates   *rateFinder // nil: the rate is fixed
	station *station
}

var _ serial.Speaker = (*Speaker)(nil)

// New returns a Speaker. The error is that of [Options.Check].
func New(o Options, p Place) (*Speaker, error) {
	if err := o.Check(); err != nil {
		return nil, fmt.Errorf("lines: %w", err)
	}
	if p.Logger == nil {
		p.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Speaker{options: o, place: p, log: p.Logger.With("port", p.Path)}
	s.station = newStation(s)
	if o.Baud == 0 {
		s.rates = &rateFinder{rates: usualRates(o.Format)}
	}
	return s, nil
}

// Spoken implements [serial.Speaker].
func (s *Speaker) Spoken(now time.Time) serial.Spoken { return s.tally.spoken(now, &s.options) }

// Speak implements [serial.Speaker].
func (s *Speaker) Speak(ctx context.Context, p port.Port) error {
	now := time.Now()
	s.tally.opened(now)
	ended := make(chan struct{})
	line := &session{
		Speaker: s, port: p, queue: newQueue(ended), writes: make(chan string, maxWrites), ended: ended, free: make(chan struct{}, 1),
	}
	line.free <- struct{}{}
	parser, err := formats.New(s.options.Options)
	if err != nil {
		_ = p.Close()
		return err
	}
	line.parser = parser
	s.asked.open(line.send)
	var all sync.WaitGroup
	lost := make(chan error, 1)
	all.Go(func() { lost <- line.read(now) })
	all.Go(line.write)
	err = line.run(ctx, lost)
	close(line.ended)
	_ = p.Close()
	all.Wait()
	s.asked.close()
	s.station.disconnect(reason(ctx))
	s.tally.closed(time.Now())
	return err
}

// reason returns why senders disconnect when a port is served no longer.
func reason(ctx context.Context) string {
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), carrier.ErrUnplugged) {
		return "shutdown"
	}
	return "unplugged"
}

// A session is one time for which a port is open.
type session struct {
	*Speaker
	port   port.Port
	parser formats.Parser
	queue  *queue
	ended  chan struct{}
	writes chan string
	free   chan struct{} // its token is with whoever writes, or sets the rate

	spare    []item
	list     []formats.Event
	schedule []time.Time // when each line of Send is due; zero: never by itself
}

// read reads the port until it is lost.
func (l *session) read(opened time.Time) error {
	r := reader{port: l.port, end: l.options.End, rates: l.rates, put: l.arrived, long: l.queue.tooLong, count: l.tally.addBytes, setRate: l.setRate}
	return r.run(opened)
}

// arrived takes a line from the reader: it is an answer, or goes on to listeners.
func (l *session) arrived(i item) {
	if !i.half && l.asked.answers(i.text) {
		l.tally.line(i.text, i.at, nil)
		return
	}
	l.queue.put(i)
}

// setRate sets the rate that the finder tries, while nobody writes.
func (l *session) setRate(p port.RateSetter, rate int) error {
	select {
	case <-l.free:
	case <-l.ended:
		return errGone
	}
	err := p.SetBaud(rate)
	l.free <- struct{}{}
	l.tally.mu.Lock()
	l.tally.baud = rate
	l.tally.mu.Unlock()
	return err
}

// run takes what arrives and sends what is due until the port is lost or ctx is done.
func (l *session) run(ctx context.Context, lost <-chan error) error {
	l.start()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(time.Until(l.next()))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case err := <-lost:
			l.take(ctx)
			return err
		case <-l.queue.ready:
			l.take(ctx)
		case <-timer.C:
		}
		now := time.Now()
		l.due(now)
		l.station.timeOut(now)
	}
}

// next returns when something is due.
func (l *session) next() time.Time {
	next := time.Now().Add(time.Hour)
	sooner := func(t time.Time) {
		if !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	for _, t := range l.schedule {
		sooner(t)
	}
	sooner(l.station.deadline())
	return next
}

// take takes the lines that have arrived.
func (l *session) take(ctx context.Context) {
	items, lost, long := l.queue.take(l.spare)
	for i := range items {
		l.line(ctx, &items[i])
		items[i].text = ""
	}
	l.spare = items
	now := time.Now()
	if long > 0 {
		n := l.tally.refuse(formats.ErrLong, long, now)
		l.log.Warn("a line is longer than a line may be: it is skipped", "times", n, "most", formats.DefaultMaxLine)
	}
	if lost > 0 {
		l.tally.refuse(errOverrun, lost, now)
		l.station.lose("", "", carrier.Cause(errOverrun), lost, now)
		l.log.Warn("lines came faster than listeners took them: they are lost", "lines", lost)
	}
}

// line takes one line.
func (l *session) line(ctx context.Context, i *item) {
	if blank(i.text) && l.options.Format != formats.DSMR {
		return
	}
	if l.options.Format == formats.MySensors {
		l.mySensors(i)
	}
	var err error
	l.list, err = l.parser.Parse(l.list[:0], i.text, i.at)
	if i.half && !checked(l.options.Format) {
		l.tally.addHalf() // what is left of it may look right
		return
	}
	l.tally.line(i.text, i.at, err)
	if err != nil {
		if i.half {
			l.tally.addHalf()
			return
		}
		l.complain(err, i.text, i.at)
		l.station.refused(err, i.at)
	}
	if len(l.list) > 0 {
		l.station.take(ctx, l.parser, l.list, i)
	} else if err == nil {
		l.station.alive(i.at)
	}
}

// checked reports whether a format's lines are as a whole right or wrong, so that half a line is no line.
func checked(format string) bool {
	return format == formats.NMEA || format == formats.DSMR || format == formats.JSON
}

func blank(line string) bool {
	for i := range len(line) {
		if c := line[i]; c != ' ' && c != '\t' && c != 0 {
			return false
		}
	}
	return true
}
