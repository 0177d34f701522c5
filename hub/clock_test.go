package hub

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestClock: a clock tells what time.Now does, however much time has passed since it was asked last, and over the turn
// of a second.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c clock
		for _, pause := range []time.Duration{0, 1, time.Microsecond, clockSpan - 2*time.Microsecond, time.Millisecond, clockSpan,
			clockSpan + 1, 999 * time.Millisecond, time.Nanosecond, clockSpan / 2, time.Hour, 0, 7 * time.Millisecond} {
			time.Sleep(pause)
			if got, want := c.now(), time.Now(); !got.Equal(want) || got.Location() != want.Location() {
				t.Errorf("%v after the last: %v, not %v", pause, got, want)
			}
		}
	})
}
