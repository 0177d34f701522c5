package link

import (
	"slices"
	"time"
)

// What is believed of devices' clocks. Drift is how much longer a device's second is than a second, as a part of
// it: 100e-6 is a clock that loses 100 µs in each.
const (
	// maxDrift bounds it at first: ceramic resonators are off by up to 0.5 %, quartz by 20 to 100 parts in a
	// million.
	maxDrift = 0.006
	// worstDrift is believed of a clock that has proven to be worse: an RC oscillator with which a serial line
	// just about works.
	worstDrift = 0.1
	// wander is by how much drift changes in a second at most. Temperature does it: quartz changes by about a part
	// in a million per °C some 15 °C away from where it is best (0.035 per °C²), a resonator by up to 40. This is a
	// resonator that warms by 9 °C in an hour.
	wander = 0.1e-6

	clockSamples = 16
	// horizon is the age in seconds at which a sample says little: what wander may have done by then, 18 ms, is
	// longer than most round trips.
	horizon = 600
	// farthest bounds times, in seconds before or after a sample: 30 years, that nanoseconds do not overflow.
	farthest = 1e9

	// wellKnown is the uncertainty at which more samples are not worth their bytes. A round trip of 5 ms and ticks of
	// 1 ms come to it.
	wellKnown = 4 * time.Millisecond

	helloTrip = 100 * time.Millisecond // taken for a HELLO's way, of which nothing is known
)

// A clock tells when a device's ticks were, from samples that each say: at some moment between sent and heard the
// clock stood at ticks. Two samples bound the drift between them, and each bounds the time of any ticks, given the
// drift; the truth lies in the intersection of all these bounds. So a slow round trip does no harm, it just says
// little, and the uncertainty is half the width of what is left. Nothing is assumed of where in its round trip a
// sample was taken. Ticks on the line count modulo 2^32; here they do not wrap.
type clock struct {
	rate    float64       // ticks per second, as the device says
	start   time.Time     // from which samples count: the host's own clock may be set at any time
	samples []clockSample // that agree with each other, oldest first
	limit   float64       // drift is believed to lie within ±limit
	low     float64       // bounds of the drift at the newest sample
	high    float64
	still   float64 // seconds for which it may have stood still since the newest sample
	slept   bool    // and most probably did at once, before it showed anything
}

type clockSample struct {
	ticks       int64
	sent, heard float64 // seconds after the clock's start
}

func newClock(ticksPerSecond uint32) clock {
	return clock{rate: float64(ticksPerSecond), limit: maxDrift, low: -maxDrift, high: maxDrift}
}

// Known tells whether there was a sample.
func (c *clock) Known() bool { return len(c.samples) > 0 }

// Drift returns the bounds of the Drift.
func (c *clock) Drift() (low, high float64) { return c.low, c.high }

// every returns the time in which to ask the device for its clock again: seldom if until then it is known well
// enough. A clock that is new or was set, and a line that is slow, are asked more often.
func (c *clock) every(often, seldom time.Duration) time.Duration {
	lower, upper := c.bounds(c.newest().ticks + int64(seldom.Seconds()*c.rate))
	if duration(upper-lower)/2 > wellKnown {
		return often
	}
	return seldom
}

func (c *clock) newest() clockSample { return c.samples[len(c.samples)-1] }

// seconds returns how long ticks last if there is no drift.
func (c *clock) seconds(ticks int64) float64 {
	return min(max(float64(ticks)/c.rate, -farthest), farthest)
}

// sample notes that the device's clock stood at ticks at some time between sent and heard. If that cannot be true
// together with what was noted before, the clock was set, or wanders more than is believed: what is older is
// forgotten.
func (c *clock) sample(ticks uint32, sent, heard time.Time) {
	if !c.Known() {
		c.start = heard
	}
	c.still, c.slept = 0, false
	c.samples = append(c.samples, clockSample{
		ticks: c.extend(ticks, heard), sent: sent.Sub(c.start).Seconds(), heard: heard.Sub(c.start).Seconds(),
	})
	if len(c.samples) > clockSamples {
		c.thin()
	}
	for !c.fit() {
		c.samples = slices.Delete(c.samples, 0, 1)
		if len(c.samples) == 1 { // not even the last two agree: it may be drift beyond the limit
			c.limit = min(2*c.limit, worstDrift)
		}
	}
}

// fit finds the drift that agrees with all samples; false if there is none.
func (c *clock) fit() bool {
	c.low, c.high = -c.limit, c.limit
	newest := c.newest()
	for j, b := range c.samples {
		for _, a := range c.samples[:j] {
			ticks := b.ticks - a.ticks
			if ticks < 0 {
				return false
			}
			// A clock that shows n stands between n and n+1. The mean drift between two samples is that at the
			// newest one but for the wander since their middle.
			slack := wander * c.seconds(newest.ticks-a.ticks+newest.ticks-b.ticks) / 2
			c.low = max(c.low, (b.sent-a.heard)/c.seconds(ticks+1)-1-slack)
			if ticks > 1 {
				c.high = min(c.high, (b.heard-a.sent)/c.seconds(ticks-1)-1+slack)
			}
		}
	}
	return c.low <= c.high
}

// thin forgets a sample: the oldest if it is beyond the horizon, else, of the two that lie closest together for
// their age, the one with the longer round trip. So the latest are all there, and the others reach far back.
func (c *clock) thin() {
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

// extend returns the count of ticks that is ticks modulo 2^32 and nearest to what the clock shows now: right for
// times less than 2^31 ticks away.
func (c *clock) extend(ticks uint32, now time.Time) int64 {
	if !c.Known() {
		return int64(ticks)
	}
	expected := c.Now(now)
	return expected + int64(int32(ticks-uint32(expected)))
}

// Now returns what the clock shows at a time, about.
func (c *clock) Now(now time.Time) int64 {
	passed := (now.Sub(c.start).Seconds() - c.newest().heard) / (1 + (c.low+c.high)/2)
	return c.newest().ticks + int64(passed*c.rate)
}

// Time returns when the clock showed ticks, and how far that may be off. No reading is from the future: now bounds
// it, too. Before the first sample nothing else does.
func (c *clock) Time(ticks int64, now time.Time) (time.Time, time.Duration) {
	if !c.Known() {
		return now, duration(farthest)
	}
	at := now.Sub(c.start).Seconds()
	lower, upper := c.bounds(ticks)
	still := 0.0
	if ticks > c.newest().ticks {
		still = c.still
	}
	if c.slept {
		lower, upper = lower+still, upper+still
	}
	switch {
	case upper <= at:
	case lower >= at: // the clock was set forward since the newest sample, or the ticks make no sense
		return now, duration(upper - at + still)
	default:
		upper = at
	}
	return now.Add(min(duration((lower+upper)/2-at), 0)), duration(max(upper-lower, 0)/2 + still)
}

// late returns how many seconds later than it can have been by the clock it is that ticks were said; less than 0: it
// cannot have been yet.
func (c *clock) late(ticks uint32, now time.Time) float64 {
	lower, upper := c.bounds(c.extend(ticks, now))
	at := now.Sub(c.start).Seconds()
	return max(at-upper, min(at-lower, 0))
}

// bounds returns the earliest and the latest time, in seconds after the start, at which the clock may have shown
// ticks. Between a sample and then, the mean drift is that at the newest sample but for the wander since their
// middle; if one lies before it and one after, that is an upper bound.
func (c *clock) bounds(ticks int64) (lower, upper float64) {
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
