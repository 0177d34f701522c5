package journal

import "testing"

// TestWrittenBefore: when the events of a segment had been written is told by later segments, some of which had a wrong clock.
func TestWrittenBefore(t *testing.T) {
	for _, test := range []struct {
		began []int64
		want  int64
	}{
		{[]int64{100, 110, 120}, 110},
		{[]int64{100, 1, 120}, 120},   // one began with a clock in the past
		{[]int64{1, 110, 120}, 110},   // the oldest did
		{[]int64{900, 110, 120}, 120}, // the oldest began with a clock in the future
		{[]int64{100, 900, 120}, 120}, // a later one did
		{[]int64{100, 900, 1}, 900},   // nothing better is known
		{[]int64{900, 1, 110, 2}, 110},
	} {
		var kept []segment
		for _, began := range test.began {
			kept = append(kept, segment{began: began})
		}
		if got := writtenBefore(kept); got != test.want {
			t.Errorf("%v: %d, want %d", test.began, got, test.want)
		}
	}
}
