package bridge

import (
	"testing"

	"sighub/hub"
)

// TestSent: what is filled and what is ahead meet, however they come.
func TestSent(t *testing.T) {
	at := func(n uint64) hub.Position { return hub.Position{Epoch: 1, Sequence: n} }
	s := Sent{UpTo: at(10), Ahead: []Span{{at(20), at(30)}, {at(40), at(40)}}}
	s.Extend(at(45))
	for n, want := range map[uint64]bool{1: true, 10: true, 11: false, 20: false, 21: true, 30: true, 31: false, 40: false, 41: true, 45: true, 46: false} {
		if got := s.Has(at(n)); got != want {
			t.Errorf("%d: %t", n, got)
		}
	}
	s.Fill(at(19))
	if s.UpTo != at(19) || len(s.Ahead) != 2 || s.End() != at(45) {
		t.Errorf("%+v", s)
	}
	s.Fill(at(20))
	if s.UpTo != at(30) || len(s.Ahead) != 1 {
		t.Errorf("%+v", s)
	}
	s.Fill(at(50))
	if s.UpTo != at(50) || len(s.Ahead) != 0 || s.End() != at(50) {
		t.Errorf("%+v", s)
	}
	s.Extend(at(51))
	if s.UpTo != at(51) {
		t.Errorf("%+v", s)
	}
}
