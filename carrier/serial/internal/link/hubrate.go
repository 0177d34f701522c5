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

	// Noise for so long makes the hub try another rate for HELLO. The first time is longer, because a device that was left
	// at a faster rate says HELLO at the usual one after up to 4 s.
	firstNoise = 5 * time.Second
	nextNoise  = 2500 * time.Millisecond
	noisePause = 1500 * time.Millisecond // without noise, after which it begins anew
)

// fasterRates returns the rates that are offered to devices, scanRates those that are tried in turn on a line that brings
// only noise.
func fasterRates() []int { return []int{1000000, 500000, 250000} }
func scanRates() []int   { return []int{115200, 250000, 57600, 500000, 1000000, 9600} }

// A rateState is a state of the change to a faster rate.
type rateState int

const (
	rateSteady   rateState = iota
	rateOffered            // BAUD was sent, or is due
	rateChanging           // the device has agreed, and the port's rate is to be set
	rateTrying             // PINGs are sent at the new rate
	rateBack               // the trial has failed, and the device needs time to notice
)

// hubRates finds the fastest rate at which the hub and a device understand each other. During a trial nothing else is sent.
type hubRates struct {
	lineRate
	max  int // the fastest to be offered
	name string
	log  *slog.Logger

	mayOffer bool // the device's dictionary is known: a rate may be offered
	state    rateState
	trial    int // the rate on trial
	before   int // the rate before the trial
	number   uint8
	tries    int
	next     time.Time // of the next offer or PING
	until    time.Time // the end of the trial, or of rateBack
	device   string    // the device that could not do the failed rates
	failed   []int     // rates, since the port was opened

	noiseFrom, noiseLast time.Time
	scanning             bool // the rate of HELLO was changed because of noise
}

// opened begins anew on a port that was just opened.
func (r *hubRates) opened(rate int) {
	r.start(rate)
	r.mayOffer, r.state, r.failed = false, rateSteady, nil
	r.understood()
}

// toBase returns to the rate of HELLO, and ends a trial.
func (r *hubRates) toBase() {
	r.state = rateSteady
	r.change(r.base)
}

// trying reports whether a rate is on trial: only pull's frames may then be written.
func (r *hubRates) trying() bool { return r.state != rateSteady }

// candidate returns the fastest rate to offer, or 0.
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

// advance does what is due: it begins an offer, or ends one that takes too long.
func (r *hubRates) advance(now time.Time, h *wire.Hello) {
	switch r.state {
	case rateSteady:
		if !r.settable || !r.mayOffer || r.want != 0 {
			return
		}
		if r.trial = r.candidate(h); r.trial != 0 {
			r.state, r.tries, r.next, r.before = rateOffered, 0, now, r.now
			r.number = (r.number + 1) % wire.FrameNumbers
		}
	case rateOffered:
		if r.tries == offerTries && !now.Before(r.next) {
			r.log.Info("the device does not answer the offer of a faster rate", "port", r.name)
			r.state, r.mayOffer = rateSteady, false
		}
	case rateTrying:
		if !now.Before(r.until) {
			r.fail("nothing comes through", r.until.Add(deviceTrial-hubTrial))
			r.change(r.before)
		}
	case rateBack:
		if !now.Before(r.until) {
			r.state = rateSteady
		}
	}
}

// fail ends a trial. The device may stay at the failed rate until a time.
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
	r.state, r.until = rateChanging, now.Add(hubTrial) // the port's rate is set at once
	r.change(r.trial)
}

// changed notes that the port runs at a rate, or could not be set to it.
func (r *hubRates) changed(now time.Time, rate int, err error) {
	r.lineRate.changed(rate, err)
	if err != nil {
		r.log.Warn("the port's rate cannot be changed", "port", r.name, "baud", rate, "error", err)
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

// proven notes that the device has answered a PING, and reports whether that ends a trial.
func (r *hubRates) proven() bool {
	if r.state != rateTrying {
		return false
	}
	r.state = rateSteady
	r.log.Info("line now runs faster", "port", r.name, "baud", r.now)
	return true
}

// pull appends what is to be written during a trial.
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

// wake returns when something is due during a trial.
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

// noise notes bytes that are neither frames nor text, on a line without a session. If they go on for some time, the device
// may run at another rate: HELLO is then expected at the next of scanRates.
func (r *hubRates) noise(now time.Time) {
	if !r.settable {
		return
	}
	if r.noiseFrom.IsZero() || now.Sub(r.noiseLast) > noisePause {
		r.noiseFrom = now
	}
	r.noiseLast = now
	spell := nextNoise
	if !r.scanning {
		spell = firstNoise
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

// understood notes a frame that arrived whole.
func (r *hubRates) understood() { r.noiseFrom, r.scanning = time.Time{}, false }
