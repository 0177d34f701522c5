package tcp

import (
	"context"
	"log/slog"
	"sync/atomic"

	"sighub/carrier"
)

// peers are the clients of a carrier, at either end.
type peers struct {
	log        *slog.Logger
	connecting bool                  // this is the end that connects
	handler    carrier.Handler       // set by Serve
	signals    carrier.SignalHandler // the same; nil if it takes no streams of signals
	buffers    bufferPool
	reads      readPool

	unexpected, malformed atomic.Uint64

	clients carrier.Clients[*conn]
}

func (p *peers) serve(h carrier.Handler) {
	p.handler = h
	p.signals, _ = h.(carrier.SignalHandler)
}

// Stats count what happened at a carrier since it was made.
type Stats struct {
	Clients           int    // connected now
	UnexpectedReplies uint64 // replies that nobody waited for
	Malformed         uint64 // messages and replies that could not be unpacked
}

// Stats returns the counts so far.
func (p *peers) Stats() Stats {
	return Stats{Clients: p.clients.Len(), UnexpectedReplies: p.unexpected.Load(), Malformed: p.malformed.Load()}
}

// Transmit sends one message to a client: see [carrier.Carrier]. The client's window is also full while
// [Limits].MaxPending bytes wait to be written to it.
func (p *peers) Transmit(ctx context.Context, id carrier.ClientID, m *carrier.Message, done func(carrier.Reply, error)) error {
	c, err := p.clients.Find(id)
	if err != nil {
		return err
	}
	return c.transmit(ctx, m, done)
}

// Disconnect implements [carrier.Disconnecter]. What is pending is still written, for at most a second or so.
func (p *peers) Disconnect(id carrier.ClientID, cause error) {
	if c, err := p.clients.Find(id); err == nil {
		c.fail(cause)
	}
}
