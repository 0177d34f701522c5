package bridge

import (
	"context"
	"sort"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/hub"
	"sighub/internal/lockrank"
	"sighub/internal/plain"
	"sighub/journal"
)

// MethodBridges is the request that lists the bridges of a hub: its answer is a list of [Status].
const MethodBridges = "bridges"

// A Status is how a bridge is at a moment.
type Status struct {
	Name      string    `json:"name"`
	Kind      string    `json:"kind"`  // mqtt, nats
	Where     string    `json:"where"` // the address of the other side, without a password
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since"` // when it was connected, or when the connection was lost

	Lag    uint64     `json:"lag"`              // events that are not acknowledged, at the most: those are counted, too, that are not passed on
	Oldest *time.Time `json:"oldest,omitempty"` // the time of the oldest of them
	// Left is for how many hours the journal still keeps what is not acknowledged, if as much goes on being reported; nil: unknown, or
	// nothing waits.
	Left *float64 `json:"hours_left,omitempty"`

	Sent    uint64 `json:"sent"`    // events that were acknowledged since the start
	Refused uint64 `json:"refused"` // events that the other side does not take, and that were passed over
	Lost    uint64 `json:"lost"`    // events that the journal had no more, and that were told as a gap

	Error   string     `json:"error,omitempty"` // the latest
	ErrorAt *time.Time `json:"error_at,omitempty"`
	Remedy  string     `json:"remedy,omitempty"` // what to do about it
}

// A Bridge is one that runs.
type Bridge interface {
	Status() Status
}

// Method returns the hub's method that lists bridges by their names.
func Method(list ...Bridge) hub.Method {
	return func(context.Context, carrier.Value) (any, error) { return Statuses(list), nil }
}

// Statuses returns how bridges are, by their names.
func Statuses(list []Bridge) []Status {
	all := make([]Status, 0, len(list))
	for _, b := range list {
		all = append(all, b.Status())
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

// A State collects what there is to tell of a bridge. It is safe for concurrent use. Make one with [NewState].
type State struct {
	name, kind, where string
	sent, refused     atomic.Uint64

	mu        lockrank.Mutex[lockrank.Leaf]
	connected bool
	since     time.Time
	err       string
	errAt     time.Time
	remedy    string
}

// NewState returns the State of a bridge that is not connected yet.
func NewState(name, kind, where string) *State {
	return &State{name: name, kind: kind, where: where, since: time.Now()}
}

// Connected notes that the other side can be reached. The latest error is no longer one.
func (s *State) Connected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.connected {
		s.connected, s.since = true, time.Now()
	}
	s.err, s.remedy, s.errAt = "", "", time.Time{}
}

// Disconnected notes that the other side cannot be reached any more.
func (s *State) Disconnected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.connected {
		s.connected, s.since = false, time.Now()
	}
}

// Failed notes an error, and what can be done about it. It reports whether the error is another one than before, so that it is worth
// a line in the log.
func (s *State) Failed(err error, remedy string) (other bool) {
	text := plain.Text(err.Error())
	s.mu.Lock()
	defer s.mu.Unlock()
	other = s.err != text
	s.err, s.errAt, s.remedy = text, time.Now(), remedy
	return other
}

// Sent notes that n events were acknowledged.
func (s *State) Sent(n int) { s.sent.Add(uint64(n)) }

// Refused notes that n events were passed over, because the other side does not take them.
func (s *State) Refused(n int) { s.refused.Add(uint64(n)) }

// Status returns what there is to tell, with the lag of the feed, which may be nil.
func (s *State) Status(feeds ...*Feed) Status {
	s.mu.Lock()
	st := Status{
		Name: s.name, Kind: s.kind, Where: s.where, Connected: s.connected, Since: s.since.UTC(), Error: s.err, Remedy: s.remedy,
	}
	if s.err != "" {
		st.ErrorAt = new(s.errAt.UTC())
	}
	s.mu.Unlock()
	st.Sent, st.Refused = s.sent.Load(), s.refused.Load()
	for _, f := range feeds {
		if f != nil {
			f.addTo(&st)
		}
	}
	return st
}

// addTo adds the lag of the feed to a status.
func (f *Feed) addTo(st *Status) {
	f.mu.Lock()
	st.Lost += f.lost
	var at hub.Position
	var oldest time.Time
	for i := range f.lanes { // the one that is furthest behind counts
		if !f.counts(i) {
			continue
		}
		l := &f.lanes[i]
		here, first := l.at, time.Time{}
		if l.sent.n > 0 {
			first = l.sent.first().time
		} else if here.Before(l.read) {
			here = l.read
		}
		if i == 0 || here.Before(at) {
			at, oldest = here, first
		}
	}
	f.mu.Unlock()
	health := f.o.Journal.Health()
	if health.Err != nil && st.Error == "" {
		st.Error = "the journal cannot be written, so nothing new is passed on: " + plain.Text(health.Err.Error())
		st.ErrorAt = new(health.Since.UTC())
		st.Remedy = "make room on the hub's disk, or see what is wrong with it: it goes on by itself"
	}
	end := f.o.Journal.End().Sequence - 1
	lag := end - min(at.Sequence, end)
	st.Lag = max(st.Lag, lag)
	if lag == 0 {
		return
	}
	if oldest.IsZero() {
		oldest = f.oldest(at)
	}
	if !oldest.IsZero() && (st.Oldest == nil || oldest.Before(*st.Oldest)) {
		st.Oldest = new(oldest.UTC())
	}
	if left, ok := hoursLeft(health, lag); ok && (st.Left == nil || left < *st.Left) {
		st.Left = &left
	}
}

// oldest returns the time of the event behind a position; zero if it cannot be read.
func (f *Feed) oldest(at hub.Position) time.Time {
	r := f.o.Journal.Read(journal.Query{Start: journal.After(journal.Position(at)), Bounded: true})
	defer r.Close() //nolint:errcheck // nothing was written
	var one [1]journal.Entry
	for {
		n, err := r.Next(context.Background(), one[:])
		if n == 0 || err != nil {
			return time.Time{}
		}
		if e := &one[0]; e.Lost == 0 && e.Back == 0 && e.Time != 0 {
			return time.Unix(0, e.Time)
		}
	}
}

// leastSpan is the span of time that a journal must have, so that its rate says something.
const leastSpan = time.Minute

// hoursLeft returns in how many hours the journal needs the room of the oldest of so many events, at the rate at which it was filled.
func hoursLeft(h journal.Health, lag uint64) (hours float64, ok bool) {
	span := h.Newest.Sub(h.Oldest)
	events := float64(h.Next.Sequence - h.First.Sequence)
	if h.First.Sequence == 0 || span < leastSpan || events < 1 || h.Bytes <= 0 {
		return 0, false
	}
	most := events * float64(h.Size) / float64(h.Bytes)
	return max(0, most-float64(lag)) / (events / span.Hours()), true
}
