package hub

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestSeldom: what happens ten times a second is told once a minute, and each time is counted once.
func TestSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s logLimiter
		var told []int
		for range 1801 {
			if n := s.note(); n > 0 {
				told = append(told, n)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if want := []int{1, 600, 600, 600}; !slices.Equal(told, want) {
			t.Errorf("told of %v, not %v", told, want)
		}
	})
}
