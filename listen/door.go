package listen

import (
	"container/list"
	"fmt"
	"time"

	"sighub/internal/lockrank"
)

// A door lets connections in, and bounds how many there are: in all, from one place, and of strangers. Strangers make way for
// newcomers, those first that are the oldest where most of them are. So they never keep anybody out who has something to say.
type door struct {
	most    int             // connections in all
	changed chan<- struct{} // how many there are; nil: nobody is told
	knocked chan struct{}   // the time of a stranger has begun

	mu     lockrank.Mutex[lockrank.Leaf]
	open   map[*conn]*entrance
	places map[string]*entrance
	here   hall // of this machine
	others hall
	full   bool // the last connection was one too many
}

// A hall is for the connections of this machine, or for those of all others.
type hall struct {
	most         int // connections
	perPlace     int
	strangers    int // at most
	perStrangers int // at most of one place

	open    int
	waiting int                    // strangers
	places  map[*entrance]struct{} // where strangers are from
}

// An entrance is for the connections from one place.
type entrance struct {
	at      string
	hall    *hall
	open    int
	waiting list.List // the strangers, the oldest first
}

func newDoor(o Options) *door {
	some := o.MaxConns - o.MaxConns/16 // the rest is for the other hall
	half := o.MaxConns - o.MaxConns/2
	// Most clients are on this machine; but one program that goes wrong shall not keep out the command line.
	here := hall{most: some, perPlace: some, strangers: half, perStrangers: half}
	if o.Strict {
		here.strangers = min(half, o.MaxStrangers)
	}
	others := hall{
		most: some, perPlace: min(some, o.MaxPerAddress),
		strangers: min(half, o.MaxStrangers), perStrangers: min(half, o.MaxStrangersPerAddress),
	}
	here.places, others.places = make(map[*entrance]struct{}), make(map[*entrance]struct{})
	return &door{
		most: o.MaxConns, changed: o.Changed, knocked: make(chan struct{}, 1),
		open: make(map[*conn]*entrance), places: make(map[string]*entrance), here: here, others: others,
	}
}

// tell gives a channel something, unless it has something already, or nobody receives.
func tell(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// admit counts a connection, which is a stranger's. If there are as many as there may be, out is one that has to make way, or
// err says what there is too much of. again: the one before was refused as well.
func (d *door) admit(c *conn) (out *conn, again bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.places[c.peer.Place]
	if e == nil {
		e = &entrance{at: c.peer.Place, hall: &d.others}
		if c.peer.Local {
			e.hall = &d.here
		}
	}
	h := e.hall
	var from *entrance // where one must make way
	switch {
	case e.open >= h.perPlace:
		from = e
		err = fmt.Errorf("%w: there are %d from %s", ErrFull, e.open, e.at)
	case e.waiting.Len() >= h.perStrangers:
		from = e
	case h.waiting >= h.strangers:
		from = h.mostWaiting()
	case h.open >= h.most:
		from = h.mostWaiting()
		err = fmt.Errorf("%w: there are %d", ErrFull, h.open)
	case len(d.open) >= d.most:
		from = d.here.mostWaiting()
		if other := d.others.mostWaiting(); from == nil || other != nil && other.waiting.Len() > from.waiting.Len() {
			from = other
		}
		err = fmt.Errorf("%w: there are %d", ErrFull, len(d.open))
	}
	if from != nil && from.waiting.Len() > 0 {
		out, err = from.oldest(), nil
		d.evict(out, ErrMadeWay)
	}
	again, d.full = d.full, err != nil
	if err != nil {
		return nil, again, err
	}
	d.places[e.at] = e
	d.open[c] = e
	e.open++
	h.open++
	h.waiting++
	h.places[e] = struct{}{}
	c.waiting = e.waiting.PushBack(c)
	tell(d.changed)
	if !c.patient {
		tell(d.knocked)
	}
	return out, false, nil
}

// mostWaiting returns the place from where most strangers are, or of several the one where somebody has waited longest; nil if nobody
// waits. The lock is held.
func (h *hall) mostWaiting() (most *entrance) {
	for e := range h.places {
		if most == nil || e.waiting.Len() > most.waiting.Len() || e.waiting.Len() == most.waiting.Len() && e.oldest().by.Before(most.oldest().by) {
			most = e
		}
	}
	return most
}

// oldest returns the stranger who has waited longest; there is one. The lock is held.
func (e *entrance) oldest() *conn {
	c, _ := e.waiting.Front().Value.(*conn)
	return c
}

// known records that a connection is no stranger's any more. It reports whether the connection is still there.
func (d *door) known(c *conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.open[c]
	if e != nil {
		e.know(c)
	}
	return e != nil
}

// know takes a connection from the strangers. The lock is held.
func (e *entrance) know(c *conn) {
	if c.waiting == nil {
		return
	}
	e.waiting.Remove(c.waiting)
	c.waiting = nil
	e.hall.waiting--
	if e.waiting.Len() == 0 {
		delete(e.hall.places, e)
	}
}

// begin records that the time of a stranger has begun, and when it is over.
func (d *door) begin(c *conn, by time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c.by, c.patient = by, false
	tell(d.knocked)
}

// leave records that a connection has ended.
func (d *door) leave(c *conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.remove(c)
}

// remove is called with the lock held. It does nothing if the connection has gone already.
func (d *door) remove(c *conn) {
	e := d.open[c]
	if e == nil {
		return
	}
	delete(d.open, c)
	tell(d.changed)
	e.know(c)
	e.hall.open--
	if e.open--; e.open == 0 {
		delete(d.places, e.at)
	}
}

// count returns how many connections are open, and how many of them are strangers'.
func (d *door) count() (open, strangers int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.open), d.here.waiting + d.others.waiting
}

// evict removes a stranger, so that it cannot be admitted any more, and is told why. The lock is held.
func (d *door) evict(c *conn, why error) {
	c.why.CompareAndSwap(nil, &why)
	d.remove(c)
}

// overdue removes the strangers whose time was over before t, and returns them. more: the time of others goes on.
func (d *door) overdue(t time.Time) (list []*conn, more bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, h := range []*hall{&d.here, &d.others} {
		for e := range h.places {
			for s := e.waiting.Front(); s != nil; s = s.Next() {
				switch c, _ := s.Value.(*conn); {
				case c.patient:
				case c.by.Before(t):
					list = append(list, c)
				default:
					more = true
				}
			}
		}
	}
	for _, c := range list {
		d.evict(c, ErrLate)
	}
	return list, more
}

// unmet returns the strangers that no protocol has yet.
func (d *door) unmet() (list []*conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.open {
		if !c.met.Load() {
			list = append(list, c)
		}
	}
	return list
}
