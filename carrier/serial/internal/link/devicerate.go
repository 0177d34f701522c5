package link

import (
	"time"

	"sighub/carrier/serial/internal/wire"
)

// deviceRates changes a device's rate when the hub offers a faster one.
type deviceRates struct {
	lineRate
	fastest int // bits per second that the device can do; 0: the rate stays

	due    bool // the answer to an offer is due
	number uint8
	reply  int
	before int
	until  time.Time // the end of the trial; zero: none is on
}

// offered takes the hub's offer of a rate.
func (r *deviceRates) offered(f wire.Frame) {
	in := wire.Items{Rest: f.Payload}
	rate := in.Uint("the rate", 1<<31-1)
	if in.Err != nil {
		return
	}
	r.due, r.number, r.reply = true, f.Number, 0
	if r.settable && rate > 0 && rate <= uint64(r.fastest) {
		r.reply = int(rate)
	}
}

// answer appends the answer to an offer. Nothing follows it at the old rate.
func (r *deviceRates) answer(dst []byte, l *Link) []byte {
	r.due = false
	if r.reply != 0 {
		r.before = r.now
		r.change(r.reply)
	}
	return l.append(dst, wire.Frame{Kind: wire.FrameBaud, Number: r.number, Payload: wire.AppendUint(nil, uint64(r.reply))})
}

// toBase returns to the rate of HELLO.
func (r *deviceRates) toBase() {
	r.due, r.reply, r.until = false, 0, time.Time{}
	r.change(r.base)
}

// changed notes that the port runs at a rate, or could not be set to it. The rate of HELLO needs no trial.
func (r *deviceRates) changed(now time.Time, rate int, err error) {
	if err == nil && r.want == rate && rate == r.reply && rate != r.base {
		r.until = now.Add(deviceTrial)
	}
	r.lineRate.changed(rate, err)
}

// advance ends a trial in which nothing was heard.
func (r *deviceRates) advance(now time.Time) {
	if !r.until.IsZero() && !now.Before(r.until) {
		r.until, r.reply = time.Time{}, 0
		r.change(r.before)
	}
}
