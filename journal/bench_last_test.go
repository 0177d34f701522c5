package journal

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkLast measures telling the last events of 5,000 topics. Their values are short enough to be in memory, or are read: they were
// committed all at the same time, some at a time, or each long before the next.
func BenchmarkLast(b *testing.B) {
	const topics = 5000
	for _, c := range []struct {
		name             string
		value, at, other int // bytes of a value, values of a commit, bytes between commits
	}{
		{"short", 4, 100, 0},
		{"together", 200, topics, 0},
		{"some", 200, 20, 0},
		{"apart", 200, 20, 128 << 10},
	} {
		b.Run(c.name, func(b *testing.B) {
			j, stop := served(b, b.TempDir(), Options{Pace: PaceOptions{Burst: 1 << 50}}, func(Ticket, bool) {})
			g := j.NewGroup()
			for i := range topics {
				// The order of the names is not that of the journal.
				g.Add(Event{Topic: Topic{fmt.Sprintf("crowd %05d", i*7919%topics), "#connect"}, Time: int64(i), Data: make([]byte, c.value)})
				if (i+1)%c.at != 0 {
					continue
				}
				if c.other > 0 {
					g.Add(Event{Topic: Topic{"camera", "picture"}, Time: int64(i), Data: make([]byte, c.other)})
				}
				g.Append(0)
				for j.Sync(b.Context()) != nil {
					time.Sleep(time.Millisecond)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				if err := j.Last(nil, func(e *Entry) error {
					if e.Sender != "camera" && len(e.Data) != c.value {
						return fmt.Errorf("%v: %d bytes", e.Topic, len(e.Data))
					}
					n++
					return nil
				}); err != nil || n < topics {
					b.Fatal(n, err)
				}
			}
			stop()
		})
	}
}
