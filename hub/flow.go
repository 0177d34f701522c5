package hub

import "time"

// A flow decides how many events may be in flight to a client: what it takes, or if that is fewer, as many as it answers
// within flowDelay, beside the time that the way there and back takes. What is beyond that waits in the outbox, where a
// slow listener's policy deals with it, and not in the buffers on the way, where the latest event would wait behind
// thousands that are older.
//
// It times one event in flight after another. When one is late, the answers that came meanwhile tell how many the client
// answers in time, and the window becomes that. What tells is the time between answers, but for the longest: a client
// that stood still for a moment is not slow. If none was late and the window was in the way, it grows.
type flow struct {
	most int // what the client takes; 0: the carrier counts otherwise, and nothing is decided here

	window   int
	inFlight int  // sent and not answered yet
	short    bool // the window kept events back since the timed one was sent

	at    time.Time  // when the timed event was sent
	of    int        // events that were in flight then, itself included
	ahead int        // those of them that are not answered yet; 0: none is timed
	pace  answerRate // of the answers meanwhile

	way time.Duration // what one takes that has none before it
}

// flowDelay is how long an event may wait on its way because of those before it. It is longer than a busy machine keeps a
// healthy client from running.
const flowDelay = 100 * time.Millisecond

// flowStall is how late an answer may be before a client is taken to stand still.
const flowStall = time.Second

func newFlow(most int) flow { return flow{most: most, window: most} }

// open tells whether one more may be sent.
func (f *flow) open() bool {
	if f.most == 0 || f.inFlight < f.window {
		return true
	}
	f.short = true
	return false
}

// stands tells whether the client stands still. A way that is longer than that takes is not believed: it may have been
// measured with a client that did.
func (f *flow) stands() bool {
	limit := flowStall
	if f.way < flowStall {
		limit += f.way
	}
	return f.ahead > 0 && time.Since(f.at) > limit
}

// late tells whether the timed event should have been answered so long ago.
func (f *flow) late(by time.Duration) bool { return f.ahead > 0 && time.Since(f.at) > f.way+by }

// sent counts an event that is sent.
func (f *flow) sent() {
	f.inFlight++
	if f.ahead == 0 && f.most > 1 {
		f.of, f.ahead, f.short = f.inFlight, f.inFlight, false
		f.at, f.pace = time.Now(), answerRate{}
	}
}

// answered counts events that are answered.
func (f *flow) answered(n int) {
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
	switch most := f.way + flowDelay; {
	case took > most:
		if n, span := f.pace.usual(); span >= flowDelay/2 {
			f.window = max(1, min(f.window, inTime(n, span, most)))
		}
	case f.ahead > 0 || !f.short:
	case took < f.way+flowDelay/4:
		f.window = min(2*f.window, f.most)
	default:
		f.window = min(max(inTime(f.of, took, most), f.window+1), 2*f.window, f.most)
	}
}

// inTime returns how many are answered within a time if n are within a span.
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

// usual returns how many events were answered within a span, without the longest pause and what was answered after it.
func (p *answerRate) usual() (n int, span time.Duration) { return p.n - p.then, p.span - p.longest }
