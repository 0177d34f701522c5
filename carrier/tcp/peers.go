package tcp

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
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

	stray, malformed atomic.Uint64

	mu      sync.RWMutex
	last    carrier.ClientID
	clients map[carrier.ClientID]*conn
}

func (p *peers) serve(h carrier.Handler) {
	p.handler = h
	p.signals, _ = h.(carrier.SignalHandler)
}

// Stats count what happened at a carrier since it was made.
type Stats struct {
	Clients      int    // connected now
	StrayReplies uint64 // replies that nobody waited for
	Malformed    uint64 // messages and replies that could not be unpacked
}

// Stats returns the counts so far.
func (p *peers) Stats() Stats {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return Stats{Clients: len(p.clients), StrayReplies: p.stray.Load(), Malformed: p.malformed.Load()}
}

// Transmit sends one message to a client: see [carrier.Carrier]. The client's window is also full while
// [Limits].MaxPending bytes wait to be written to it.
func (p *peers) Transmit(ctx context.Context, id carrier.ClientID, m *carrier.Message, done func(carrier.Reply, error)) error {
	p.mu.RLock()
	c, last := p.clients[id], p.last
	p.mu.RUnlock()
	switch {
	case c != nil:
		return c.transmit(ctx, m, done)
	case id == 0 || id > last:
		return fmt.Errorf("%w: %d", carrier.ErrNoClient, id)
	default:
		return fmt.Errorf("%w: %d", carrier.ErrGone, id)
	}
}

// Disconnect implements [carrier.Disconnecter]. What is pending is still written, for at most a second or so.
func (p *peers) Disconnect(id carrier.ClientID, cause error) {
	p.mu.RLock()
	c := p.clients[id]
	p.mu.RUnlock()
	if c != nil {
		c.fail(cause)
	}
}

func (p *peers) add(c *conn) carrier.ClientID {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.clients == nil {
		p.clients = make(map[carrier.ClientID]*conn)
	}
	p.last++
	p.clients[p.last] = c
	return p.last
}

func (p *peers) remove(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.clients, c.client)
}
