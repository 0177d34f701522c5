package fault

import (
	"fmt"
	"time"
)

// Options describe a line. The zero value is a perfect line without a limit of its rate.
type Options struct {
	// Seed is the seed of all random numbers: the same seed does the same harm to the same bytes.
	Seed uint64

	// ToHub and ToDevice are what happens to the bytes that go in either direction.
	ToHub, ToDevice Harm

	// Cut is the mean time until the line is cut. Each time is exponentially distributed, and at least 1 ms. 0: the line is
	// never cut.
	Cut time.Duration
	// Away is how long the line is then cut. Default 1 s.
	Away time.Duration

	// Boot is what the device prints whenever the line is opened, as boards do that are reset by it; up to 4096
	// bytes. [ESP32] has an example. It keeps to the baud rate and the delay, and suffers no other harm.
	Boot string
}

// Harm is what happens to the bytes of one direction. The zero value does no harm.
type Harm struct {
	// Chances, from 0 to 1.
	Flip   float64 // that a bit is flipped
	Lose   float64 // that a byte is lost
	Double float64 // that a byte comes twice
	Insert float64 // that a byte that was not sent precedes one that was
	Drop   float64 // that a frame is lost
	Repeat float64 // that a frame comes twice; frames longer than 8 KiB do not

	// Delay is how late bytes are. It is drawn anew for each frame and after each 64 bytes, which is what a USB adapter sends
	// at once. No byte overtakes another.
	Delay Range
	// Baud is how many bits per second the line takes, ten for each byte: 50 to 100,000,000. 0: no limit.
	Baud int
}

// A Range is the times from Min to Max, both included. Max is at most 10 s.
type Range struct{ Min, Max time.Duration }

const (
	minBaud, maxBaud = 50, 100_000_000
	maxDelay         = 10 * time.Second
	minUp            = time.Millisecond
	defaultAway      = time.Second
	maxBoot          = 4096 // bytes
)

func (o Options) check() error {
	for _, h := range []Harm{o.ToHub, o.ToDevice} {
		if err := h.check(); err != nil {
			return err
		}
	}
	switch {
	case o.Cut < 0 || o.Cut > 0 && o.Cut < minUp:
		return fmt.Errorf("fault: a cut every %s is out of range: give %s or more", o.Cut, minUp)
	case o.Away < 0 || o.Away > 0 && o.Away < minUp:
		return fmt.Errorf("fault: being away for %s is out of range: give %s or more", o.Away, minUp)
	case len(o.Boot) > maxBoot:
		return fmt.Errorf("fault: a boot text of %d bytes is longer than %d", len(o.Boot), maxBoot)
	}
	return nil
}

func (h *Harm) check() error {
	for _, c := range []struct {
		name string
		p    float64
	}{{"flip", h.Flip}, {"lose", h.Lose}, {"double", h.Double}, {"insert", h.Insert}, {"drop", h.Drop}, {"repeat", h.Repeat}} {
		if !(c.p >= 0 && c.p <= 1) { // NaN is neither
			return fmt.Errorf("fault: %s must be a chance from 0 to 1, as in 1e-4 or 1%%, not %v", c.name, c.p)
		}
	}
	switch {
	case h.Delay.Min < 0 || h.Delay.Max < h.Delay.Min || h.Delay.Max > maxDelay:
		return fmt.Errorf("fault: a delay of %s to %s is out of range: give times from 0 to %s, the shorter one first",
			h.Delay.Min, h.Delay.Max, maxDelay)
	case h.Baud != 0 && (h.Baud < minBaud || h.Baud > maxBaud):
		return fmt.Errorf("fault: %d baud are out of range: give %d to %d", h.Baud, minBaud, maxBaud)
	}
	return nil
}
