package local

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"sighub/carrier"
)

// A link is one connection between a hub and a peer.
type link struct {
	codec carrier.Codec
	max   int
	log   *slog.Logger
	ends  [2]end
	gone  chan struct{} // closed when the link is cut
	once  atomic.Bool
}

// An end is one side of a link, with what it knows of the other side: its client.
type end struct {
	link   *link
	other  *end
	client carrier.Client
	calls  *carrier.Calls // transmitted from here
	inbox  chan []byte
	cause  error // why the link was cut; set before link.gone is closed
}

func newLink(o Options) *link {
	l := &link{codec: o.Codec, max: o.MaxMessage, log: o.Logger, gone: make(chan struct{})}
	for i := range l.ends {
		e := &l.ends[i]
		e.link, e.other = l, &l.ends[1-i]
		e.calls = carrier.NewCalls(o.Window)
		// What lies in an inbox holds a place in one of the two windows, so that no send ever waits.
		e.inbox = make(chan []byte, 2*o.Window)
	}
	return l
}

// cut breaks the link, giving each end its cause. Only the first call counts.
func (l *link) cut(e *end, cause, others error) {
	if !l.once.CompareAndSwap(false, true) {
		return
	}
	e.cause, e.other.cause = cause, others
	for i := range l.ends {
		e := &l.ends[i]
		e.calls.Fail(fmt.Errorf("%w: %w", carrier.ErrGone, e.cause))
	}
	close(l.gone) // last, because Serve may return from here on
}

// read announces the end's client, delivers what arrives until the link is cut, and takes its leave.
func (e *end) read(h carrier.Handler, from *clients) {
	h.ClientConnected(e.client)
	for e.readOne(h) {
	}
	from.remove(e)
	h.ClientDisconnected(e.client.ID, e.cause)
}

func (e *end) readOne(h carrier.Handler) bool {
	select {
	case <-e.link.gone:
		return false
	default: // a link that is cut delivers nothing any more
	}
	select {
	case <-e.link.gone:
		return false
	case data := <-e.inbox:
		e.receive(h, data)
		return true
	}
}

func (e *end) receive(h carrier.Handler, data []byte) {
	p, err := carrier.Unpack(e.link.codec, data)
	switch {
	case err != nil && p.Message != nil:
		e.reply(p.Message.ID, carrier.Failed(err))
	case err != nil:
		e.link.log.Debug("local: a reply cannot be read", "client", e.client.ID, "error", err)
	case p.Reply != nil:
		var id uint64
		if err := p.Reply.ID.Decode(&id); err != nil || !e.calls.Answer(id, *p.Reply) {
			e.link.log.Debug("local: a reply that nobody waits for", "client", e.client.ID, "id", p.Reply.ID)
		}
	default:
		var answered atomic.Bool
		id := p.Message.ID
		h.HandleMessage(e.client.ID, p.Message, func(r carrier.Reply) {
			if answered.CompareAndSwap(false, true) {
				e.reply(id, r)
			}
		})
	}
}

// reply sends a reply; one that cannot be sent is replaced by one that says why.
func (e *end) reply(id carrier.Value, r carrier.Reply) {
	r.ID = id
	data, err := r.AppendTo(nil, e.link.codec)
	if err == nil && len(data) > e.link.max {
		err = fmt.Errorf("%w: the reply has %d bytes, the limit is %d", carrier.ErrTooLarge, len(data), e.link.max)
	}
	if err != nil {
		r = carrier.Failed(err)
		r.ID = id
		if data, err = r.AppendTo(nil, e.link.codec); err != nil {
			e.link.log.Error("local: a reply cannot be packed", "client", e.client.ID, "error", err)
			return
		}
	}
	e.other.inbox <- data
}

func (e *end) transmit(ctx context.Context, m *carrier.Message, done func(carrier.Reply, error)) error {
	id, err := e.calls.Begin(ctx, done)
	if err != nil {
		return err
	}
	data, err := (&carrier.Message{ID: carrier.ValueOf(id), Method: m.Method, Params: m.Params}).AppendTo(nil, e.link.codec)
	if err == nil && len(data) > e.link.max {
		err = fmt.Errorf("%w: %s has %d bytes, the limit is %d", carrier.ErrTooLarge, m.Method, len(data), e.link.max)
	}
	if err != nil {
		if !e.calls.Drop(id) {
			return nil // done was told of another end already
		}
		return err
	}
	e.other.inbox <- data
	return nil
}
