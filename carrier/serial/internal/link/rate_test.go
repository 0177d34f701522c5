package link

import (
	"log/slog"
	"testing"
	"time"

	"sighub/carrier/serial/internal/wire"
)

// until lets time pass until something is so, and fails the test if that takes longer than at most.
func (s *sim) until(what string, atMost time.Duration, so func() bool) {
	s.t.Helper()
	for end := s.now.Add(atMost); !so(); {
		if s.now.After(end) {
			s.t.Fatalf("seed %d: after %v: not %s; the hub is at %+v, the device at %+v", s.seed, atMost, what, s.hub.rates, s.device.rates)
		}
		s.step()
		s.load()
	}
}

// runs reports whether both ends run at a rate, in a session.
func (s *sim) runs(rate int) func() bool {
	return func() bool {
		d, sd := s.connected, s.device
		return d != nil && !sd.saying && !s.hub.rates.trying() && s.hub.rates.now == rate && sd.rates.now == rate &&
			sd.rates.until.IsZero() && d.Link.baud == rate && sd.Link.baud == rate
	}
}

// flows waits until a reading taken from now on is acknowledged.
func (s *sim) flows(atMost time.Duration) {
	s.t.Helper()
	after := s.reported
	s.until("readings flow", atMost, func() bool {
		for i := len(s.readings) - 1; i >= 0 && s.readings[i] > after; i-- {
			if s.acked[s.readings[i]] {
				return true
			}
		}
		return false
	})
}

func TestFasterRates(t *testing.T) {
	for _, c := range []struct{ fastest, most, max, want int }{
		{1e6, 1e9, 1e6, 1e6},
		{2e6, 1e9, 1e6, 1e6},
		{1e6, 5e5, 1e6, 5e5}, // the line cannot carry more
		{1e6, 3e5, 1e6, 25e4},
		{1e6, 2e5, 1e6, 115200},
		{300000, 1e9, 1e6, 25e4}, // the device
		{115200, 1e9, 1e6, 115200},
		{1e6, 1e9, 5e5, 5e5}, // nor is it to
	} {
		s := newSim(t, 1, 0)
		s.hasten(c.fastest, c.most)
		s.hub.rates.max = c.max
		for end := s.now.Add(4 * time.Second); s.now.Before(end); {
			s.step()
			s.load()
		}
		if !s.runs(c.want)() {
			t.Errorf("%+v: the hub is at %d, the device at %d", c, s.hub.rates.now, s.device.rates.now)
		}
		s.flows(time.Second)
		if s.device.rates.settable = true; s.hub.rates.mayOffer && s.hub.rates.candidate(&s.connected.Hello) != 0 {
			t.Errorf("%+v: there is still something to be offered", c)
		}
	}
}

// TestRateWithoutAnswer: a device that does not answer the offer stays at its rate, and is not asked again.
func TestRateWithoutAnswer(t *testing.T) {
	l := &Link{session: 5}
	h := &wire.Hello{UID: []byte{1}, FastestBaud: 1e6}
	r := hubRates{max: 1e6, log: slog.New(slog.DiscardHandler)}
	r.opened(115200)
	r.settable, r.mayOffer = true, true
	now, offers := time.Unix(1e9, 0), 0
	for end := now.Add(5 * time.Second); now.Before(end); now = now.Add(time.Millisecond) {
		r.advance(now, h)
		if r.trying() {
			if r.wake().IsZero() {
				t.Fatal("nobody looks after it")
			}
			if len(r.pull(now, nil, l)) > 0 {
				offers++
			}
		}
	}
	if offers != offerTries || r.trying() || r.now != 115200 || r.want != 0 {
		t.Errorf("%d offers, %+v", offers, r)
	}
	// Answers to none of them, or to another one, change nothing.
	for _, f := range []wire.Frame{{Kind: wire.FrameBaud, Number: r.number}, {Kind: wire.FrameBaud, Number: r.number, Payload: wire.AppendUint(nil, 1e6)}} {
		if r.answered(now, f); r.trying() || r.want != 0 {
			t.Errorf("%+v", r)
		}
	}
}

