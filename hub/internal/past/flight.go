package past

import "sighub/journal"

// A Flight is what is on its way to a client and is not answered yet, in order. L stands for whoever hears events from the journal;
// its zero value stands for all others. The zero Flight is ready for use, by one goroutine at a time.
type Flight[L comparable] struct {
	ring  []slot[L]
	first uint64 // number of the oldest slot
	n     int
}

// A slot is an event from the journal, or some others in a row.
type slot[L comparable] struct {
	to       L
	at       journal.Position
	n        int
	answered bool // before those in front of it
}

// Live notes that n events were sent that are not from the journal.
func (f *Flight[L]) Live(n int) {
	var none L
	if n <= 0 {
		return
	}
	if last := f.slot(f.n - 1); last != nil && last.to == none && !last.answered {
		last.n += n
		return
	}
	f.push(slot[L]{n: n})
}

// Put notes that an event from the journal was sent, and returns its number: see Landed.
func (f *Flight[L]) Put(to L, at journal.Position) uint64 {
	f.push(slot[L]{to: to, at: at, n: 1})
	return f.first + uint64(f.n) - 1
}

// Answered notes that the oldest n events were answered, and calls landed for those that are from the journal.
func (f *Flight[L]) Answered(n int, landed func(L, journal.Position)) {
	for n > 0 && f.n > 0 {
		s := f.slot(0)
		k := min(n, s.n)
		s.n -= k
		n -= k
		if s.n == 0 {
			f.pop(landed)
		}
	}
}

// Landed notes that the event of that number was answered, and calls landed for it and those behind it when all in front of it were.
func (f *Flight[L]) Landed(number uint64, landed func(L, journal.Position)) {
	s := f.slot(int(number - f.first))
	if number < f.first || s == nil {
		return
	}
	s.answered = true
	for s := f.slot(0); s != nil && s.answered; s = f.slot(0) {
		f.pop(landed)
	}
}

// Next returns whom the event is for that is answered next.
func (f *Flight[L]) Next() (to L) {
	if s := f.slot(0); s != nil {
		to = s.to
	}
	return to
}

// slot returns slot i of those that wait, or nil if fewer wait.
func (f *Flight[L]) slot(i int) *slot[L] {
	if i < 0 || i >= f.n {
		return nil
	}
	return &f.ring[(f.first+uint64(i))&uint64(len(f.ring)-1)]
}

// push appends a slot. The length of the ring is a power of two.
func (f *Flight[L]) push(s slot[L]) {
	if f.n == len(f.ring) {
		ring := make([]slot[L], max(64, 2*f.n))
		for i := range f.n {
			ring[(f.first+uint64(i))&uint64(len(ring)-1)] = *f.slot(i)
		}
		f.ring = ring
	}
	f.n++
	*f.slot(f.n - 1) = s
}

func (f *Flight[L]) pop(landed func(L, journal.Position)) {
	var none L
	s := f.slot(0)
	to, at := s.to, s.at
	*s = slot[L]{}
	f.first++
	f.n--
	if to != none {
		landed(to, at)
	}
}
