package link

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var epoch = time.Unix(1e9, 0)

// after returns the time so many seconds after the epoch.
func after(seconds float64) time.Time { return epoch.Add(time.Duration(seconds * 1e9)) }

// A realClock is a device's clock, in virtual time.
type realClock struct {
	rate   float64 // ticks per second
	drift  float64
	wander float64         // the most that drift changes by in a second; it swings to and fro within
	period float64         // seconds of such a swing
	offset float64         // ticks at the epoch
	steps  []realClockStep // in their order
}

type realClockStep struct{ at, ticks float64 }

// shows returns what the clock shows, with fractions, so many seconds after the epoch.
func (c *realClock) shows(at float64) float64 {
	passed := at * (1 - c.drift) // the device's second is longer, so fewer of them pass; drift² is left out
	if c.wander > 0 {
		w := 2 * math.Pi / c.period
		passed -= c.wander / (w * w) * (1 - math.Cos(w*at))
	}
	ticks := c.offset + passed*c.rate
	for _, s := range c.steps {
		if at >= s.at {
			ticks += s.ticks
		}
	}
	return ticks
}

// A trip is how long a line takes for a PING and for its answer, in seconds.
type trip func(rng *rand.Rand) (out, back float64)

// jitter is exponential, with a mean of 5 ms and no more than 20 ms, each way for itself.
func jitter(rng *rand.Rand) float64 { return 0.001 + min(rng.ExpFloat64()*0.005, 0.020) }

func both(rng *rand.Rand) (float64, float64)   { return jitter(rng), jitter(rng) }
func oneWay(rng *rand.Rand) (float64, float64) { return 0.001, jitter(rng) }
func quick(rng *rand.Rand) (float64, float64)  { return 0.0001 * rng.Float64(), 0.0001 * rng.Float64() }

// polled is a line on an adapter that hands on what it has heard at fixed intervals.
func polled(seconds float64, t trip) trip {
	return func(rng *rand.Rand) (float64, float64) {
		out, back := t(rng)
		return out, back + seconds*rng.Float64()
	}
}

// A clockRun is a session in which a Clock follows a device's clock: HELLO, PINGs, readings at any time.
type clockRun struct {
	rng     *rand.Rand
	crystal realClock
	trip    trip
	clock   Clock
	now     float64
	cut     float64 // no PING is answered before then
	ping    float64 // when the next is due
}

func newClockRun(seed uint64, c realClock, t trip) *clockRun {
	s := &clockRun{rng: rand.New(rand.NewPCG(seed, 2)), crystal: c, trip: t, clock: newClock(uint32(c.rate))}
	_, back := t(s.rng)
	s.clock.sample(uint32(int64(c.shows(0))), after(back).Add(-helloTrip), after(back))
	s.now, s.ping = back, back
	return s
}

// until lets time pass.
func (s *clockRun) until(at float64) {
	for out, back := s.trip(s.rng); s.ping+out+back <= at; out, back = s.trip(s.rng) {
		if s.ping >= s.cut {
			s.clock.sample(uint32(int64(s.crystal.shows(s.ping+out))), after(s.ping), after(s.ping+out+back))
		}
		s.ping += s.clock.every(time.Second, 5*time.Second).Seconds()
	}
	s.now = at
}

// reading returns how far off the time of a reading is that was taken then and arrives now, and how sure the clock
// is of it, both in seconds.
func (s *clockRun) reading(taken float64) (off, sure float64) {
	ticks := uint32(int64(math.Floor(s.crystal.shows(taken))))
	at, u := s.clock.Time(s.clock.extend(ticks, after(s.now)), after(s.now))
	return at.Sub(after(taken)).Seconds(), u.Seconds()
}

// A score sums up readings.
type accuracy struct {
	off       []float64 // without their signs
	sure      float64   // all of it
	uncovered int
}

func (s *accuracy) add(off, sure float64) {
	s.off = append(s.off, math.Abs(off))
	s.sure += sure
	if math.Abs(off) > sure+1e-6 { // nanoseconds are rounded
		s.uncovered++
	}
}

