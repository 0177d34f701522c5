package lines

import (
	"context"
	"time"

	"sighub/carrier/serial/port"
	"sighub/sensors/lines/formats"
)

// Heard is what [Watch] has heard: a line, or that the rate of the port has changed.
type Heard struct {
	Line   string
	At     time.Time // when its first byte came
	Half   bool      // its beginning may be missing
	Events []formats.Event
	Err    error // why the line is refused, or a value in it
	Baud   int   // the rate that is tried now, if there is no line
}

// Watch reads lines from a port until it is lost or ctx is done, closes it, and tells what a format makes of each line. It writes
// nothing. Without a format, lines are told as they are. The rate is found if it is 0 in the options.
func Watch(ctx context.Context, p port.Port, o Options, tell func(Heard)) error {
	var parser formats.Parser
	if o.Format != "" {
		var err error
		if parser, err = formats.New(o.Options); err != nil {
			_ = p.Close()
			return err
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = p.Close() })
	defer stop()
	defer func() { _ = p.Close() }()
	r := reader{
		port: p, end: o.End,
		put: func(i item) {
			h := Heard{Line: i.text, At: i.at, Half: i.half}
			if parser != nil && !(blank(i.text) && o.Format != formats.DSMR) {
				h.Events, h.Err = parser.Parse(nil, i.text, i.at)
			}
			tell(h)
		},
		long: func(uint64) { tell(Heard{Err: formats.ErrLong, At: time.Now()}) },
		setRate: func(p port.RateSetter, rate int) error {
			tell(Heard{Baud: rate})
			return p.SetBaud(rate)
		},
	}
	if o.Baud == 0 {
		r.rates = &rateFinder{rates: usualRates(o.Format)}
	}
	err := r.run(time.Now())
	if ctx.Err() != nil {
		return nil
	}
	return err
}
