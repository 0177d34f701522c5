package hub

import "time"

// A flow decides how many events may be in flight to a client: what it takes, or if that is fewer, as many as it answers
// within flowDelay, beside the time that the way there and back takes. What is beyond that waits in the outbox, where a
// slow listener's policy deals with it, and not in the buffers on the way, where the latest event would wait behind
// thousands that are older.
//
// It times one event in flight after another. By that it knows what the client answers in time, and when the timed event
// is late, the window becomes that. If it was not late and the window was in the way, the window grows towards it.
type flow struct {
	most int // what the client takes; 0: the carrier counts otherwise, and nothing is decided here

	window   int
	inFlight int  // sent and not answered yet
	short    bool // the window kept events back since the timed one was sent

	at    time.Time     // when the timed event was sent
	of    int           // events that were in flight then, itself included
	ahead int           // those of them that are not answered yet; 0: none is timed
	way   time.Duration // what one takes that has none before it
}

// flowDelay is how long an event may wait on its way because of those before it. It is longer than a busy machine keeps a
// healthy client from running.
const flowDelay = 100 * time.Millisecond

func newFlow(most int) flow { return flow{most: most, window: most} }

// open tells whether one more may be sent.
func (f *flow) open() bool {
	if f.most == 0 || f.inFlight < f.window {
		return true
	}
	f.short = true
	return false
}

// sent counts an event that is sent.
func (f *flow) sent() {
	f.inFlight++
	if f.ahead == 0 && f.most > 1 {
		f.at, f.of, f.ahead, f.short = time.Now(), f.inFlight, f.inFlight, false
	}
}

// answered counts events that are answered.
func (f *flow) answered(n int) {
	f.inFlight -= n
	if f.ahead == 0 {
		return
	}
	took := time.Since(f.at)
	f.ahead = max(0, f.ahead-n)
	if f.ahead == 0 && (f.of == 1 || took < f.way) {
		f.way = took
	}
	most := f.way + flowDelay
	inTime := int(int64(f.of-f.ahead) * int64(most) / int64(max(took, 1)))
	switch {
	case took > most:
		f.window = max(inTime, 1)
	case f.ahead == 0 && f.short:
		f.window = min(max(inTime, f.window+1), 2*f.window, f.most)
	}
}