// TestRateAfterCut: a line that is cut at any moment of a change, unseen, is found again by both ends.
func TestRateAfterCut(t *testing.T) {
	for seed := range uint64(60) {
		s := newSim(t, seed, 0)
		s.hasten(1e6, 1e9)
		s.until("offered", time.Second, func() bool { return s.hub.rates.state == rateOffered })
		for end := s.now.Add(time.Duration(seed) * 500 * time.Microsecond); s.now.Before(end); {
			s.step()
			s.load()
		}
		s.cut = s.now.Add(time.Duration(10+s.rng.IntN(6000)) * time.Millisecond)
		for s.now.Before(s.cut) {
			s.step()
			s.load()
		}
		s.flows(10 * time.Second)
	}
}

func TestRateAfterReset(t *testing.T) {
	for _, kept := range []bool{false, true} {
		s := newSim(t, 5, 0)
		s.hasten(1e6, 1e9)
		s.until("at the fastest rate", 2*time.Second, s.runs(1e6))
		s.reset(kept)
		if s.device.rates.now != 1e6 || s.device.rates.want != 115200 {
			t.Fatalf("the device begins at %+v", s.device.rates)
		}
		s.until("connected again", 5*time.Second, func() bool { return s.connected != nil && s.connected.Hello.Boot == s.device.Hello.Boot })
		s.until("at the fastest rate again", 4*time.Second, s.runs(1e6))
		s.flows(time.Second)
	}
}

// TestRateAfterHubRestarts: a hub that begins at the usual rate finds a device that is at a faster one.
func TestRateAfterHubRestarts(t *testing.T) {
	for seed := range uint64(20) {
		s := newSim(t, seed, 0)
		s.hasten(1e6, 1e9)
		s.until("at the fastest rate", 2*time.Second, s.runs(1e6))
		s.connected = nil
		s.hub.devices = new(Devices)
		s.hub.device = nil
		s.hub.Opened(true)
		s.until("at the fastest rate again", 10*time.Second, s.runs(1e6))
		s.flows(2 * time.Second) // what was sent in vain comes again after up to one
	}
}

// TestScan: the hub finds a device that speaks at another rate than the usual one.
func TestScan(t *testing.T) {
	for _, rate := range scanRates() {
		s := newSim(t, 7, 0)
		s.hasten(rate, 1e9)
		s.device.Baud = rate
		s.device.Opened(s.now, true)
		s.until("found", 20*time.Second, s.runs(rate))
		s.flows(time.Minute) // many have gathered
		if s.hub.rates.base != rate {
			t.Errorf("HELLO is said at %d", s.hub.rates.base)
		}
	}
	s := newSim(t, 7, 0) // a hub that was told the rate stays there
	s.device.rates.start(57600)
	for end := s.now.Add(20 * time.Second); s.now.Before(end); {
		s.step()
	}
	if s.connected != nil || s.hub.rates.now != 115200 {
		t.Errorf("the hub is at %+v", s.hub.rates)
	}
}

// TestNoScan: neither silence, nor text, nor two seconds of boot messages at another rate make a hub look elsewhere.
func TestNoScan(t *testing.T) {
	hub := newTestHub(nil, nil)
	hub.rates.settable = true
	now := time.Unix(1e9, 0)
	for range 10 {
		for range 20 { // noise for two seconds, silence for two
			hub.Receive(now, []byte{0x80, 0xfe, 3, 0x91})
			now = now.Add(100 * time.Millisecond)
		}
		now = now.Add(2 * time.Second)
	}
	for range 100 {
		hub.Receive(now, []byte("hello, world\r\n\x00\x00"))
		now = now.Add(100 * time.Millisecond)
	}
	if hub.Rate() != 0 {
		t.Fatalf("the hub wants %d", hub.Rate())
	}
	for _, want := range []struct {
		rate  int
		noise time.Duration
	}{{250000, firstNoise}, {57600, nextNoise}} {
		for end := now.Add(want.noise + 100*time.Millisecond); now.Before(end) && hub.Rate() == 0; now = now.Add(100 * time.Millisecond) {
			hub.Receive(now, []byte{0x80, 0xfe, 3, 0x91})
		}
		if hub.Rate() != want.rate {
			t.Fatalf("after %v of noise the hub wants %d", want.noise, hub.Rate())
		}
		hub.RateSet(now, hub.Rate(), nil)
	}
}
