package bridge

import (
	"slices"

	"sighub/hub"
)

// A Sent says which events of a journal the other side has: all up to a position, and those of some parts behind it, which went ahead.
// It only ever grows. The zero Sent has none.
type Sent struct {
	UpTo  hub.Position
	Ahead []Span // in order, and apart from each other
}

// A Span is a part of a journal: the events behind one position, up to another one.
type Span struct{ After, UpTo hub.Position }

// MaxAhead is how many spans there are at the most: each outage adds one until what waits has gone up.
const MaxAhead = 16

// Has reports whether the event at a position is sent.
func (s *Sent) Has(at hub.Position) bool {
	if !s.UpTo.Before(at) {
		return true
	}
	for _, a := range s.Ahead {
		if a.After.Before(at) && !a.UpTo.Before(at) {
			return true
		}
	}
	return false
}

// End returns the position behind which nothing is sent.
func (s *Sent) End() hub.Position {
	if n := len(s.Ahead); n > 0 {
		return s.Ahead[n-1].UpTo
	}
	return s.UpTo
}

// Fill notes that everything up to a position is sent. What it reaches is ahead no more.
func (s *Sent) Fill(to hub.Position) {
	if s.UpTo.Before(to) {
		s.UpTo = to
	}
	for len(s.Ahead) > 0 && !s.UpTo.Before(s.Ahead[0].After) {
		if to := s.Ahead[0].UpTo; s.UpTo.Before(to) {
			s.UpTo = to
		}
		s.Ahead = s.Ahead[1:]
	}
}

// Extend notes that what is furthest ahead is sent up to a position.
func (s *Sent) Extend(to hub.Position) {
	if n := len(s.Ahead); n > 0 {
		s.Ahead[n-1].UpTo = to
	} else {
		s.Fill(to)
	}
}

// Join adds what another Sent has, of the same journal. If that makes more than MaxAhead spans, the oldest are left out.
func (s *Sent) Join(other *Sent) {
	s.Fill(other.UpTo)
	for _, a := range other.Ahead {
		from := 0
		for from < len(s.Ahead) && s.Ahead[from].UpTo.Before(a.After) {
			from++
		}
		to := from
		for ; to < len(s.Ahead) && !a.UpTo.Before(s.Ahead[to].After); to++ { // they meet
			if met := s.Ahead[to]; met.After.Before(a.After) {
				a.After = met.After
			}
			if met := s.Ahead[to]; a.UpTo.Before(met.UpTo) {
				a.UpTo = met.UpTo
			}
		}
		s.Ahead = slices.Replace(s.Ahead, from, to, a)
	}
	s.Fill(s.UpTo)
	s.Ahead = s.Ahead[max(0, len(s.Ahead)-MaxAhead):]
}