// report prints the score, and fails if an error was larger than was said, or than it may be.
func (s *accuracy) report(t *testing.T, what string, most ...time.Duration) {
	t.Helper()
	slices.Sort(s.off)
	n := len(s.off)
	t.Logf("%s: %d readings, off by %.2f ms at most, %.2f ms (p99), %.2f ms (median); sure to %.2f ms on average",
		what, n, 1e3*s.off[n-1], 1e3*s.off[n*99/100], 1e3*s.off[n/2], 1e3*s.sure/float64(n))
	if s.uncovered > 0 {
		t.Errorf("%s: %d of %d times are off by more than was said", what, s.uncovered, n)
	}
	if len(most) > 0 && duration(s.off[n-1]) > most[0] {
		t.Errorf("%s: off by up to %v", what, duration(s.off[n-1]))
	}
}

// TestClockBounds: 30 s after its HELLO a device's readings are stamped to 5 ms, and never off by more than is said.
func TestClockBounds(t *testing.T) {
	const quartz, resonator = -100e-6, 0.005 // fast, slow
	for _, c := range []struct {
		name    string
		crystal realClock
		trip    trip
		most    int // milliseconds
	}{
		{"quartz", realClock{rate: 1000, drift: quartz}, both, 5},
		{"quartz, one way", realClock{rate: 1000, drift: quartz}, oneWay, 5},
		{"quartz, polled each 1 ms", realClock{rate: 1000, drift: quartz}, polled(0.001, both), 5},
		{"quartz, polled each 16 ms", realClock{rate: 1000, drift: quartz}, polled(0.016, both), 8}, // of up to 56 ms
		{"resonator", realClock{rate: 1000, drift: resonator}, both, 5},
		{"resonator, one way", realClock{rate: 1000, drift: resonator}, oneWay, 5},
		{"resonator, polled each 1 ms", realClock{rate: 1000, drift: resonator}, polled(0.001, both), 5},
		{"resonator, polled each 16 ms", realClock{rate: 1000, drift: resonator}, polled(0.016, both), 8},
		{"wandering resonator", realClock{rate: 1e6, drift: resonator, wander: 0.1e-6, period: 600}, quick, 1},
		{"microseconds", realClock{rate: 1e6, drift: quartz}, both, 5},
		{"hundredths", realClock{rate: 100, drift: quartz}, both, 10}, // a tick is 10 ms
	} {
		t.Run(c.name, func(t *testing.T) {
			var early, late, waited accuracy
			most := time.Duration(c.most) * time.Millisecond
			for seed := range uint64(50) {
				c.crystal.offset = float64(uint32(seed * 0x9e3779b1)) // with some, the count wraps on the way
				l := newClockRun(seed, c.crystal, c.trip)
				for at := 0.2; at < 300; at += 0.3 * l.rng.ExpFloat64() {
					l.until(at)
					off, sure := l.reading(at - 0.05*l.rng.Float64())
					if at < 30 {
						early.add(off, sure)
						continue
					}
					late.add(off, sure)
					waited.add(l.reading(at - 60*l.rng.Float64()))
				}
			}
			early.report(t, "in the first 30 s")
			late.report(t, "later", most)
			waited.report(t, "later, having waited for up to 60 s", 2*most)
		})
	}
}

// TestClockCut: readings that were taken in the minute in which the line was cut, while the drift went on changing.
func TestClockCut(t *testing.T) {
	for _, c := range []struct {
		name string
		trip trip
		most time.Duration
	}{{"jitter", both, 10 * time.Millisecond}, {"quick", quick, time.Millisecond}} {
		t.Run(c.name, func(t *testing.T) {
			var before, after accuracy
			for seed := range uint64(200) {
				l := newClockRun(seed, realClock{rate: 1e6, drift: 50e-6, wander: 0.1e-6, period: 600}, c.trip)
				cut := 60 + 200*l.rng.Float64()
				l.until(cut)
				l.cut = cut + 60
				l.until(l.cut)
				for range 20 { // the device sends what it has at once
					before.add(l.reading(l.cut - 60*l.rng.Float64()))
				}
				l.until(l.cut + 6) // PINGs were answered
				for range 20 {
					after.add(l.reading(l.cut - 60*l.rng.Float64()))
				}
			}
			before.report(t, "before a PING is answered", c.most)
			after.report(t, "after that", c.most)
		})
	}
}

