package link

import (
	"log/slog"
	"slices"
	"time"

	"sighub/carrier/serial/internal/wire"
)

const (
	offerEvery = 150 * time.Millisecond
	offerTries = 4
	trialPings = 50 * time.Millisecond // between two PINGs at a new rate
	firstSpell = 5 * time.Second       // of noise, after which another rate is tried for HELLO: a device that was left at a
	// faster rate says it at the usual one within 4 s
	noiseSpell = 2500 * time.Millisecond // at each further rate
	noisePause = 1500 * time.Millisecond // without noise, after which a spell of it is over
)

// fasterRates are offered to devices, and scanRates are tried in turn where a device cannot be understood.
func fasterRates() []int { return []int{1000000, 500000, 250000} }
func scanRates() []int   { return []int{115200, 250000, 57600, 500000, 1000000, 9600} }

// A rateState is how far the change to a faster rate has come.
type rateState int

const (
	rateSteady   rateState = iota
	rateOffered            // BAUD was sent, or is to be
	rateChanging           // the device has agreed: our end is to be changed
	rateTrying             // PINGs are sent at the new rate
	rateBack               // it was no good: the device is given the time to find that out
)

// hubRates find the fastest rate that the device on a line can do. Until one is settled nothing else is sent.
type hubRates struct {
	lineRate
	max  int // to be offered
	name string
	log  *slog.Logger

	ready  bool // offers may be made: the device's dictionary is known
	state  rateState
	trial  int // the rate that is tried
	old    int // the one before it
	number uint8
	tries  int
	next   time.Time // of the next offer or PING
	until  time.Time // the end of the trial, or of the way back
	device string    // that on which rates have failed
	failed []int     // since the port was opened

	noiseFrom, noiseLast time.Time
	scanning             bool // the rate was changed because of noise
}

// opened begins anew on a port.
func (r *hubRates) opened(rate int) {
	r.start(rate)
	r.ready, r.state, r.failed = false, rateSteady, nil
	r.understood()
}

// settle goes back to the rate at which HELLO is said, and forgets what was being tried.
func (r *hubRates) settle() {
	r.state = rateSteady
	r.change(r.base)
}

// trying tells whether only frames of r may be written.
func (r *hubRates) trying() bool { return r.state != rateSteady }

// candidate returns the fastest rate to offer; 0 if there is none.
func (r *hubRates) candidate(h *wire.Hello) int {
	if r.device != h.ID() {
		r.device, r.failed = h.ID(), nil
	}
	for _, rate := range fasterRates() {
		if rate <= r.now {
			break
		}
		if rate <= r.max && uint32(rate) <= h.FastestBaud && !slices.Contains(r.failed, rate) {
			return rate
		}
	}
	return 0
}

// advance does what is due: it begins an offer, or ends what has taken too long.
func (r *hubRates) advance(now time.Time, h *wire.Hello) {
	switch r.state {
	case rateSteady:
		if !r.free || !r.ready || r.want != 0 {
			return
		}
		if r.trial = r.candidate(h); r.trial != 0 {
			r.state, r.tries, r.next, r.old = rateOffered, 0, now, r.now
			r.number = (r.number + 1) % wire.FrameNumbers
		}
	case rateOffered:
		if r.tries == offerTries && !now.Before(r.next) {
			r.log.Info("the device does not answer the offer of a faster rate", "port", r.name)
			r.state, r.ready = rateSteady, false
		}
	case rateTrying:
		if !now.Before(r.until) {
			r.fail("nothing comes through", r.until.Add(deviceTrial-hubTrial))
			r.change(r.old)
		}
	case rateBack:
		if !now.Before(r.until) {
			r.state = rateSteady
		}
	}
}

// fail gives a rate up. Until then the device may be at it.
func (r *hubRates) fail(why string, until time.Time) {
	r.log.Info("line cannot run so fast", "port", r.name, "baud", r.trial, "reason", why)
	r.failed = append(r.failed, r.trial)
	r.state, r.until = rateBack, until
}

// answered takes the device's answer to an offer.
func (r *hubRates) answered(now time.Time, f wire.Frame) {
	in := wire.Items{Rest: f.Payload}
	rate := in.Uint("the rate", 1<<32-1)
	if in.Err != nil || r.state != rateOffered || f.Number != r.number || r.tries == 0 {
		return
	}
	if rate != uint64(r.trial) {
		r.fail("the device refuses", now)
		return
	}
	r.state, r.until = rateChanging, now.Add(hubTrial) // set at once by whoever moves the bytes
	r.change(r.trial)
}

// changed notes that the port has another rate, or could not be given it.
func (r *hubRates) changed(now time.Time, rate int, err error) {
	r.lineRate.changed(rate, err)
	if err != nil {
		r.log.Warn("the port does not take another rate", "port", r.name, "baud", rate, "error", err)
	}
	if r.state != rateChanging || rate != r.trial {
		return
	}
	if err != nil {
		r.fail("the port cannot be set to it", now.Add(deviceTrial))
		return
	}
	r.state, r.next, r.until = rateTrying, now, now.Add(hubTrial)
}

// proven notes that the device has answered a PING; it returns whether that ends a trial.
func (r *hubRates) proven() bool {
	if r.state != rateTrying {
		return false
	}
	r.state = rateSteady
	r.log.Info("line now runs faster", "port", r.name, "baud", r.now)
	return true
}

// pull appends what is to be written while a rate is tried.
func (r *hubRates) pull(now time.Time, dst []byte, l *Link) []byte {
	if now.Before(r.next) {
		return dst
	}
	switch {
	case r.state == rateOffered && r.tries < offerTries:
		r.tries++
		r.next = now.Add(offerEvery)
		return l.append(dst, wire.Frame{Kind: wire.FrameBaud, Number: r.number, Payload: wire.AppendUint(nil, uint64(r.trial))})
	case r.state == rateTrying:
		r.next = now.Add(trialPings)
		return l.ask(now, append(dst, 0))
	}
	return dst
}

// wake returns when something is due while a rate is tried.
func (r *hubRates) wake() time.Time {
	switch r.state {
	case rateOffered:
		return r.next
	case rateTrying:
		return earliest(r.next, r.until)
	default:
		return r.until
	}
}

// noise notes bytes that are neither frames nor text, on a line without a session. When they go on for some time, the
// rate may be another one: HELLO then is waited for at the next.
func (r *hubRates) noise(now time.Time) {
	if !r.free {
		return
	}
	if r.noiseFrom.IsZero() || now.Sub(r.noiseLast) > noisePause {
		r.noiseFrom = now
	}
	r.noiseLast = now
	spell := noiseSpell
	if !r.scanning {
		spell = firstSpell
	}
	if now.Sub(r.noiseFrom) < spell || r.want != 0 {
		return
	}
	r.noiseFrom, r.scanning = time.Time{}, true
	rates := scanRates()
	r.base = rates[(slices.Index(rates, r.base)+1)%len(rates)]
	r.log.Info("nothing but noise is heard: trying another rate", "port", r.name, "baud", r.base)
	r.change(r.base)
}

// understood notes a good frame.
func (r *hubRates) understood() { r.noiseFrom, r.scanning = time.Time{}, false }
