package hub

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestRefusals: a client that refuses ten events a second is told of once a minute, and of each event once.
func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r refusals
		var told []int
		for range 1801 {
			if n := r.note(); n > 0 {
				told = append(told, n)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if want := []int{1, 600, 600, 600}; !slices.Equal(told, want) {
			t.Errorf("told of %v, not %v", told, want)
		}
	})
}
