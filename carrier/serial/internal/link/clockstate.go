package link

import (
	"math"
	"slices"
	"time"

	"sighub/carrier/serial/internal/wire"
)

// An Uptime is a clock of the machine that nobody sets, and that goes on while a program is started again.
type Uptime struct {
	Machine uint64                            // differs each time the machine is started; 0: there is no such clock
	At      func(now time.Time) time.Duration // what the clock shows at a time
}

// A clock in a state is: the ticks per second; the largest drift that is assumed, in millionths; how long the clock may have stood
// still, in milliseconds; which start of the machine the samples' times belong to; how many samples there are. Each sample has its
// ticks (the first one) or the ticks since the one before it, the time when PING was sent, and how long its answer took, in
// microseconds.

// clockKept is how many samples of a clock are kept: the newest one, and those that say most beside it.
const clockKept = 3

const million = 1e6

// append appends what is kept of a clock.
func (c *Clock) append(dst []byte, now time.Time, up Uptime) []byte {
	limit := uint64(math.Ceil(c.limit * million))
	still := uint64(math.Ceil(min(max(c.stoodStill, 0), farthest) * 1000))
	var samples []clockSample
	if up.Machine != 0 && c.Known() {
		samples = c.telling()
	}
	for _, n := range []uint64{uint64(c.rate), limit, still, up.Machine, uint64(len(samples))} {
		dst = wire.AppendUint(dst, n)
	}
	for i, s := range samples {
		ticks := uint64(uint32(s.ticks))
		if i > 0 {
			ticks = uint64(s.ticks - samples[i-1].ticks)
		}
		began := up.At(now).Seconds() - now.Sub(c.start).Seconds() // the uptime at the clock's start
		sent := math.Floor((began + s.sent) * million)
		trip := math.Ceil((began+s.heard)*million) - sent
		dst = wire.AppendUint(dst, ticks)
		dst = wire.AppendInt(dst, int64(sent))
		dst = wire.AppendUint(dst, uint64(max(trip, 0)))
	}
	return dst
}

// telling returns the samples that say most: the oldest, which bounds the drift, the newest, and the one between them with the
// shortest round trip.
func (c *Clock) telling() []clockSample {
	if len(c.samples) <= clockKept {
		return c.samples
	}
	last := len(c.samples) - 1
	best := slices.MinFunc(c.samples[1:last], func(a, b clockSample) int {
		return int(math.Copysign(1, (a.heard-a.sent)-(b.heard-b.sent)))
	})
	return []clockSample{c.samples[0], best, c.samples[last]}
}

// restoreClock reads what was kept of a clock. Without samples of this start of the machine that make sense, nothing is known but
// how bad the clock may be.
func restoreClock(in *wire.Items, now time.Time, ticksPerSecond uint32, up Uptime) Clock {
	c := newClock(ticksPerSecond)
	rate := in.Uint("the ticks per second", math.MaxUint32)
	limit := in.Uint("the largest drift", worstDrift*million)
	still := in.Uint("how long the clock stood still", farthest*1000)
	machine := in.Uint("the start of the machine", math.MaxUint64)
	count := in.Uint("the number of samples", clockKept)
	var ticks int64
	for range count {
		ticks += int64(in.Uint("the ticks of a sample", 1<<40))
		sent := float64(in.Int("the time of a sample", 1<<60)) / million
		trip := float64(in.Uint("the round trip of a sample", 1<<50)) / million
		c.samples = append(c.samples, clockSample{ticks: ticks, sent: sent, heard: sent + trip})
	}
	if in.Err != nil {
		return c
	}
	c.limit = max(c.limit, float64(limit)/million)
	c.low, c.high = -c.limit, c.limit
	if machine != up.Machine || up.Machine == 0 || rate != uint64(ticksPerSecond) || count == 0 {
		c.samples = nil
		return c
	}
	c.start, c.stoodStill = now, float64(still)/1000
	began := up.At(now).Seconds()
	for i := range c.samples {
		s := &c.samples[i]
		s.sent, s.heard = s.sent-began, s.heard-began
		if s.heard > 1 || s.sent < -farthest || i > 0 && s.heard < c.samples[i-1].heard {
			c.samples = nil
			return c
		}
	}
	if !c.fit() {
		c.samples, c.low, c.high = nil, -c.limit, c.limit
	}
	return c
}
