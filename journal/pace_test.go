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
		"awaited":           {func(_ *Journal, g *Group) { g.Append(0) }, 1, 0},
		"unawaited":         {func(_ *Journal, g *Group) { g.AppendUnawaited() }, 1, 20 * time.Millisecond},
		"cursor":            {func(j *Journal, g *Group) { g.Discard(); j.SetCursor("c", Position{Sequence: 1}) }, 1, time.Second},
		"cursor, unawaited": {func(j *Journal, g *Group) { j.SetCursor("c", Position{Sequence: 1}); g.AppendUnawaited() }, 1, 20 * time.Millisecond},
		"unawaited, awaited": {func(_ *Journal, g *Group) {
			g.AppendUnawaited()
			time.Sleep(late)
			g.Add(Event{Topic: Topic{"a", "b"}})
			g.Append(0)
		}, 1, late},
		"unawaited, large": {func(_ *Journal, g *Group) {
			g.Add(Event{Topic: Topic{"a", "b"}, Data: make([]byte, 16<<10)})
			g.AppendUnawaited()
		}, 1, 0},
		"unawaited after awaited": {func(_ *Journal, g *Group) {
			g.Append(0)
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

// TestWithin: when the budget is used up, there is a commit each second; or in time for who cannot wait for so long, as early as the
// disk needs, and not too often. Everybody's is in it.
func TestWithin(t *testing.T) {
	const ms = time.Millisecond
	type wait struct{ after, within time.Duration } // since the last commit
	for name, test := range map[string]struct {
		sync  time.Duration
		waits []wait
		took  time.Duration // from the last commit's end to the end of the next
	}{
		"nobody":             {0, []wait{{10 * ms, 0}}, 1000 * ms},
		"one":                {0, []wait{{10 * ms, 240 * ms}}, 250 * ms},
		"one later":          {0, []wait{{10 * ms, 0}, {100 * ms, 240 * ms}}, 340 * ms},
		"one before":         {0, []wait{{10 * ms, 240 * ms}, {100 * ms, 0}}, 250 * ms},
		"the one in a hurry": {0, []wait{{10 * ms, 240 * ms}, {100 * ms, 50 * ms}, {120 * ms, 500 * ms}}, 150 * ms},
		"too soon":           {0, []wait{{1 * ms, 1 * ms}}, 20 * ms},
		"at last":            {0, []wait{{500 * ms, 1 * ms}}, 501 * ms},
		"never":              {0, []wait{{10 * ms, time.Hour}}, 1000 * ms},
		"a slow disk":        {100 * ms, []wait{{10 * ms, 240 * ms}}, 250 * ms},
		"a disk too slow":    {100 * ms, []wait{{10 * ms, 50 * ms}}, 120 * ms},
		"nobody, slow disk":  {100 * ms, []wait{{10 * ms, 0}}, 1100 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			serveFor(t, Options{Pace: PaceOptions{Burst: 1, Day: 1}}, test.sync, func(j *Journal, _ *journaltest.Folder, ended <-chan Ticket) {
				g := j.NewGroup()
				add := func(within time.Duration) Ticket {
					g.Add(Event{Topic: Topic{"a", "b"}})
					return g.Append(within)
				}
				for range 3 { // so that the time that a commit takes is known
					add(0)
					<-ended
				}
				start := time.Now()
				tickets := map[Ticket]bool{}
				for _, w := range test.waits {
					time.Sleep(w.after - time.Since(start))
					tickets[add(w.within)] = true
				}
				ticket := <-ended
				if took := time.Since(start); took < test.took-ms/2 || took > test.took+ms/2 {
					t.Errorf("it took %v, want %v", took, test.took)
				}
				if !tickets[ticket] || len(tickets) != 1 {
					t.Errorf("commit %d is of %v", ticket, tickets)
				}
			})
		})
	}
}
