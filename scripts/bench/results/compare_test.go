package results

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"sighub/scripts/bench/peers"
)

// TestBetween: the range is as wide as the number of rounds demands. For 8 rounds it is all of them, since 2 of 256 are less than 1 %;
// for 12, the chance of fewer than 2 is 2 × 13 of 4,096, which is less, and of fewer than 3 it is 2 × 79 of 4,096, which is more.
func TestBetween(t *testing.T) {
	for n, k := range map[int]int{0: 0, 1: 0, 7: 0, 8: 1, 11: 1, 12: 2, 20: 4} {
		c := new(change)
		for i := range n {
			c.ratios = append(c.ratios, float64((i*7)%n+1)) // in some order
			if n%7 == 0 {
				c.ratios[i] = float64(i + 1)
			}
		}
		low, high, ok := c.between(0.01)
		if ok != (k > 0) || ok && (low != float64(k) || high != float64(n+1-k)) {
			t.Errorf("%d rounds: %v to %v, %t, want the %d. of each side", n, low, high, ok, k)
		}
	}
}

// TestAlike: of many figures that only vary, none is said to have changed, though one of them is lower in all rounds but one by chance; if that
// is the only figure, it is.
func TestAlike(t *testing.T) {
	const rounds = 12
	for figures, want := range map[int]int{60: 0, 1: 1} {
		folder := t.TempDir()
		for i := range rounds {
			for _, name := range []string{"before", "after"} {
				var all Results
				for n := range figures {
					value := 100.0 + float64((7*i+n)%rounds)
					if name == "after" && (n == 0 && i > 0 || n > 0 && (i+n)%2 == 0) {
						value *= 0.9
					} else if name == "after" {
						value *= 1.1
					}
					all.Add(fmt.Sprint(n), peers.Hub, 0, "events/s", value)
				}
				r := Report{Rows: all.Rows}
				if err := r.Write(filepath.Join(folder, fmt.Sprintf("%s.%02d.json", name, i))); err != nil {
					t.Fatal(err)
				}
			}
		}
		var out strings.Builder
		if err := Compare(folder, &out); strings.Count(out.String(), "WORSE") != want || (err != nil) != (want > 0) {
			t.Errorf("with %d figures: %v\n%s", figures, err, out.String())
		}
	}
}

// TestCompare: what is worse or better in all rounds is said, what varies is not, and only what is worse is an error.
func TestCompare(t *testing.T) {
	folder := t.TempDir()
	write := func(name string, round int, rate, wait, noisy float64) {
		t.Helper()
		var all Results
		all.Add("one-to-one", peers.Hub, 0, "events/s", rate)
		all.Add("latency", peers.Hub, 0, "p50, µs", wait)
		all.Add("latency", peers.Hub, 0, "p99, µs", noisy)
		r := Report{Rows: all.Rows}
		if err := r.Write(filepath.Join(folder, fmt.Sprintf("%s.%02d.json", name, round))); err != nil {
			t.Fatal(err)
		}
	}
	compared := func() (string, error) {
		var out strings.Builder
		err := Compare(folder, &out)
		return out.String(), err
	}
	if _, err := compared(); err == nil {
		t.Error("nothing is compared")
	}
	for i := range 10 {
		n := float64(i)
		write("before", i, 1000+100*n, 50+n, 100+10*math.Mod(7*n, 10))
		write("after", i, (1000+100*n)*1.05, (50+n)*0.9, 100+10*math.Mod(3*n, 10))
	}
	text, err := compared()
	if err != nil || strings.Count(text, "better") != 2 || strings.Contains(text, "WORSE") {
		t.Errorf("%v\n%s", err, text)
	}
	for i := range 10 {
		write("after", i, 900, 50+float64(i), 100)
	}
	text, err = compared()
	if err == nil || strings.Count(text, "WORSE") != 1 || !strings.Contains(text, "one-to-one") {
		t.Errorf("%v\n%s", err, text)
	}
	write("after", 10, 1, 1, 1)
	if _, err := compared(); err == nil {
		t.Error("a report without its pair is compared")
	}
}
