package link

import (
	"slices"
	"time"
)

// Assumptions about devices' clocks. A clock's drift is how much longer its second is than a second, as a fraction: a drift
// of 100e-6 loses 100 µs per second.
const (
	// maxDrift bounds the drift at first. Ceramic resonators are off by up to 0.5 %, quartz by 20 to 100 ppm.
	maxDrift = 0.006
	// worstDrift bounds that of a clock that proves to be worse: an RC oscillator with which a serial line barely works.
	worstDrift = 0.1
	// wander bounds how much the drift changes per second. Temperature does it: the rate of quartz changes by about 1 ppm
	// per °C some 15 °C away from its best temperature (0.035 ppm per °C²), that of a resonator by up to 40 ppm per °C.
	// This is a resonator that warms by 9 °C in an hour.
	wander = 0.1e-6

	clockSamples = 16
	// horizon is the age in seconds at which a sample says little: by then the wander may have caused 18 ms, which is
	// longer than most round trips.
	horizon = 600
	// farthest bounds times, in seconds from a sample: 30 years, so that nanoseconds do not overflow.
	farthest = 1e9

	// wellKnown is the uncertainty at which further samples are not worth their bytes: that of a round trip of 5 ms and
	// ticks of 1 ms.
	wellKnown = 4 * time.Millisecond

	// helloTrip is how long a HELLO is assumed to be on its way.
	helloTrip = 100 * time.Millisecond
)

// A Clock knows when a device's clock showed which ticks. Each of its samples says that the clock showed ticks at some
// moment between sent and heard, and nothing about which moment. Two samples bound the drift between them; given the drift,
// each sample bounds the time of any ticks. The truth lies in the intersection of all bounds, and the uncertainty is half of
// its width. So a slow round trip is harmless. On the line ticks count modulo 2^32; here they do not wrap.
type Clock struct {
	rate       float64       // ticks per second, as HELLO says
	start      time.Time     // to which the samples' times relate
	samples    []clockSample // which agree with each other, oldest first
	limit      float64       // the drift is assumed to lie within ±limit
	low        float64       // bounds of the drift at the newest sample
	high       float64
	stoodStill float64 // seconds that it may have stood still since the newest sample
	slept      bool    // it most probably stood still right after that sample
}

type clockSample struct {
	ticks       int64
	sent, heard float64 // seconds after the clock's start
}

func newClock(ticksPerSecond uint32) Clock {
	return Clock{rate: float64(ticksPerSecond), limit: maxDrift, low: -maxDrift, high: maxDrift}
}

// Known reports whether there is a sample.
func (c *Clock) Known() bool { return len(c.samples) > 0 }

// Drift returns the bounds of the drift.
func (c *Clock) Drift() (low, high float64) { return c.low, c.high }

// every returns after how long to ask the device for its clock again: seldom, if it will be known well enough until then.
func (c *Clock) every(often, seldom time.Duration) time.Duration {
	lower, upper := c.bounds(c.newest().ticks + int64(seldom.Seconds()*c.rate))
	if duration(upper-lower)/2 > wellKnown {
		return often
	}
	return seldom
}

func (c *Clock) newest() clockSample { return c.samples[len(c.samples)-1] }

// seconds returns how long ticks last if there is no drift.
func (c *Clock) seconds(ticks int64) float64 {
	return min(max(float64(ticks)/c.rate, -farthest), farthest)
}

// sample notes that the device's clock showed ticks at some moment between sent and heard. If that contradicts older
// samples, the clock was set, or wanders more than is assumed, and these are forgotten.
func (c *Clock) sample(ticks uint32, sent, heard time.Time) {
	if !c.Known() {
		c.start = heard
	}
	c.stoodStill, c.slept = 0, false
	c.samples = append(c.samples, clockSample{
		ticks: c.extend(ticks, heard), sent: sent.Sub(c.start).Seconds(), heard: heard.Sub(c.start).Seconds(),
	})
	if len(c.samples) > clockSamples {
		c.thin()
	}
	for !c.fit() {
		c.samples = slices.Delete(c.samples, 0, 1)
		if len(c.samples) == 1 { // not even the latest two agree: the drift may exceed the limit
			c.limit = min(2*c.limit, worstDrift)
		}
	}
}

