package link

import "time"

// How long the two ends try a new rate. The hub gives up first, and then waits until the device has done so as well.
const (
	hubTrial    = 200 * time.Millisecond // for an answer to a PING
	deviceTrial = 300 * time.Millisecond // for any good frame
)

// A lineRate is the rate of one end of a line. While another one is wanted, the end writes nothing.
type lineRate struct {
	settable bool // the port's rate may be changed
	base     int  // the rate of HELLO
	now      int
	want     int // to be set; 0: none
}

// start begins on a port that was just opened at a rate.
func (r *lineRate) start(rate int) { *r = lineRate{settable: r.settable, base: rate, now: rate} }

// change asks for another rate.
func (r *lineRate) change(rate int) {
	r.want = 0
	if r.settable && rate != r.now {
		r.want = rate
	}
}

// changed notes that the port runs at a rate, or could not be set to it.
func (r *lineRate) changed(rate int, err error) {
	if err == nil {
		r.now = rate
	}
	if r.want == rate {
		r.want = 0
	}
}
