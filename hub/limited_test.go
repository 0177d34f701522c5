package hub

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
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

// TestShorten: a text that is cut has whole characters only.
func TestShorten(t *testing.T) {
	for pad := range 4 {
		long := strings.Repeat("x", pad) + strings.Repeat("温", longestRefusal)
		if got := shorten(long); !utf8.ValidString(got) || len(got) > longestRefusal+len("…") || !strings.HasPrefix(long, got[:len(got)-len("…")]) {
			t.Errorf("%q", got)
		}
	}
}
