package journal

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"sighub/journal/journaltest"
)

// What nobody waits for goes with what comes next, and not later than it may.
func TestUnawaited(t *testing.T) {
	const late = time.Millisecond
	for name, test := range map[string]struct {
		append  func(j *Journal, g *Group)
		commits int
		took    time.Duration
	}{
		"awaited":           {func(_ *Journal, g *Group) { g.Append(false) }, 1, 0},
		"unawaited":         {func(_ *Journal, g *Group) { g.AppendUnawaited() }, 1, 20 * time.Millisecond},
		"cursor":            {func(j *Journal, g *Group) { g.Discard(); j.SetCursor("c", Position{Sequence: 1}) }, 1, time.Second},
		"cursor, unawaited": {func(j *Journal, g *Group) { j.SetCursor("c", Position{Sequence: 1}); g.AppendUnawaited() }, 1, 20 * time.Millisecond},
		"unawaited, awaited": {func(_ *Journal, g *Group) {
			g.AppendUnawaited()
			time.Sleep(late)
			g.Add(Event{Topic: Topic{"a", "b"}})
			g.Append(false)
		}, 1, late},
		"unawaited, large": {func(_ *Journal, g *Group) {
			g.Add(Event{Topic: Topic{"a", "b"}, Data: make([]byte, 16<<10)})
			g.AppendUnawaited()
		}, 1, 0},
		"unawaited after awaited": {func(_ *Journal, g *Group) {
			g.Append(false)
			time.Sleep(late)
			g.Add(Event{Topic: Topic{"a", "b"}})
			g.AppendUnawaited()
		}, 2, late + 20*time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j, err := OpenFolder(journaltest.NewFolder(1), Options{Size: 4 << 20, Segment: 512 << 10})
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithCancel(t.Context())
				commits, last := 0, time.Now()
				served := make(chan error)
				go func() {
					served <- j.Serve(ctx, func(Ticket, bool) {
						commits++
						last = time.Now()
					})
				}()
				start := time.Now()
				g := j.NewGroup()
				g.Add(Event{Topic: Topic{"a", "b"}})
				test.append(j, g)
				time.Sleep(2 * time.Second)
				stop()
				if err := <-served; err != nil {
					t.Error(err)
				}
				if took := last.Sub(start); commits != test.commits || took != test.took {
					t.Errorf("there were %d commits, the last one after %s, want %d and %s", commits, took, test.commits, test.took)
				}
			})
		})
	}
}
