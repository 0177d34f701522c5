package lines

import (
	"errors"
	"io"
	"time"

	"sighub/carrier/serial/port"
	"sighub/sensors/lines/formats"
)

// A reader makes lines of what a port brings, and looks for its rate if that is not known.
type reader struct {
	port    port.Port
	end     formats.End
	rates   *rateFinder // nil: the rate is known
	put     func(item)
	long    func(n uint64) // lines that were too long
	count   func(bytes int, at time.Time)
	setRate func(p port.RateSetter, rate int) error
}

// wholeAfter is the silence after which the first line is taken for a whole one.
const wholeAfter = 100 * time.Millisecond

// run reads until the port is lost.
func (r *reader) run(opened time.Time) error {
	splitter := formats.Splitter{End: r.end}
	buffer := make([]byte, 4096)
	first, half := true, false
	setter, settable := r.port.(port.RateSetter)
	find := r.rates != nil && settable
	if find {
		if err := r.tune(setter); err != nil {
			return err
		}
	}
	for {
		n, err := r.port.Read(buffer)
		now := time.Now()
		if data := buffer[:n]; n > 0 {
			r.count(n, now)
			if first { // a line that comes after silence is whole
				first, half = false, now.Sub(opened) < wholeAfter
			}
			if find && r.rates.note(data, now) {
				if err := r.tune(setter); err != nil {
					return err
				}
				splitter.Reset()
				half = true
				continue
			}
			long := splitter.Long
			splitter.Feed(data, now, func(line []byte, at time.Time) {
				r.put(item{text: string(line), at: at, half: half})
				half = false
			})
			if splitter.Long > long {
				r.long(splitter.Long - long)
			}
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = errors.New("the line was hung up")
			}
			return err
		}
	}
}

// tune sets the rate that the finder tries.
func (r *reader) tune(p port.RateSetter) error {
	err := r.setRate(p, r.rates.rate())
	r.rates.begin(time.Now())
	return err
}
