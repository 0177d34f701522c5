package link

import "time"

// How long the two ends try a new rate. The hub gives up first, so that the device is back when it is.
const (
	hubTrial    = 200 * time.Millisecond // for an answer to a PING
	deviceTrial = 300 * time.Millisecond // for any good frame
)

// A lineRate is how fast an end of a line runs. Its owner says what is wanted, and writes nothing until whoever moves
// the bytes has set it.
type lineRate struct {
	free bool // it may be changed
	base int  // at which HELLO is said
	now  int
	want int // to be set; 0: nothing
}

// start begins on a port that was opened at a rate.
func (r *lineRate) start(rate int) { *r = lineRate{free: r.free, base: rate, now: rate} }

// change wants another rate.
func (r *lineRate) change(rate int) {
	r.want = 0
	if r.free && rate != r.now {
		r.want = rate
	}
}

// changed notes what came of it.
func (r *lineRate) changed(rate int, err error) {
	if err == nil {
		r.now = rate
	}
	if r.want == rate {
		r.want = 0
	}
}
