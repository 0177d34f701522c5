package serial

import "time"

const (
	clockSamples = 8
	clockDrift   = 100e-6                 // how wrong a device's quartz may be, as a part of the time that passed
	helloTrip    = 100 * time.Millisecond // taken for a HELLO's way, of which nothing is known
)

// A clock tells when a device's ticks were. Ticks on the line count modulo 2^32; here they do not wrap.
type clock struct {
	rate    float64 // ticks per second
	samples []clockSample
	ticks   int64 // the latest known
	at      time.Time
}

type clockSample struct {
	ticks int64
	at    time.Time     // the middle of the round trip
	trip  time.Duration // how long it took
}

func newClock(ticksPerSecond uint32) clock { return clock{rate: float64(ticksPerSecond)} }

// sample notes that the device's clock stood at ticks at some time between sent and heard.
func (c *clock) sample(ticks uint32, sent, heard time.Time) {
	trip := heard.Sub(sent)
	c.ticks, c.at = c.extend(ticks, heard), heard
	if len(c.samples) == clockSamples {
		c.samples = append(c.samples[:0], c.samples[1:]...)
	}
	c.samples = append(c.samples, clockSample{ticks: c.ticks, at: sent.Add(trip / 2), trip: trip})
}

// extend returns the count of ticks that is ticks modulo 2^32 and nearest to what the clock shows now: right for
// times less than 2^31 ticks away.
func (c *clock) extend(ticks uint32, now time.Time) int64 {
	if c.at.IsZero() {
		return int64(ticks)
	}
	expected := c.ticks + int64(now.Sub(c.at).Seconds()*c.rate)
	return expected + int64(int32(ticks-uint32(expected)))
}

// time returns when the ticks were, and how far that may be off. No reading is from the future: a time after now
// is now.
func (c *clock) time(ticks int64, now time.Time) (time.Time, time.Duration) {
	var best time.Time
	uncertainty := time.Duration(-1)
	for _, s := range c.samples {
		seconds := min(max(float64(ticks-s.ticks)/c.rate, -1e9), 1e9)
		u := s.trip/2 + time.Duration(1e9/c.rate) + time.Duration(1e9*clockDrift*max(seconds, -seconds))
		if uncertainty < 0 || u <= uncertainty {
			best, uncertainty = s.at.Add(time.Duration(seconds*1e9)), u
		}
	}
	if best.After(now) || uncertainty < 0 {
		best = now
	}
	return best, max(uncertainty, 0)
}