// TestClockStep: when a device's clock was set, what was known before is of no use, and soon forgotten. (What a step
// of less than a round trip does could be the line.)
func TestClockStep(t *testing.T) {
	for _, ticks := range []float64{-5000, -300, -80, 80, 300, 5000, 1 << 29} {
		var s accuracy
		for seed := range uint64(50) {
			l := newClockRun(seed, realClock{rate: 1000, drift: 0.001, steps: []realClockStep{{100.5, ticks}}}, both)
			l.until(100.6)
			// A jump of less than the reading's way cannot be told from a quick way.
			if off, sure := l.reading(100.55); ticks > 100 && (off != 0.05 || sure < ticks/1000-0.1) {
				t.Errorf("set by %v ticks, off by %v s, sure to %v s", ticks, off, sure)
			}
			for at := 107.0; at < 160; at += l.rng.Float64() { // a PING is sent at 105.5 s at the latest
				l.until(at)
				s.add(l.reading(at - 0.05*l.rng.Float64()))
			}
		}
		s.report(t, "after the clock was set", 30*time.Millisecond)
	}
}

// TestClockWorse: a clock that is worse than any that is believed in is believed in after some seconds.
func TestClockWorse(t *testing.T) {
	for _, drift := range []float64{-0.03, 0.02, 0.05} {
		var s accuracy
		for seed := range uint64(50) {
			l := newClockRun(seed, realClock{rate: 1000, drift: drift}, both)
			for at := 60.0; at < 90; at += l.rng.Float64() {
				l.until(at)
				s.add(l.reading(at - 0.05*l.rng.Float64()))
			}
		}
		s.report(t, "with a drift of several percent", 5*time.Millisecond)
	}
}

// TestClockOneSample: after HELLO alone a reading is as sure as the way of HELLO and the drift of a resonator allow.
func TestClockOneSample(t *testing.T) {
	c := newClock(1000)
	if at, u := c.Time(5, epoch); !at.Equal(epoch) || u < 24*365*time.Hour {
		t.Errorf("before the first sample: %v, sure to %v", at, u)
	}
	c.sample(math.MaxUint32-500, epoch.Add(-helloTrip), epoch)
	for _, r := range []struct {
		ticks      int64 // after HELLO's
		back, sure time.Duration
	}{
		{0, 50 * time.Millisecond, 51 * time.Millisecond}, // no later than now
		{-10_000, 10*time.Second + helloTrip/2, 10_000*6*time.Microsecond + 52*time.Millisecond},
		{-3600_000, time.Hour + helloTrip/2, 3600 * 6200 * time.Microsecond}, // and a bit of wander
	} {
		at, u := c.Time(c.newest().ticks+r.ticks, epoch)
		if off := at.Add(r.back).Sub(epoch).Abs(); off > 2*time.Millisecond || u > r.sure || u < r.sure*9/10 {
			t.Errorf("%d ticks: %v off, sure to %v", r.ticks, off, u)
		}
	}
	if at, u := c.Time(c.newest().ticks+1e6, epoch); at != epoch || u < 1000*time.Second {
		t.Errorf("a reading from the future: %v, sure to %v", at, u)
	}
}

// TestClockWraps: ticks count modulo 2^32, on the way between two samples and by what is known of the drift.
func TestClockWraps(t *testing.T) {
	c := newClock(1000)
	c.sample(math.MaxUint32-500, epoch.Add(-helloTrip), epoch)
	now := epoch.Add(time.Second)
	c.sample(499, now.Add(-4*time.Millisecond), now)
	at, u := c.Time(c.extend(400, now), now)
	if off := at.Add(101 * time.Millisecond).Sub(now).Abs(); off > 2*time.Millisecond || u > 4*time.Millisecond {
		t.Errorf("%v off, sure to %v", off, u)
	}
	if got := c.extend(499, now) - c.extend(math.MaxUint32-500, now); got != 1000 {
		t.Errorf("%d ticks passed", got)
	}
	// Microseconds wrap every 72 minutes. A device that is away for five days, and half a percent slow, comes back
	// with a count that is 36 minutes less than what it would be at its nominal rate.
	slow := realClock{rate: 1e6, drift: 0.005}
	l := newClockRun(1, slow, both)
	l.until(100)
	const away = 5 * 24 * 3600
	shows := int64(slow.shows(away))
	if got := l.clock.extend(uint32(shows), after(away)); got != shows {
		t.Errorf("the count is taken for %d, not for %d", got, shows)
	}
}

