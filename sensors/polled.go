package sensors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"
)

// A polled is a Source in a Poller, with its sensor while that is open and its sender while that is connected.
type polled struct {
	Source
	bus  *bus
	log  *slog.Logger
	base time.Time // when the next reading is planned, without jitter
	due  time.Time // the same with jitter

	sensor     Sensor     // nil: not open
	quantities []Quantity // of the open sensor
	outputs    []*output
	samples    [][]float64
	why        []error // why the latest sample has no value for a quantity
	still      []still
	sender     Sender
	failures   int           // in a row
	gone       bool          // the sensor has failed, and that was logged
	retry      time.Duration // how long to wait after the next failure
	refused    bool          // the hub did not accept the latest reading
	late       bool          // the latest reading ended after the next one was due

	counts tally
}

var errHung = errors.New("the bus did not answer for too long")

func newPolled(b *bus, s Source) *polled {
	return &polled{Source: s, bus: b, log: b.poller.log.With("sender", s.Sender, "bus", s.Bus)}
}

// plan sets the time of the next reading.
func (s *polled) plan(base time.Time) {
	s.base, s.due = base, base
	if s.Jitter > 0 {
		s.due = base.Add(rand.N(s.Jitter))
	}
}

// turn takes a reading, reports it, and plans the next one.
func (s *polled) turn(ctx context.Context) {
	opened := s.sensor == nil
	err := s.read(ctx)
	if ctx.Err() != nil {
		return
	}
	if err != nil && s.failed(err) {
		s.plan(time.Now().Add(s.backoff()))
		s.due = s.base
		return
	}
	if err == nil {
		s.answered(ctx)
		s.report(ctx)
	}
	s.plan(s.next(time.Now(), opened))
}

// next returns when to take the next reading. It skips times that have passed, so that a bus that is too slow for its sensors
// does not fall further and further behind. It warns of that, but not after opening a sensor, which takes longer than a
// reading.
func (s *polled) next(now time.Time, opened bool) time.Time {
	next := s.base.Add(s.Period)
	late := now.Sub(next.Add(s.Jitter))
	if late <= 0 {
		s.late = false
		return next
	}
	if !s.late && !opened {
		s.log.Warn("readings are left out because the bus is too slow for its sensors: give them a longer period",
			"period", s.Period, "late", late)
	}
	s.late = s.late || !opened
	return next.Add(late.Truncate(s.Period) + s.Period)
}

// read opens the sensor if necessary, and takes the samples of one reading.
func (s *polled) read(ctx context.Context) error {
	if s.sensor == nil {
		if err := s.open(ctx); err != nil {
			return err
		}
	}
	for _, o := range s.outputs {
		o.begin()
	}
	for _, values := range s.samples {
		start := time.Now()
		s.bus.enter()
		err := s.sensor.Read(ctx, values)
		hung := s.bus.leave()
		if err = s.judge(values, err); err == nil && hung {
			err = errHung
		}
		if err != nil {
			return err
		}
		end := time.Now()
		for _, o := range s.outputs {
			if why := s.why[o.index]; why != nil {
				o.why = why
			}
			o.add(values[o.index], start, end)
		}
	}
	for _, o := range s.outputs {
		o.end()
	}
	return s.missing()
}

func (s *polled) open(ctx context.Context) error {
	s.bus.enter()
	sensor, err := s.Open(ctx)
	hung := s.bus.leave()
	if err != nil {
		return err
	}
	s.sensor = sensor
	if hung {
		return errHung
	}
	s.quantities = sensor.Quantities()
	s.why, s.still = make([]error, len(s.quantities)), make([]still, len(s.quantities))
	if s.outputs, err = newOutputs(&s.Source, s.quantities); err != nil {
		return err
	}
	s.samples = make([][]float64, s.Samples)
	for i := range s.samples {
		s.samples[i] = make([]float64, len(s.quantities))
	}
	return nil
}

func (s *polled) close() {
	if s.sensor == nil {
		return
	}
	s.bus.enter()
	err := s.sensor.Close()
	s.bus.leave()
	s.sensor = nil
	if err != nil {
		s.log.Debug("closing a sensor failed", "error", err) // it is gone in any case
	}
}

// failed records a failure and reports whether the sensor counts as gone. If so, it is closed and disconnected.
func (s *polled) failed(err error) bool {
	s.failures++
	failed := s.counts.failed.Add(1)
	connected := s.sender != nil
	if connected && s.failures < s.bus.poller.opts.Failures {
		s.log.Log(context.Background(), rarely(failed), "a reading failed", "failed", failed, "error", err)
		for _, o := range s.outputs {
			o.lost(time.Now())
		}
		return false
	}
	s.close()
	s.disconnect("failed: " + err.Error())
	if s.gone {
		s.log.Debug("a sensor still gives no reading", "error", err)
	} else {
		s.log.Warn("a sensor gives no reading: trying again until it does", "error", err)
	}
	s.gone = true
	return true
}

// backoff returns how long to wait before trying the sensor again.
func (s *polled) backoff() time.Duration {
	o := &s.bus.poller.opts
	wait := max(s.retry, o.RetryMin)
	s.retry = min(2*wait, o.RetryMax)
	return wait
}

// answered records that the sensor has answered, and connects its sender if necessary. If the hub does not accept it, the next
// reading tries again.
func (s *polled) answered(ctx context.Context) {
	s.failures, s.retry = 0, 0
	s.counts.readings.Add(1)
	if s.sender != nil {
		return
	}
	events, units := make([]string, len(s.outputs)), make([]string, len(s.outputs))
	for i, o := range s.outputs {
		events[i], units[i] = o.Event, o.Unit
		o.restart()
	}
	sender, err := s.bus.poller.hub.Connect(ctx, s.Sender, events, units)
	if err != nil {
		if !s.refused && ctx.Err() == nil {
			s.log.Warn("the hub does not accept a sensor's sender: trying again with each reading", "error", err)
		}
		s.refused = true
		return
	}
	s.sender, s.gone, s.refused = sender, false, false
	s.log.Info("a sensor has answered", "events", strings.Join(events, ", "))
}

func (s *polled) disconnect(reason string) {
	if s.sender == nil {
		return
	}
	s.sender.Disconnect(reason)
	s.sender = nil
}

// report sends the readings that are to be reported.
func (s *polled) report(ctx context.Context) {
	if s.sender == nil {
		return
	}
	s.tellLosses(ctx)
	refused := false
	for i, o := range s.outputs {
		r, ok := o.reading()
		if !ok {
			continue
		}
		if err := s.sender.Report(ctx, i, r); err != nil {
			if !s.refused && !refused {
				s.log.Warn("the hub does not accept a reading", "event", o.Event, "error", err)
			}
			refused = true
		}
	}
	s.refused = refused
}

// newOutputs returns an output for each Output of the source, or for each quantity if it has none.
func newOutputs(source *Source, quantities []Quantity) ([]*output, error) {
	wanted := source.Outputs
	if len(wanted) == 0 {
		for _, q := range quantities {
			wanted = append(wanted, Output{Quantity: q.Name, Event: q.Name, Factor: 1})
		}
	}
	outputs := make([]*output, len(wanted))
	for i, w := range wanted {
		var names []string
		for j, q := range quantities {
			if names = append(names, q.Name); q.Name == w.Quantity {
				outputs[i] = newOutput(w, q, j, source)
			}
		}
		if outputs[i] == nil {
			return nil, fmt.Errorf("sensors: the sensor does not measure %q, only %s", w.Quantity, strings.Join(names, ", "))
		}
	}
	return outputs, nil
}
