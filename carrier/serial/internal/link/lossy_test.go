package link

import (
	"fmt"
	"testing"
	"time"
)

func rising(what string, got []int64) error {
	for i := 1; i < len(got); i++ {
		if got[i] <= got[i-1] {
			return fmt.Errorf("%s: %d comes after %d", what, got[i], got[i-1])
		}
	}
	return nil
}

// TestLossyLine: over a line that flips, drops, doubles and invents bytes, and is cut again and again, from a device
// that is reset, every reading that is acknowledged was delivered once and in its order, and nothing is executed twice.
// A reset that the device's memory survives loses nothing.
func TestLossyLine(t *testing.T) {
	seeds := uint64(60)
	if testing.Short() {
		seeds = 20
	}
	resets, strayed := 0, 0
	for seed := range seeds {
		kept, cold := seed/4%2 == 1, seed/8%2 == 1
		damage := []float64{0, 0.0005, 0.002, 0.004}[seed%4]
		s := newSim(t, seed, damage)
		s.refusals = seed/16%2 == 1
		if seed/2%2 == 1 {
			s.hasten(1e6, []int{1e9, 5e5}[seed/4%2])
		}
		steps := 0
		for end := s.now.Add(30 * time.Second); s.now.Before(end); steps++ {
			s.step()
			s.load()
			if s.rng.IntN(3000) == 0 {
				s.unplug()
			}
			if s.rng.IntN(1500) == 0 && (kept || cold) {
				s.reset(kept && (!cold || s.rng.IntN(2) == 0))
			}
		}
		s.damage, s.cut = 0, time.Time{}
		for end := s.now.Add(30 * time.Second); s.now.Before(end) && s.device.waiting > 0; {
			s.step()
		}
		for what, got := range map[string][]int64{"readings": s.readings, "messages": s.messages, "requests": s.requests} {
			if err := rising(what, got); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
		}
		if n := s.device.waiting; n > 0 {
			t.Errorf("seed %d: %d readings are not acknowledged", seed, n)
		}
		delivered := make(map[int64]bool)
		for _, n := range s.readings {
			delivered[n] = true
		}
		for n := range s.acked {
			if !delivered[n] {
				t.Errorf("seed %d: reading %d is acknowledged and was not delivered", seed, n)
			}
		}
		if len(s.acked)+s.forgotten+s.refused != s.queued {
			t.Errorf("seed %d: of %d readings %d were acknowledged, %d forgotten and %d refused", seed, s.queued, len(s.acked), s.forgotten, s.refused)
		}
		if !cold && (len(s.readings)+s.refused != s.queued || s.forgotten > 0) {
			t.Errorf("seed %d: of %d readings %d were delivered, %d forgotten and %d refused", seed, s.queued, len(s.readings), s.forgotten, s.refused)
		}
		resets += s.resets
		strayed += s.resyncs
		if int64(len(s.messages)) < s.confirmed || len(s.requests) < s.ended {
			t.Errorf("seed %d: %d messages delivered, %d answered; %d requests executed, %d answered",
				seed, len(s.messages), s.confirmed, len(s.requests), s.ended)
		}
		if len(s.acked) < 5 || s.confirmed < 5 || s.ended < 5 {
			t.Errorf("seed %d: hardly anything got through: %d readings, %d messages, %d requests in %d steps", seed, len(s.acked), s.confirmed, s.ended, steps)
		}
		if t.Failed() {
			return
		}
	}
	if resets < int(seeds) {
		t.Errorf("the devices were reset %d times", resets)
	}
	if strayed < int(seeds)/4 {
		t.Errorf("%d frames were astray", strayed)
	}
}
