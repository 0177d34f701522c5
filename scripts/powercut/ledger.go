//go:build linux

package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"sighub/journal"
)

// The notes in the log of a disk. Each is made by whoever was told something, after it was told.
type (
	// acked: everything up to this number of a sender was acknowledged.
	acked struct {
		sender string
		number int
	}
	// sent: this number of a sender is on its way, so it may be on disk.
	sent struct {
		sender string
		number int
	}
	// heard: a listener that hears what is on disk heard this number.
	heard struct {
		listener string
		at       journal.Position
		sender   string
		number   int
	}
	// settled: it was told that its cursor is on disk.
	settled struct {
		cursor string
		at     journal.Position
	}
)

// A ledger is what the programs around a hub know at a moment.
type ledger struct {
	acked   map[string]int
	sent    map[string]int
	heard   map[string]*hearing // by listener
	settled map[string]journal.Position
}

func newLedger() *ledger {
	return &ledger{acked: map[string]int{}, sent: map[string]int{}, heard: map[string]*hearing{}, settled: map[string]journal.Position{}}
}

func (l *ledger) clone() *ledger {
	c := &ledger{acked: maps.Clone(l.acked), sent: maps.Clone(l.sent), heard: map[string]*hearing{}, settled: maps.Clone(l.settled)}
	for name, h := range l.heard {
		c.heard[name] = h.clone()
	}
	return c
}

// hearing returns what a listener has heard.
func (l *ledger) hearing(listener string) *hearing {
	h := l.heard[listener]
	if h == nil {
		h = &hearing{last: map[string]int{}}
		l.heard[listener] = h
	}
	return h
}

// take adds a note.
func (l *ledger) take(note any) {
	switch n := note.(type) {
	case acked:
		l.acked[n.sender] = max(l.acked[n.sender], n.number)
	case sent:
		l.sent[n.sender] = max(l.sent[n.sender], n.number)
	case heard:
		l.hearing(n.listener).take(n)
	case settled:
		l.settled[n.cursor] = n.at
	}
}

// total returns how many signals were acknowledged.
func (l *ledger) total() (n int) {
	for _, last := range l.acked {
		n += last
	}
	return n
}

// text is the data of a sender's signal: its number, and more that follows from it. Some are long, so that a frame lies on
// several pages.
func text(sender string, number int) string {
	length := 10 + number*7919%90
	if number%97 == 0 {
		length = 5000 + number%3000
	}
	return fmt.Sprint(number) + " " + strings.Repeat(sender+"."+strconv.Itoa(number%10), length)[:length]
}

// A track is what is seen of one sender, in order.
type track struct{ first, last int }

// tracks follow the numbers of senders: each once and in order.
type tracks map[string]*track

func (t tracks) add(sender string, n int) error {
	have := t[sender]
	switch {
	case have == nil:
		t[sender] = &track{n, n}
	case n <= have.last:
		return fmt.Errorf("%s: %d comes after %d: it is there twice, or out of order", sender, n, have.last)
	case n > have.last+1:
		was := have.last
		have.last = n
		return fmt.Errorf("%s: %d comes after %d: those between are lost", sender, n, was)
	default:
		have.last = n
	}
	return nil
}

// compare holds what was found against the ledger.
func (l *ledger) compare(f *found) error {
	complete := f.oldest <= 1 // nothing has gone because of the journal's size
	for _, sender := range slices.Sorted(maps.Keys(l.acked)) {
		t := f.tracks[sender]
		switch {
		case t == nil && (complete || len(f.tracks) == 0):
			return fmt.Errorf("LOST: %s: %d were acknowledged, none is there", sender, l.acked[sender])
		case t == nil:
			continue // the others have pushed it out
		case t.last < l.acked[sender]:
			return fmt.Errorf("LOST: %s: acknowledged up to %d, there up to %d", sender, l.acked[sender], t.last)
		case complete && t.first != 1:
			return fmt.Errorf("LOST: %s: the first that is there is %d", sender, t.first)
		}
	}
	for sender, t := range f.tracks {
		if t.last > l.sent[sender] && sender != deviceName { // which also takes readings while the power is off
			return fmt.Errorf("%s: %d is there, and only %d were sent", sender, t.last, l.sent[sender])
		}
		if mark, ok := f.marks[sender]; ok && mark != t.last {
			return fmt.Errorf("%s: its mark says %d, and its last signal is %d", sender, mark, t.last)
		}
	}
	for name, h := range l.heard {
		if h.at.Sequence > f.last {
			return fmt.Errorf("the %s listener has heard event %d, and the data ends at %d", name, h.at.Sequence, f.last)
		}
		at := f.at[h.at.Sequence]
		if at.number != h.last[at.sender] && h.at.Sequence >= f.oldest {
			return fmt.Errorf("the %s listener has heard %s %d as event %d, which is now %s %d", name, at.sender, h.last[at.sender],
				h.at.Sequence, at.sender, at.number)
		}
	}
	for name, p := range f.cursors {
		if p.Sequence > f.last {
			return fmt.Errorf("the cursor %s is at %d, ahead of the data, which ends at %d", name, p.Sequence, f.last)
		}
		if s := l.settled[name]; p.Sequence < s.Sequence {
			return fmt.Errorf("the cursor %s is at %d, and was on disk at %d", name, p.Sequence, s.Sequence)
		}
	}
	for name, s := range l.settled {
		if _, ok := f.cursors[name]; !ok {
			return fmt.Errorf("the cursor %s is not there, and was on disk at %d", name, s.Sequence)
		}
	}
	return nil
}
