package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"sighub/carrier"
	"sighub/internal/lockrank"
)

// Options configure a [Hub] and its peers. The zero value of each field stands for its default.
type Options struct {
	// Codec packs the messages; nil stands for [carrier.CBOR].
	Codec carrier.Codec
	// MaxMessage is how many bytes a packed message or reply may have; 0 stands for 1 MiB.
	MaxMessage int
	// Window is how many messages each end may leave unanswered; 0 stands for 64.
	Window int
	// Identity says who the peers of NewPeer are, for the hub's policy: see [carrier.Client].
	Identity string
	// Backoff paces a peer's tries to connect; the zero value waits from 1 ms to 100 ms.
	Backoff carrier.Backoff
	// Logger is told of replies that nobody waited for and the like; nil discards.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	o.Codec = cmp.Or(o.Codec, carrier.CBOR)
	if o.MaxMessage <= 0 {
		o.MaxMessage = 1 << 20
	}
	if o.Window <= 0 {
		o.Window = 64
	}
	o.Backoff = cmp.Or(o.Backoff, carrier.Backoff{Min: time.Millisecond, Max: 100 * time.Millisecond})
	o.Logger = lockrank.Logger(cmp.Or(o.Logger, slog.New(slog.DiscardHandler)))
	return o
}

// errNotServed: the hub's Serve is not running.
var errNotServed = errors.New("local: the hub is not served")

// A Hub is the accepting end, and a [carrier.Disconnecter]. Make one with [NewHub].
type Hub struct {
	o       Options
	clients carrier.Clients[*end]
	serving sync.WaitGroup

	mu    lockrank.Mutex[lockrank.Leaf]
	h     carrier.Handler // nil: not served
	peers int
}

// NewHub returns a Hub without peers.
func NewHub(o Options) *Hub { return &Hub{o: o.withDefaults()} }

// Serve implements [carrier.Carrier].
func (h *Hub) Serve(ctx context.Context, handler carrier.Handler) error {
	h.mu.Lock()
	h.h = handler
	h.mu.Unlock()
	<-ctx.Done()
	h.mu.Lock()
	h.h = nil
	h.mu.Unlock()
	for _, e := range h.clients.All() {
		e.link.cut(e, carrier.ErrShutdown, carrier.ErrClosed)
	}
	h.serving.Wait()
	lockrank.MustBeFree("a handler is called")
	handler.AllClientsDisconnected(carrier.ErrShutdown)
	return nil
}

// Transmit implements [carrier.Carrier].
func (h *Hub) Transmit(ctx context.Context, id carrier.ClientID, m *carrier.Message, done func(carrier.Reply, error)) error {
	e, err := h.clients.Find(id)
	if err != nil {
		return err
	}
	return e.Transmit(ctx, m, done)
}

// Disconnect implements [carrier.Disconnecter].
func (h *Hub) Disconnect(id carrier.ClientID, cause error) {
	if e, err := h.clients.Find(id); err == nil {
		e.link.cut(e, cause, carrier.ErrClosed)
	}
}

// connect makes a link between the hub and a peer, and starts the hub's end of it.
func (h *Hub) connect(p *Peer) (*end, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	handler := h.h
	if handler == nil {
		return nil, errNotServed
	}
	l := newLink(h.o)
	hub, peer := &l.ends[0], &l.ends[1]
	c := p.as
	c.Codec, c.Hello, c.Window = h.o.Codec, true, h.o.Window
	c.ID = h.clients.Add(hub)
	h.serving.Go(func() { hub.serve(c, handler, &h.clients) })
	return peer, nil
}

// NewPeer returns one more peer of the hub, which connects to it for as long as both are served. The name is
// what the hub knows it by; it may be empty.
func (h *Hub) NewPeer(name string) *Peer {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.peers++
	return h.NewPeerAs(carrier.Client{Name: name, Addr: fmt.Sprintf("local://%d", h.peers), Identity: h.o.Identity})
}

// NewPeerAs is NewPeer for one that acts for somebody else: the hub knows it as c says. The Hub sets what it knows better: the id,
// the codec, the window and that the peer understands everything. An account is the caller's to close, when the peer is served no
// more.
func (h *Hub) NewPeerAs(c carrier.Client) *Peer { return &Peer{hub: h, as: c} }

// A Peer is a connecting end: a carrier whose one client is the hub. Make one with [Hub.NewPeer].
type Peer struct {
	hub     *Hub
	as      carrier.Client
	clients carrier.Clients[*end]
}

// Serve implements [carrier.Carrier].
func (p *Peer) Serve(ctx context.Context, handler carrier.Handler) error {
	backoff := p.hub.o.Backoff
	for ctx.Err() == nil {
		e, err := p.hub.connect(p)
		if err != nil {
			_ = backoff.Wait(ctx) // the loop looks at ctx
			continue
		}
		backoff.Reset()
		c := carrier.Client{Name: "sighub", Addr: "local://hub", Codec: p.hub.o.Codec, Hello: true, Window: p.hub.o.Window}
		c.ID = p.clients.Add(e)
		stop := context.AfterFunc(ctx, func() { e.link.cut(e, carrier.ErrShutdown, carrier.ErrClosed) })
		e.serve(c, handler, &p.clients)
		stop()
	}
	lockrank.MustBeFree("a handler is called")
	handler.AllClientsDisconnected(carrier.ErrShutdown)
	return nil
}

// Transmit implements [carrier.Carrier].
func (p *Peer) Transmit(ctx context.Context, id carrier.ClientID, m *carrier.Message, done func(carrier.Reply, error)) error {
	e, err := p.clients.Find(id)
	if err != nil {
		return err
	}
	return e.Transmit(ctx, m, done)
}

// Cut breaks the connection as a cable that is pulled would: both ends lose what is on its way. The peer
// connects again, as long as it is served. Cut does nothing when there is no connection.
func (p *Peer) Cut() {
	for _, e := range p.clients.All() {
		e.link.cut(e, carrier.ErrUnplugged, carrier.ErrUnplugged)
	}
}
