package link

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"sighub/carrier/serial/internal/wire"
)

// TestAfterDamage: how long after the end of a damaged EVT frame its readings are delivered, on a line of 115200 baud
// that flips one bit in 10,000 (and does other harm half as often) and is busy in both directions. Of frames of 254
// bytes, which take 22 ms each, the damage hits every fifth: one in a hundred has to be sent four times.
func TestAfterDamage(t *testing.T) {
	for _, c := range []struct {
		window, maxFrame int
		wanted           time.Duration
	}{
		{1, 60, 60 * time.Millisecond},
		{4, 60, 60 * time.Millisecond},
		{8, 60, 60 * time.Millisecond},
		{1, 254, 150 * time.Millisecond},
		{4, 254, 150 * time.Millisecond},
		{8, 254, 150 * time.Millisecond},
	} {
		t.Run(fmt.Sprintf("window=%d,frame=%d", c.window, c.maxFrame), func(t *testing.T) {
			s := newSim(t, 3, 8e-4)
			s.hub.Window, s.device.Hello.Window, s.device.Hello.MaxFrame = c.window, c.window, c.maxFrame
			s.prompt = true
			spoiled := make(map[string]time.Time) // by payload: none is like another
			var took []time.Duration
			s.onDamage = func(chunk []byte, at time.Time) {
				if len(chunk) < 2 || s.connected == nil {
					return
				}
				f, err := wire.ParseFrame(append([]byte(nil), chunk[:len(chunk)-1]...), wire.Device, s.connected.Link.session)
				if _, again := spoiled[string(f.Payload)]; err == nil && f.Kind == wire.FrameEvent && !again {
					spoiled[string(f.Payload)] = at
				}
			}
			s.onReadings = func(payload []byte, at time.Time) {
				if since, ok := spoiled[string(payload)]; ok {
					took = append(took, at.Sub(since))
					delete(spoiled, string(payload))
				}
			}
			for end := s.now.Add(time.Hour); s.now.Before(end) && len(took) < 500; {
				s.step()
				s.load()
			}
			if len(took) < 500 {
				t.Fatalf("%d frames were damaged", len(took))
			}
			slices.Sort(took)
			p99 := took[len(took)*99/100]
			t.Logf("a damaged frame is delivered after %v (median), %v (p99), %v (most)", took[len(took)/2], p99, took[len(took)-1])
			if p99 > c.wanted {
				t.Errorf("p99 is %v", p99)
			}
		})
	}
}
