package tcp

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"sighub/carrier"
	"sighub/internal/buffers"
)

// peers are the clients of a carrier, at either end.
type peers struct {
	log        *slog.Logger
	connecting bool                  // this is the end that connects
	handler    carrier.Handler       // set by Serve
	signals    carrier.SignalHandler // the same; nil if it takes no streams of signals
	buffers    buffers.Pool
	smallReads buffers.Pool
	largeReads buffers.Pool
	readers    sync.WaitGroup // the goroutines that read, and those that did, at the end that connects

	unexpected, malformed atomic.Uint64
	refused               carrier.Refusals
	strangers             carrier.Refusals // the part of it before there was a client

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

	// Refused are the messages and connections that were refused or ended, by cause (see [carrier.Cause]): "stranger" for one
	// that spoke another protocol, "timeout" for one that did not complete what it began or read nothing, "limit", "size",
	// "malformed".
	Refused map[string]uint64
}

func (p *peers) stats() Stats {
	return Stats{
		Clients: p.clients.Len(), UnexpectedReplies: p.unexpected.Load(), Malformed: p.malformed.Load(), Refused: p.refused.Counts(),
	}
}

func (p *peers) transmit(ctx context.Context, id carrier.ClientID, m *carrier.Message, done func(carrier.Reply, error)) error {
	c, err := p.clients.Find(id)
	if err != nil {
		return err
	}
	return c.transmit(ctx, m, done)
}

func (p *peers) tryTransmit(id carrier.ClientID, m *carrier.Message, done func(carrier.Reply, error)) (ok bool, err error) {
	c, err := p.clients.Find(id)
	if err != nil {
		return true, err
	}
	return c.tryTransmit(m, done)
}

func (p *peers) disconnect(id carrier.ClientID, cause error) {
	if c, err := p.clients.Find(id); err == nil {
		c.fail(cause)
	}
}
