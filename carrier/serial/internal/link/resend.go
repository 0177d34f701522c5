package link

import "time"

const (
	firstResend = 50 * time.Millisecond // of a device, and of a hub that has not measured a round trip
	minResend   = 25 * time.Millisecond
	maxResend   = time.Second
)

// A resendTimer says how long to wait for an answer before a frame is sent again. The hub measures round trips as in RFC
// 6298; a device, which may be small, waits 50 ms. Both double the time with each try, up to a second.
type resendTimer struct {
	measures  bool
	srtt      time.Duration
	rttvar    time.Duration
	doublings uint
}

// sample notes how long an answer took. The frame must have been sent once only (Karn's algorithm).
func (r *resendTimer) sample(rtt time.Duration) {
	if !r.measures {
		return
	}
	if r.srtt == 0 {
		r.srtt, r.rttvar = rtt, rtt/2
		return
	}
	r.rttvar += (max(r.srtt-rtt, rtt-r.srtt) - r.rttvar) / 4
	r.srtt += (rtt - r.srtt) / 8
}

func (r *resendTimer) timeout() time.Duration {
	t := firstResend
	if r.measures && r.srtt > 0 {
		t = max(r.srtt+4*r.rttvar, minResend)
	}
	return min(t<<r.doublings, maxResend)
}

func (r *resendTimer) double()   { r.doublings = min(r.doublings+1, 6) }
func (r *resendTimer) progress() { r.doublings = 0 }
