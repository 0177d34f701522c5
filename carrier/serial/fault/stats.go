package fault

import (
	"fmt"
	"strings"
)

// Stats counts what was sent over a line, and the harm that was done.
type Stats struct {
	Bytes  uint64 // put on the wire, as they were sent
	Frames uint64 // that could be dropped or repeated

	Flipped  uint64 // bits
	Lost     uint64 // bytes, without those of dropped frames
	Doubled  uint64 // bytes
	Inserted uint64 // bytes
	Dropped  uint64 // frames
	Repeated uint64 // frames
	Printed  uint64 // bytes of boot texts
	Cuts     uint64
}

// add returns the sum of both.
func (s Stats) add(t Stats) Stats {
	return Stats{
		Bytes: s.Bytes + t.Bytes, Frames: s.Frames + t.Frames, Flipped: s.Flipped + t.Flipped, Lost: s.Lost + t.Lost,
		Doubled: s.Doubled + t.Doubled, Inserted: s.Inserted + t.Inserted, Dropped: s.Dropped + t.Dropped,
		Repeated: s.Repeated + t.Repeated, Printed: s.Printed + t.Printed, Cuts: s.Cuts + t.Cuts,
	}
}

// String returns the counts that are not zero.
func (s Stats) String() string {
	var parts []string
	for _, p := range []struct {
		n          uint64
		what, done string
	}{
		{s.Flipped, "bit", " flipped"}, {s.Lost, "byte", " lost"}, {s.Doubled, "byte", " doubled"},
		{s.Inserted, "byte", " inserted"}, {s.Dropped, "frame", " dropped"}, {s.Repeated, "frame", " repeated"},
		{s.Printed, "byte", " of boot texts"}, {s.Cuts, "cut", ""},
	} {
		if p.n > 0 {
			parts = append(parts, count(p.n, p.what)+p.done)
		}
	}
	if len(parts) == 0 {
		parts = []string{"no harm"}
	}
	return fmt.Sprintf("%s, in %s and %s", strings.Join(parts, ", "), count(s.Bytes, "byte"), count(s.Frames, "frame"))
}

func count(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
