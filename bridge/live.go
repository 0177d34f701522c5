package bridge

import (
	"sighub/hub"
	"sighub/journal"
)

// passOver is how many events must wait for Options.Live to have the latest go ahead of them. Fewer do not take long.
const passOver = 256

// Resume has Next begin again behind what the other side has, which sent says and what is acknowledged adds to. With Options.Live, and if
// much waits, the main lane begins with what happens now, and the late lane has what waits. Sent gets a span for that, which is empty as yet.
func (f *Feed) Resume(sent *Sent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	main := &f.lanes[f.main()]
	if late := f.late(); late != nil {
		if !late.open() {
			late.owners = nil
		} else if late.at.Before(main.at) {
			main.at = late.at
		}
		late.until = 0
	}
	sent.Fill(f.acknowledged())
	for i := range f.lanes {
		if l := &f.lanes[i]; l.at.Before(sent.UpTo) {
			l.at = sent.UpTo
		}
	}
	f.ahead = append([]Span(nil), sent.Ahead...)
	if f.o.Live {
		f.split(main, sent)
	}
	f.reopen()
}

// split has the main lane begin where nothing is sent yet, and the late one have what is not sent before. The lock is held.
func (f *Feed) split(main *lane, sent *Sent) {
	from, end := sent.End(), hub.Position(f.o.Journal.End())
	end.Sequence--
	if end.Sequence >= from.Sequence+passOver && len(sent.Ahead) < MaxAhead {
		sent.Ahead = append(sent.Ahead, Span{end, end})
		from = end
	}
	if len(sent.Ahead) == 0 {
		return
	}
	late := f.late()
	late.at, late.until = main.at, from.Sequence
	main.at = from
	if late.owners == nil {
		late.owners, main.owners = main.owners, make(map[string]*hub.ClientInfo)
		f.findOwners(f.main())
	}
}

// late returns the late lane, open or closed; nil without Options.Live.
func (f *Feed) late() *lane {
	if !f.o.Live {
		return nil
	}
	return &f.lanes[f.main()+1]
}

// Late reports whether the late lane has something to pass on. It is for the goroutine of Next.
func (f *Feed) Late() bool {
	l := f.late()
	return l != nil && l.next().Sequence <= l.until
}

// clip leaves of a gap what is of the late lane and was not sent ahead. It reports whether anything is left.
func (f *Feed) clip(l *lane, e *journal.Entry) bool {
	if e.Back > 0 {
		return true
	}
	from, to := e.Sequence, min(e.Sequence+e.Lost, l.until+1) // before which it ends
	if to <= from {
		return false
	}
	n := to - from
	for _, a := range f.ahead {
		if first, behind := max(from, a.After.Sequence+1), min(to, a.UpTo.Sequence+1); first < behind {
			n -= behind - first
		}
	}
	e.Lost = n
	return n > 0
}
