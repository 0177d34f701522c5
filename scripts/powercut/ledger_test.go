//go:build linux

package main

import (
	"strings"
	"testing"

	"sighub/carrier"
	"sighub/journal"
)

// TestCompare: everything that can be wrong with a folder is told.
func TestCompare(t *testing.T) {
	at := func(n uint64) journal.Position { return journal.Position{Epoch: 1, Sequence: n} }
	for _, test := range []struct {
		name, want string
		change     func(l *ledger, f *found)
	}{
		{"right", "", func(*ledger, *found) {}},
		{"more than was acknowledged", "", func(_ *ledger, f *found) { f.tracks["p0"].last = 12; f.marks["p0"] = 12 }},
		{"old ones have gone", "", func(_ *ledger, f *found) { f.oldest, f.tracks["p0"].first = 4, 4 }},
		{"the last one is lost", "LOST", func(_ *ledger, f *found) { f.tracks["p0"].last = 9 }},
		{"the first one is lost", "LOST", func(_ *ledger, f *found) { f.tracks["p0"].first = 2 }},
		{"all are lost", "LOST", func(_ *ledger, f *found) { delete(f.tracks, "p0") }},
		{"what was never sent", "were sent", func(_ *ledger, f *found) { f.tracks["p0"].last = 13; f.marks["p0"] = 13 }},
		{"a mark behind its data", "mark", func(_ *ledger, f *found) { f.marks["p0"] = 9 }},
		{"a mark in front of its data", "mark", func(_ *ledger, f *found) { f.marks["p0"] = 11 }},
		{"a cursor ahead", "ahead", func(_ *ledger, f *found) { f.cursors["c"] = at(11) }},
		{"a cursor set back", "was on disk", func(_ *ledger, f *found) { f.cursors["c"] = at(3) }},
		{"a cursor lost", "not there", func(_ *ledger, f *found) { delete(f.cursors, "c") }},
		{"what was heard is lost", "data ends", func(l *ledger, _ *found) { l.take(heard{storing, at(11), "p0", 11}) }},
		{"what was heard is another", "heard", func(l *ledger, f *found) { f.at[8] = sent{"p1", 3} }},
	} {
		l := newLedger()
		l.take(sent{"p0", 12})
		l.take(acked{"p0", 10})
		l.take(settled{"c", at(4)})
		l.take(heard{storing, at(8), "p0", 8})
		f := &found{tracks: tracks{"p0": {1, 10}}, marks: map[string]int{"p0": 10}, cursors: map[string]journal.Position{"c": at(5)},
			at: map[uint64]sent{8: {"p0", 8}}, oldest: 1, last: 10}
		l = l.clone()
		test.change(l, f)
		err := l.compare(f)
		if (test.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// TestHearing: each event once and in order; but one that trusts the hub's cursor may hear the latest again, at the same positions.
func TestHearing(t *testing.T) {
	at := func(epoch uint32, n uint64) journal.Position { return journal.Position{Epoch: epoch, Sequence: n} }
	for _, test := range []struct {
		next  heard
		right bool
	}{
		{heard{storing, at(2, 11), "p0", 6}, true},
		{heard{storing, at(1, 11), "p1", 1}, true},
		{heard{storing, at(1, 11), "p0", 5}, false},
		{heard{storing, at(1, 10), "p0", 5}, false},
		{heard{storing, at(1, 11), "p0", 7}, false},
		{heard{storing, at(1, 9), "p0", 6}, false},
		{heard{trusting, at(1, 10), "p0", 5}, true},
		{heard{trusting, at(1, 7), "p0", 2}, true},
		{heard{trusting, at(2, 11), "p0", 5}, false},
		{heard{trusting, at(1, 11), "p0", 7}, false},
	} {
		h := &hearing{at: at(1, 10), last: map[string]int{"p0": 5}}
		if err := h.right(test.next, false); (err == nil) != test.right {
			t.Errorf("%+v: %v", test.next, err)
		}
	}
}

// TestNumberOf: data that is not whole is told.
func TestNumberOf(t *testing.T) {
	for _, n := range []int{1, 97, 12345} {
		if got, err := numberOf("p1", carrier.ValueOf(text("p1", n))); err != nil || got != n {
			t.Errorf("%d is %d, %v", n, got, err)
		}
	}
	for _, data := range []any{text("p1", 7) + "x", text("p0", 7), "", "7", 7, nil} {
		if n, err := numberOf("p1", carrier.ValueOf(data)); err == nil {
			t.Errorf("%v is %d", data, n)
		}
	}
}
