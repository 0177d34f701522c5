// Package flow decides how many events may be on their way to a client at a time.
package flow

import "time"

// A Flow decides how many events may be in flight to a client: as many as the client takes or, if that is fewer, as many as
// it answers within Delay beyond the round trip. The other events wait in the outbox, where the policy of a slow
// listener applies, and not in the buffers on the way, where the latest event would wait behind thousands of older ones.
//
// A Flow times one event in flight at a time. If its answer is late, the answers that came meanwhile show how many events
// the client answers in time, and the window becomes that number. The longest pause between answers is left out: a client
// that stood still for a moment is not slow. If no answer was late and the window held events back, the window grows.
type Flow struct {
	most int // what the client takes; 0: the carrier limits that itself, and there is nothing to decide

	window   int
	inFlight int  // Sent and not answered
	short    bool // the window kept events back since the timed one was sent

	at    time.Time  // when the timed event was sent
	held  bool       // nobody has said yet that it has left
	of    int        // events that were in flight then, itself included
	ahead int        // those of them that are not answered yet; 0: none is timed
	pace  answerRate // of the answers meanwhile

	way time.Duration // the round trip of an event that has none before it
}

// Delay is how long an event may wait on its way because of those before it. It is longer than a healthy client on a
// busy machine is kept from running.
const Delay = 100 * time.Millisecond

// stall is how late an answer may be before a client is taken to stand still.
const stall = time.Second

// New returns the Flow of a client that takes so many unanswered events at a time; 0: its carrier limits that itself.
func New(most int) Flow { return Flow{most: most, window: most} }

// InFlight returns how many events were sent and are not answered.
func (f *Flow) InFlight() int { return f.inFlight }

// Open reports whether one more may be sent.
func (f *Flow) Open() bool {
	if f.most == 0 || f.inFlight < f.window {
		return true
	}
	f.short = true
	return false
}

// Stands reports whether the client stands still. A round trip longer than stall counts as stall at most, because it
// may have been measured while the client stood still.
func (f *Flow) Stands() bool {
	limit := stall
	if f.way < stall {
		limit += f.way
	}
	return f.ahead > 0 && time.Since(f.at) > limit
}

// Late reports whether the answer to the timed event is late by that much.
func (f *Flow) Late(by time.Duration) bool { return f.ahead > 0 && time.Since(f.at) > f.way+by }

// Sent counts an event that was sent.
func (f *Flow) Sent() {
	f.inFlight++
	if f.ahead == 0 && f.most > 1 {
		f.of, f.ahead, f.short = f.inFlight, f.inFlight, false
		f.at, f.held, f.pace = time.Now(), true, answerRate{}
	}
}

// Left notes that what was sent leaves now, after it had to wait for others that leave together with it: that is not the client's time.
func (f *Flow) Left(now time.Time) {
	if f.ahead > 0 && f.held {
		f.at, f.held = now, false
	}
}

// Answered counts events that were answered.
func (f *Flow) Answered(n int) {
	f.inFlight -= n
	if f.ahead == 0 {
		return
	}
	now := time.Now()
	f.ahead = max(0, f.ahead-n)
	f.pace.add(now, n)
	took := now.Sub(f.at)
	if f.ahead == 0 && (f.of == 1 || took < f.way) {
		f.way = took
	}
	switch most := f.way + Delay; {
	case took > most:
		if n, span := f.pace.usual(); span >= Delay/2 {
			f.window = max(1, min(f.window, inTime(n, span, most)))
		}
	case f.ahead > 0 || !f.short:
	case took < f.way+Delay/4:
		f.window = min(2*f.window, f.most)
	default:
		f.window = min(max(inTime(f.of, took, most), f.window+1), 2*f.window, f.most)
	}
}

// inTime returns how many events are answered within a time, given that n are answered within span.
func inTime(n int, span, within time.Duration) int {
	return int(int64(n) * int64(within) / int64(max(span, 1)))
}

// A answerRate is how fast answers come.
type answerRate struct {
	latest  time.Time     // answer
	n       int           // events answered after the first answer
	span    time.Duration // since that
	longest time.Duration // between two answers
	then    int           // events answered by the second of these
}

func (p *answerRate) add(now time.Time, n int) {
	if !p.latest.IsZero() {
		gap := now.Sub(p.latest)
		p.n += n
		p.span += gap
		if gap > p.longest {
			p.longest, p.then = gap, n
		}
	}
	p.latest = now
}

// usual returns how many events were answered within which span, without the longest pause and the answer that ended it.
func (p *answerRate) usual() (n int, span time.Duration) { return p.n - p.then, p.span - p.longest }