// fit bounds the drift by all samples. It reports whether they agree.
func (c *Clock) fit() bool {
	c.low, c.high = -c.limit, c.limit
	newest := c.newest()
	for j, b := range c.samples {
		for _, a := range c.samples[:j] {
			ticks := b.ticks - a.ticks
			if ticks < 0 {
				return false
			}
			// A clock that shows n stands between n and n+1. The mean drift between two samples differs from that at
			// the newest one by the wander since their middle.
			slack := wander * c.seconds(newest.ticks-a.ticks+newest.ticks-b.ticks) / 2
			c.low = max(c.low, (b.sent-a.heard)/c.seconds(ticks+1)-1-slack)
			if ticks > 1 {
				c.high = min(c.high, (b.heard-a.sent)/c.seconds(ticks-1)-1+slack)
			}
		}
	}
	return c.low <= c.high
}

// thin removes a sample: the oldest if it is beyond the horizon; else, of the two that lie closest together for their age,
// the one with the longer round trip. So all of the latest remain, and the others reach far back.
func (c *Clock) thin() {
	now := c.newest().heard
	if now-c.samples[0].heard > horizon {
		c.samples = slices.Delete(c.samples, 0, 1)
		return
	}
	closest, at := 1.0, 1
	for i := 1; i < len(c.samples)-1; i++ {
		a, b := c.samples[i-1], c.samples[i]
		if gap := (b.heard - a.heard) / (now - a.heard); gap < closest {
			closest, at = gap, i
		}
	}
	a, b := c.samples[at-1], c.samples[at]
	if a.heard-a.sent > b.heard-b.sent {
		at--
	}
	c.samples = slices.Delete(c.samples, at, at+1)
}

// extend returns the count that is ticks modulo 2^32 and nearest to what the clock shows now. It is right if that is less
// than 2^31 ticks away.
func (c *Clock) extend(ticks uint32, now time.Time) int64 {
	if !c.Known() {
		return int64(ticks)
	}
	expected := c.Now(now)
	return expected + int64(int32(ticks-uint32(expected)))
}

// Now returns about what the clock shows at a time.
func (c *Clock) Now(now time.Time) int64 {
	passed := (now.Sub(c.start).Seconds() - c.newest().heard) / (1 + (c.low+c.high)/2)
	return c.newest().ticks + int64(passed*c.rate)
}

// Time returns when the clock showed ticks, which is not after now, and how far that time may be off.
func (c *Clock) Time(ticks int64, now time.Time) (time.Time, time.Duration) {
	if !c.Known() {
		return now, duration(farthest)
	}
	at := now.Sub(c.start).Seconds()
	lower, upper := c.bounds(ticks)
	still := 0.0
	if ticks > c.newest().ticks {
		still = c.stoodStill
	}
	if c.slept {
		lower, upper = lower+still, upper+still
	}
	switch {
	case upper <= at:
	case lower >= at: // the clock was set forward since the newest sample, or the ticks are wrong
		return now, duration(upper - at + still)
	default:
		upper = at
	}
	return now.Add(min(duration((lower+upper)/2-at), 0)), duration(max(upper-lower, 0)/2 + still)
}

// late returns by how many seconds now is beyond the plausible range of when the clock showed ticks; negative if now is
// before that range.
func (c *Clock) late(ticks uint32, now time.Time) float64 {
	lower, upper := c.bounds(c.extend(ticks, now))
	at := now.Sub(c.start).Seconds()
	return max(at-upper, min(at-lower, 0))
}

// bounds returns the earliest and the latest time, in seconds after the start, at which the clock may have shown ticks. The
// mean drift between a sample and then differs from that at the newest sample by at most the wander since their middle.
func (c *Clock) bounds(ticks int64) (lower, upper float64) {
	lower, upper = -farthest, farthest
	for _, s := range c.samples {
		newest := c.newest().ticks
		away := c.seconds(ticks - newest)
		slack := wander * (c.seconds(newest-s.ticks) + max(away, -away)) / 2
		low, high := 1+max(c.low-slack, -c.limit), 1+min(c.high+slack, c.limit)
		least, most := c.seconds(ticks-s.ticks-1), c.seconds(ticks-s.ticks+1)
		lower = max(lower, s.sent+min(least*low, least*high))
		upper = min(upper, s.heard+max(most*low, most*high))
	}
	return lower, upper
}

func duration(seconds float64) time.Duration {
	return time.Duration(min(max(seconds, -2*farthest), 2*farthest) * float64(time.Second))
}
