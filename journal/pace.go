package journal

import "time"

// A pace decides when the next commit is due. Each commit writes whole pages, so many small ones wear a flash card out: ten
// devices with one reading a second, committed one by one, write 3.5 GB a day. So a commit costs a budget. It is made at once while
// most of the budget is there, as on a hub on which little happens; then a little later, so that what comes together goes together;
// and when nothing of the budget is left, what comes within a second goes together, unless somebody cannot wait for so long. Large
// commits are not worth waiting for.
type pace struct {
	o      PaceOptions
	budget float64       // bytes
	filled time.Time     // when budget was computed
	latest time.Time     // end of a commit
	takes  time.Duration // a commit, on average
}

// PaceOptions say how often a journal writes. Zero values are defaults.
type PaceOptions struct {
	// Large is how many bytes are committed at once: 16 KiB by default.
	Large int
	// Day is how many bytes smaller commits may write in a day, and Burst how many of them at once: 400 MB and 16 MiB by default.
	Day, Burst int64
	// Quiet is the time between smaller commits when half of Burst is used up: 5 ms by default.
	Quiet time.Duration
	// Interval is the time between smaller commits when all is used up: 1 s by default.
	Interval time.Duration
	// Urgent is the shortest time between smaller commits when all is used up, which somebody may need earlier than after Interval:
	// 20 ms by default. Events wait as long if nobody is to be answered: see [Group.AppendUnawaited].
	Urgent time.Duration
}

func (o PaceOptions) withDefaults() PaceOptions {
	if o.Large <= 0 {
		o.Large = 16 << 10
	}
	if o.Day <= 0 {
		o.Day = 400e6
	}
	if o.Burst <= 0 {
		o.Burst = 16 << 20
	}
	if o.Quiet <= 0 {
		o.Quiet = 5 * time.Millisecond
	}
	if o.Interval <= 0 {
		o.Interval = time.Second
	}
	if o.Urgent <= 0 {
		o.Urgent = 20 * time.Millisecond
	}
	return o
}

func newPace(o PaceOptions, now time.Time) *pace {
	o = o.withDefaults()
	return &pace{o: o, budget: float64(o.Burst), filled: now}
}

// due returns how long to wait with so many bytes. by is when somebody needs them on disk, zero if nobody does.
func (p *pace) due(now time.Time, bytes int, by time.Time) time.Duration {
	p.fill(now)
	var wait time.Duration
	switch {
	case bytes >= p.o.Large, p.budget >= float64(p.o.Burst)/2:
	case p.budget >= float64(frameAlign):
		wait = p.o.Quiet
	default:
		wait = p.o.Interval
		if !by.IsZero() {
			wait = min(wait, max(p.o.Urgent, by.Add(-p.takes).Sub(p.latest)))
		}
	}
	return max(0, wait-now.Sub(p.latest))
}

// sooner returns the earlier one of two times, of which a zero one does not count.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// A need says who waits for what is not committed.
type need int

const (
	needCursor need = iota // nobody does: if the position of a cursor is lost, its owner hears some events again
	needEvent              // whoever hears what is committed may
	needAnswer             // somebody is to be answered
)

// rest returns how long to wait because nobody is to be answered: then what comes next goes with it. since is when the first of it
// came. A program that connects and sends an event is so answered after one commit, not two.
func (p *pace) rest(now time.Time, bytes int, n need, since time.Time) time.Duration {
	var wait time.Duration
	switch {
	case bytes >= p.o.Large:
	case n == needCursor:
		wait = p.o.Interval
	case n == needEvent:
		wait = p.o.Urgent
	}
	return max(0, wait-now.Sub(since))
}

// committed takes what a commit has written from the budget.
func (p *pace) committed(start, now time.Time, bytes int64) {
	p.fill(now)
	p.latest = now
	took := min(now.Sub(start), p.o.Interval)
	if p.takes == 0 {
		p.takes = took
	}
	p.takes += (took - p.takes) / 8
	if bytes < int64(p.o.Large) {
		p.budget = max(0, p.budget-float64(bytes))
	}
}

func (p *pace) fill(now time.Time) {
	const day = 24 * time.Hour
	p.budget = min(float64(p.o.Burst), p.budget+float64(p.o.Day)*float64(now.Sub(p.filled))/float64(day))
	p.filled = now
}
