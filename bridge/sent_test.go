package bridge

import (
	"math/rand/v2"
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

// TestJoin: what is joined has what either has had, and nothing else.
func TestJoin(t *testing.T) {
	const end = 60
	at := func(n int) hub.Position { return hub.Position{Epoch: 1, Sequence: uint64(n)} }
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // it need not be secret
	for range 5000 {
		var both [2]Sent
		for i := range both {
			s := &both[i]
			n := random.IntN(20)
			s.UpTo = at(n)
			for n += random.IntN(20); n < end; n += 1 + random.IntN(20) {
				from := n
				n += random.IntN(10)
				s.Ahead = append(s.Ahead, Span{at(from), at(n)})
			}
		}
		joined := Sent{UpTo: both[0].UpTo, Ahead: append([]Span(nil), both[0].Ahead...)}
		joined.Join(&both[1])
		for n := range end + 20 {
			if got, want := joined.Has(at(n)), both[0].Has(at(n)) || both[1].Has(at(n)); got != want {
				t.Fatalf("%+v and %+v are %+v: %d is %t", both[0], both[1], joined, n, got)
			}
		}
		for i, a := range joined.Ahead {
			if before := joined.UpTo; i > 0 && !joined.Ahead[i-1].UpTo.Before(a.After) || !before.Before(a.After) {
				t.Fatalf("%+v and %+v are %+v, whose parts meet", both[0], both[1], joined)
			}
		}
	}
	var many Sent
	for n := range MaxAhead + 3 {
		many.Join(&Sent{Ahead: []Span{{at(10*n + 5), at(10*n + 8)}}})
	}
	if len(many.Ahead) != MaxAhead || many.End() != at(10*(MaxAhead+2)+8) {
		t.Errorf("%+v", many)
	}
}
