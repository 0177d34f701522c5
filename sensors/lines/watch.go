package lines

import (
	"context"
	"time"

	"sighub/carrier/serial/port"
	"sighub/sensors/lines/formats"
)

// Heard is what a [Watcher] has heard: a line, or that the rate of the port has changed.
type Heard struct {
	Line   string
	At     time.Time // when its first byte came
	Half   bool      // its beginning may be missing
	Events []formats.Event
	Err    error // why the line is refused, or a value in it
	Baud   int   // the rate that is tried now, if there is no line
}

// A Watcher watches what a port brings.
type Watcher struct {
	// Tell is called with what is heard, by the goroutine of Watch.
	Tell   func(Heard)
	parser formats.Parser
	dsmr   bool
}

// Use has the format of the lines that follow changed. Only Tell may call it while Watch runs.
func (w *Watcher) Use(o formats.Options) (err error) {
	w.parser, err = formats.New(o)
	w.dsmr = o.Format == formats.DSMR
	return err
}

// Watch reads lines from a port until it is lost or ctx is done, closes it, and tells what the format that is used makes of each line.
// It writes nothing. Without a format, lines are told as they are. The rate is found if baud is 0, and told.
func (w *Watcher) Watch(ctx context.Context, p port.Port, baud int, end formats.End) error {
	stop := context.AfterFunc(ctx, func() { _ = p.Close() })
	defer stop()
	defer func() { _ = p.Close() }()
	r := reader{
		port: p, end: end,
		put: func(i item) {
			h := Heard{Line: i.text, At: i.at, Half: i.half}
			if w.parser != nil && (w.dsmr || !blank(i.text)) {
				h.Events, h.Err = w.parser.Parse(nil, i.text, i.at)
			}
			w.Tell(h)
		},
		count: func(int, time.Time) {},
		long:  func(uint64) { w.Tell(Heard{Err: formats.ErrLong, At: time.Now()}) },
		setRate: func(p port.RateSetter, rate int) error {
			w.Tell(Heard{Baud: rate})
			return p.SetBaud(rate)
		},
	}
	if baud == 0 {
		r.rates = &rateFinder{rates: usualRates("")}
	}
	err := r.run(time.Now())
	if ctx.Err() != nil {
		return nil
	}
	return err
}
