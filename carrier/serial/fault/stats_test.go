package fault

import "testing"

func TestStats(t *testing.T) {
	s := Stats{Bytes: 100, Frames: 10, Flipped: 1, Cuts: 2}
	sum := s.add(Stats{Bytes: 1, Frames: 1, Lost: 1, Doubled: 2, Inserted: 3, Dropped: 4, Repeated: 5, Printed: 6, Cuts: 1})
	for s, want := range map[Stats]string{
		s: "1 bit flipped, 2 cuts, in 100 bytes and 10 frames",
		sum: "1 bit flipped, 1 byte lost, 2 bytes doubled, 3 bytes inserted, 4 frames dropped, 5 frames repeated, " +
			"6 bytes of boot texts, 3 cuts, in 101 bytes and 11 frames",
		{}: "no harm, in 0 bytes and 0 frames",
	} {
		if got := s.String(); got != want {
			t.Errorf("%s, instead of %s", got, want)
		}
	}
}
