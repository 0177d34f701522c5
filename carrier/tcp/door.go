package tcp

import (
	"container/list"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"

	"sighub/carrier"
	"sighub/internal/lockrank"
)

// A door lets connections in, and bounds how many there are: in all, and from one place. Those that have not said anything
// yet make way for others when it is full, or when they are half of what there may be. So they never keep anybody out who
// speaks.
type door struct {
	most    int // connections in all
	perHost int // from one place elsewhere

	mu     lockrank.Mutex[lockrank.Leaf]
	open   map[*conn]*entrance
	places map[string]*entrance
	silent int  // connections that have not said anything
	full   bool // the last connection was one too many
}

// An entrance is for the connections from one place.
type entrance struct {
	at     string
	open   int
	silent list.List // of those connections that have not said anything, the oldest first
}

var errMadeWay = fmt.Errorf("%w: it said nothing, and others needed its place", carrier.ErrLimit)

func newDoor(most, perHost int) *door {
	return &door{most: most, perHost: perHost, open: make(map[*conn]*entrance), places: make(map[string]*entrance)}
}

// admit counts a connection. If there are as many as there may be, silent is one that has to make way, or err says what there
// is too much of. again: the one before was refused as well.
func (d *door) admit(c *conn, local bool) (silent *conn, again bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.places[c.place]
	if e == nil {
		e = &entrance{at: c.place}
	}
	perPlace := d.perHost
	if local { // most clients are here; but one program that goes wrong shall not keep out the command line
		perPlace = d.most - d.most/16
	}
	var from *entrance // where one must make way
	switch {
	case e.open >= perPlace:
		from = e
		err = fmt.Errorf("%w: there are %d connections from %s", carrier.ErrLimit, e.open, c.place)
	case len(d.open) < d.most && d.silent >= d.most-d.most/2:
		from = d.mostSilent()
	case len(d.open) >= d.most:
		from = d.mostSilent()
		err = fmt.Errorf("%w: there are %d connections", carrier.ErrLimit, len(d.open))
	}
	if from != nil && from.silent.Len() > 0 {
		silent, err = from.silent.Front().Value.(*conn), nil
		d.remove(silent)
	}
	again, d.full = d.full, err != nil
	if err != nil {
		return nil, again, err
	}
	d.places[c.place] = e
	d.open[c] = e
	e.open++
	d.silent++
	c.silent = e.silent.PushBack(c)
	return silent, false, nil
}

// mostSilent returns the place from where most silent connections come; nil if there are none. The lock is held.
func (d *door) mostSilent() (most *entrance) {
	for _, e := range d.places {
		if n := e.silent.Len(); n > 0 && (most == nil || n > most.silent.Len()) {
			most = e
		}
	}
	return most
}

// spoke records that a connection has said something.
func (d *door) spoke(c *conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.open[c]; e != nil {
		d.heard(e, c)
	}
}

// heard takes a connection from those that have not said anything. The lock is held.
func (d *door) heard(e *entrance, c *conn) {
	if c.silent != nil {
		e.silent.Remove(c.silent)
		c.silent = nil
		d.silent--
	}
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
	d.heard(e, c)
	if e.open--; e.open == 0 {
		delete(d.places, e.at)
	}
}

// count returns how many connections are open.
func (d *door) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.open)
}

func (d *door) all() []*conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Keys(d.open))
}

// thisMachine is where all programs are that connect over loopback: the address does not tell them apart.
const thisMachine = "this machine"

// placeOf returns what may be one client with many connections: an IPv4 address, an IPv6 network of 64 bits, which is what
// one household or machine has, or a user of this machine. local reports the latter.
func placeOf(nc net.Conn) (at string, local bool) {
	switch a := nc.RemoteAddr().(type) {
	case *net.TCPAddr:
		ip := a.AddrPort().Addr().Unmap().WithZone("")
		if ip.IsLoopback() {
			return thisMachine, true
		}
		if ip.Is6() {
			return netip.PrefixFrom(ip, 64).Masked().String(), false
		}
		return ip.String(), false
	default:
		if user := peerUser(nc); user != "" {
			return "user " + user, true
		}
		return thisMachine, true
	}
}
