package sensors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
	"time"
)

// A Tally says how many readings of a source were good and how many failed, since NewPoller. Values that are missing in good
// readings, because they failed alone, are counted in Missing.
type Tally struct {
	Sender                    string
	Readings, Failed, Missing uint64
}

type tally struct{ readings, failed, missing atomic.Uint64 }

// Tallies returns the tallies of the sources, in their order by bus.
func (p *Poller) Tallies() []Tally {
	var all []Tally
	for _, b := range p.buses {
		for _, s := range b.pollers {
			all = append(all, Tally{s.Sender, s.counts.readings.Load(), s.counts.failed.Load(), s.counts.missing.Load()})
		}
	}
	return all
}

// judge holds the values of one sample, and Read's error, against what the sensor can measure. Nothing else may let a value
// become an event. It makes each value that failed NaN and says why, or returns why the whole reading has failed.
func (s *polled) judge(values []float64, err error) error {
	partial, ok := errors.AsType[PartialError](err)
	if err != nil && !ok {
		return err
	}
	for i := range s.quantities {
		why := partial.at(i)
		if why == nil && !math.IsNaN(values[i]) {
			why = s.quantities[i].Check(values[i])
			if why != nil {
				why = s.named(why)
			}
			if why != nil && !s.quantities[i].Separate {
				return why
			}
		}
		if s.why[i] = why; why != nil {
			values[i] = math.NaN()
		} else if q := &s.quantities[i]; q.Noisy && s.still[i].watch(values[i], time.Now()) {
			s.log.Warn("a value has not changed for an hour, although it always has noise: the device may hang, so switch its power "+
				"off and on", "quantity", q.Name, "value", values[i])
		}
	}
	return nil
}

// named adds the sensor's own name to an error, if it has one.
func (s *polled) named(err error) error {
	if name, ok := s.sensor.(fmt.Stringer); ok {
		return fmt.Errorf("%s: %w", name, err)
	}
	return err
}

// missing counts and logs the values that are missing because they failed. If there is no other value, that is an error: the
// reading has failed.
func (s *polled) missing() error {
	var failed error
	some := false
	for _, o := range s.outputs {
		if some = some || len(o.samples) > 0; len(o.samples) == 0 && o.why != nil {
			failed = o.why
		}
	}
	if failed == nil || !some {
		return failed
	}
	for _, o := range s.outputs {
		if len(o.samples) == 0 && o.why != nil {
			o.left++
			o.lost(time.Now())
			s.counts.missing.Add(1)
			s.log.Log(context.Background(), rarely(o.left), "a value is left out, because it is not valid", "event", o.Event,
				"times", o.left, "error", o.why)
		}
	}
	return nil
}

// rarely returns the level to log the nth failure at.
func rarely(n uint64) slog.Level {
	if seldom(n) {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// seldom reports whether people are to see the nth failure: the first, the tenth, the hundredth and so on.
func seldom(n uint64) bool {
	for n >= 10 && n%10 == 0 {
		n /= 10
	}
	return n == 1
}