// TestClockAsks: a device is asked often until its clock is known, seldom on a good line, and often again when its
// clock was set.
func TestClockAsks(t *testing.T) {
	const often, seldom = time.Second, 5 * time.Second
	c := newClock(1000)
	ticks, now := uint32(0), epoch
	ask := func(n int) {
		for range n {
			ticks += 1000
			now = now.Add(time.Second)
			c.sample(ticks, now.Add(-time.Millisecond), now)
		}
	}
	ask(1)
	if got := c.every(often, seldom); got != often {
		t.Errorf("one sample: %v", got)
	}
	ask(30)
	if got := c.every(often, seldom); got != seldom {
		t.Errorf("a good line: %v", got)
	}
	ticks -= 5000
	ask(1)
	if got := c.every(often, seldom); got != often {
		t.Errorf("the clock was set: %v", got)
	}
}

// TestClockMemory: samples are few, the latest ones are among them, and others reach back.
func TestClockMemory(t *testing.T) {
	l := newClockRun(1, realClock{rate: 1000}, func(*rand.Rand) (float64, float64) { return 0.001, 0.0015 })
	for at := 300.0; at < 3000; at += 5 {
		l.until(at)
		s := l.clock.samples
		span := s[len(s)-1].heard - s[0].heard
		if len(s) != clockSamples || at-s[len(s)-4].heard > 30 || span < 150 || span > horizon+10 {
			t.Fatalf("after %v s: %d samples over %v s", at, len(s), span)
		}
	}
	if n := testing.AllocsPerRun(100, func() { l.reading(2900) }); n > 0 {
		t.Errorf("%v allocations for each reading", n)
	}
}

// TestClockAndHello: a HELLO that was long on its way does not spoil what is known of a clock, and PINGs are sent
// often only until it is known.
func TestClockAndHello(t *testing.T) {
	s := newSim(t, 1, 0)
	for end := s.now.Add(60 * time.Second); s.now.Before(end); {
		s.step()
	}
	d := s.connected
	if d == nil || d.Link.clockEvery != 5*s.hub.Ask {
		t.Fatalf("%+v is asked every %v", d, d.Link.clockEvery)
	}
	want := slices.Clone(d.Clock.samples)
	h := s.device.Hello
	h.Ticks = uint32(s.device.clockAt(s.now.Add(-2 * time.Second)))
	s.hub.hello(s.now, h.Pack())
	if !slices.Equal(d.Clock.samples, want) {
		t.Errorf("%v became %v", want, d.Clock.samples)
	}
}

// FuzzClock gives a clock samples of any kind: eight bytes each.
func FuzzClock(f *testing.F) {
	f.Add(uint32(1000), []byte("\x00\x00\x00\x05\x00\x01\x00\x01\x00\x00\x10\x05\x00\x02\x10\x00"))
	f.Add(uint32(1), []byte("\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00"))
	f.Add(uint32(math.MaxUint32), []byte("\x7f\xff\xff\xff\xff\xff\xff\xff\x80\x00\x00\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, rate uint32, script []byte) {
		c := newClock(max(rate, 1))
		now := epoch
		for ; len(script) >= 8; script = script[8:] {
			ticks := binary.BigEndian.Uint32(script)
			trip := time.Duration(binary.BigEndian.Uint16(script[4:])) * 100 * time.Microsecond
			pause := time.Duration(binary.BigEndian.Uint16(script[6:])) * 10 * time.Millisecond
			now = now.Add(trip + pause)
			c.sample(ticks, now.Add(-trip), now)
			if len(c.samples) < 1 || len(c.samples) > clockSamples || c.low > c.high || c.high-c.low > 2*worstDrift {
				t.Fatalf("%+v", c)
			}
			newest := c.newest().ticks
			for _, n := range []int64{newest, c.extend(^ticks, now), int64(ticks) << 31, math.MinInt64, math.MaxInt64} {
				if at, u := c.Time(n, now); at.After(now) || u < 0 {
					t.Fatalf("%d ticks are %v, %v before %v", n, u, at, now)
				}
			}
			if e := c.every(time.Second, 5*time.Second); e < time.Second || e > 5*time.Second {
				t.Fatal(e)
			}
		}
	})
}
