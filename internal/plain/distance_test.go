package plain_test

import (
	"strings"
	"testing"

	"sighub/internal/plain"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"listen", "listen", 0}, {"lisen", "listen", 1}, {"listne", "listen", 2},
		{"kitten", "sitting", 3}, {"a" + strings.Repeat("b", 64), "a", 64}, {"a", strings.Repeat("b", 65), 64},
	} {
		if got := plain.Distance(c.a, c.b); got != c.want {
			t.Errorf("from %q to %q: %d, not %d", c.a, c.b, got, c.want)
		}
	}
}
