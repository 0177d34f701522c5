package local

import (
	"fmt"
	"sync/atomic"

	"sighub/carrier"
	"sighub/internal/lockrank"
)

// A link is one connection between a hub and a peer.
type link struct {
	ends [2]end
	gone chan struct{} // closed when the link is cut
	once atomic.Bool
}

// An end is one side of a link.
type end struct {
	carrier.Exchange // with the client at the other side
	link             *link
	other            *end
	inbox            chan []byte
	cause            error // why the link was cut; set before link.gone is closed
}

func newLink(o Options) *link {
	l := &link{gone: make(chan struct{})}
	for i := range l.ends {
		e := &l.ends[i]
		e.link, e.other = l, &l.ends[1-i]
		// What lies in an inbox holds a place in one of the two windows, so that no send ever waits.
		e.inbox = make(chan []byte, 2*o.Window)
		e.Exchange = carrier.Exchange{
			Codec: o.Codec, Max: o.MaxMessage, Calls: carrier.NewCalls(o.Window), Logger: o.Logger,
			Send: func(packet []byte) { e.other.inbox <- packet },
		}
	}
	return l
}

// cut breaks the link, giving each end its cause. Only the first call counts.
func (l *link) cut(e *end, cause, others error) {
	if !l.once.CompareAndSwap(false, true) {
		return
	}
	e.cause, e.other.cause = cause, others
	lockrank.MustBeFree("what waits for replies is failed")
	for i := range l.ends {
		e := &l.ends[i]
		e.Calls.Fail(fmt.Errorf("%w: %w", carrier.ErrGone, e.cause))
	}
	close(l.gone) // last, because Serve may return from here on
}

// serve announces c, the client at the other side, delivers what it sends until the link is cut, and takes its leave.
func (e *end) serve(c carrier.Client, h carrier.Handler, clients *carrier.Clients[*end]) {
	e.Client, e.Handler = c.ID, h
	lockrank.MustBeFree("a handler is called")
	h.ClientConnected(c)
	for e.readOne() {
	}
	clients.Remove(c.ID)
	h.ClientDisconnected(c.ID, e.cause)
}

// readOne delivers one packet. It returns false once the link is cut.
func (e *end) readOne() bool {
	select {
	case <-e.link.gone:
		return false
	default: // a link that is cut delivers nothing any more
	}
	select {
	case <-e.link.gone:
		return false
	case packet := <-e.inbox:
		lockrank.MustBeFree("a handler is called, or a reply is handed on")
		e.Receive(packet)
		return true
	}
}
