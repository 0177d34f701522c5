package carriertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"sighub/carrier"
)

// A medium carries packets between a hub and its peers in this process, with everything that a carrier can have: pings,
// packets that are sent again, streams of signals. It works; and it has each bug that a carrier may have, to be switched
// on by its name.
type medium struct {
	bug     string
	lossy   bool
	timeout time.Duration
	hub     *memHub
	tries   atomic.Int64
	pile    [][]byte // by the bug "no bounds"

	mu    sync.Mutex
	links []*memLink
}

const (
	memWindow = 8
	memMax    = 4096
)

func (m *medium) has(bug string) bool { return m.bug == bug }

func (m *medium) pair() *Pair {
	m.hub = &memHub{memEnds: memEnds{m: m}, broken: make(chan struct{}), living: make(map[*memPeer]bool)}
	peer := m.dial()
	return &Pair{
		Hub: m.hub, Peer: peer, MaxData: memMax - 64, Dial: func() carrier.Carrier { return m.dial() },
		Medium:    Medium{Name: "peer", UID: "uid 1", Timeout: m.timeout, PackedIDs: true},
		Cut:       func() { m.each(func(l *memLink) { l.cut(carrier.ErrUnplugged, carrier.ErrUnplugged) }) },
		Silence:   func() { m.each(func(l *memLink) { l.silent.Store(true) }) },
		Break:     sync.OnceFunc(func() { close(m.hub.broken) }),
		Tries:     func() int { return int(m.tries.Load()) },
		Malformed: m.malformed,
		Flood:     m.flood,
	}
}

func (m *medium) each(f func(*memLink)) {
	m.mu.Lock()
	links := m.links
	m.links = nil
	m.mu.Unlock()
	for _, l := range links {
		f(l)
	}
}

func (m *medium) dial() *memPeer {
	uid := fmt.Sprint("uid ", m.hub.uids.Add(1))
	if m.has("UID the same for all") {
		uid = "uid 1"
	}
	return &memPeer{memEnds: memEnds{m: m}, uid: uid}
}

// malformed is one more peer, whose message nobody understands.
func (m *medium) malformed() carrier.Status {
	status := make(chan carrier.Status, 1)
	e := &memEnd{m: m, Exchange: carrier.Exchange{Codec: carrier.CBOR, Max: memMax, Calls: carrier.NewCalls(1), Send: func(b []byte) {
		if p, err := carrier.Unpack(carrier.CBOR, b); err == nil && p.Reply != nil {
			status <- p.Reply.Status
		}
	}}}
	e.receive([]byte{0xa2, 0x00, 0x01, 0x01, 0x02})
	select {
	case s := <-status:
		return s
	default:
		return 0
	}
}

// flood is what a peer sends that keeps to nothing: the hub drops what is too large, and counts what is not answered.
func (m *medium) flood(size int) {
	if m.has("no bounds") {
		for ; size > 0; size -= 1 << 20 {
			m.pile = append(m.pile, make([]byte, 1<<20))
		}
	}
}

// memEnds are the clients of either end.
type memEnds struct {
	m       *medium
	clients carrier.Clients[*memEnd]
	locked  sync.Mutex // held in ClientConnected, by a bug
}

func (c *memEnds) Transmit(ctx context.Context, id carrier.ClientID, msg *carrier.Message, done func(carrier.Reply, error)) error {
	if c.m.has("registry locked in ClientConnected") {
		c.locked.Lock()
		defer c.locked.Unlock()
	}
	e, err := c.clients.Find(id)
	switch {
	case err != nil && c.m.has("unknown clients are gone"):
		return carrier.ErrGone
	case err != nil && c.m.has("gone clients never were"):
		return carrier.ErrNoClient
	case err != nil:
		return err
	}
	return e.transmit(ctx, msg, done)
}

// TryTransmit implements carrier.Trier.
func (c *memEnds) TryTransmit(id carrier.ClientID, m *carrier.Message, done func(carrier.Reply, error)) (bool, error) {
	e, err := c.clients.Find(id)
	switch {
	case err != nil && c.m.has("TryTransmit says nothing of clients that have gone"):
		return false, nil
	case err != nil:
		return true, err
	case c.m.has("TryTransmit waits"):
		return true, e.transmit(context.Background(), m, done)
	}
	n, ok, err := e.Calls.TryBegin(done)
	if !ok || err != nil || c.m.has("what TryTransmit takes is lost") {
		return ok, err
	}
	packet, err := m.AppendAs(n, nil, e.Codec)
	if err == nil {
		e.send(packet)
	}
	return true, err
}

type memHub struct {
	memEnds
	broken  chan struct{}
	uids    atomic.Int64
	serving sync.WaitGroup

	mu     sync.Mutex
	h      carrier.Handler
	living map[*memPeer]bool // those that the handler knows
}

func (h *memHub) Serve(ctx context.Context, handler carrier.Handler) (err error) {
	h.mu.Lock()
	h.h = handler
	h.mu.Unlock()
	cause := carrier.ErrShutdown
	select {
	case <-ctx.Done():
	case <-h.broken:
		err = errors.New("mem: the medium is broken")
		cause = fmt.Errorf("%w: %w", carrier.ErrUnplugged, err)
		if h.m.has("Serve returns nil when the medium fails") {
			err = nil
		}
	}
	h.mu.Lock()
	h.h = nil
	h.mu.Unlock()
	other := carrier.ErrClosed
	if h.m.has("closed told as unplugged") {
		other = carrier.ErrUnplugged
	}
	if h.m.has("shutdown told as closed") {
		cause = carrier.ErrClosed
	}
	for _, e := range h.clients.All() {
		e.link.cutFrom(e, cause, other)
	}
	h.serving.Wait()
	if !h.m.has("AllClientsDisconnected is never called") {
		handler.AllClientsDisconnected(cause)
	}
	return err
}

func (h *memHub) Disconnect(id carrier.ClientID, cause error) {
	if e, err := h.clients.Find(id); err == nil {
		if h.m.has("Disconnect forgets the cause") {
			cause = carrier.ErrClosed
		}
		e.link.cutFrom(e, cause, carrier.ErrClosed)
	}
}

type memPeer struct {
	memEnds
	uid string
}

func (p *memPeer) Serve(ctx context.Context, handler carrier.Handler) error {
	pause := carrier.Backoff{Min: 5 * time.Millisecond, Max: 100 * time.Millisecond}
	for ctx.Err() == nil {
		p.m.tries.Add(1)
		e := p.m.hub.connect(p, handler)
		if e == nil {
			if !p.m.has("no backoff") {
				_ = pause.Wait(ctx)
			}
			continue
		}
		pause.Reset()
		stop := context.AfterFunc(ctx, func() {
			other := carrier.ErrClosed
			if p.m.has("closed told as unplugged") {
				other = carrier.ErrUnplugged
			}
			e.link.cutFrom(e, carrier.ErrShutdown, other)
		})
		e.serve(&p.memEnds, handler, "hub", "")
		stop()
		if p.m.has("does not connect again") {
			<-ctx.Done()
		}
	}
	handler.AllClientsDisconnected(carrier.ErrShutdown)
	return nil
}

// connect makes a link, starts the hub's end of it, and returns the peer's.
func (h *memHub) connect(p *memPeer, atPeer carrier.Handler) *memEnd {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.h == nil || h.living[p] {
		return nil
	}
	h.living[p] = true
	_, a := h.h.(carrier.SignalHandler)
	_, b := atPeer.(carrier.SignalHandler)
	l := newMemLink(h.m, a && b || h.m.has("streams for handlers that take none"))
	h.m.mu.Lock()
	h.m.links = append(h.m.links, l)
	h.m.mu.Unlock()
	hub, peer, handler := l.ends[0], l.ends[1], h.h
	hub.Client = h.clients.Add(hub)
	peer.Client = p.clients.Add(peer)
	name := "peer"
	if h.m.has("Name dropped") {
		name = ""
	}
	h.serving.Go(func() {
		hub.serve(&h.memEnds, handler, name, p.uid)
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.living, p)
	})
	return peer
}

// A memLink is a line between two ends.
type memLink struct {
	m      *medium
	ends   [2]*memEnd
	silent atomic.Bool
	gone   chan struct{}
	once   sync.Once
}

func newMemLink(m *medium, streams bool) *memLink {
	l := &memLink{m: m, gone: make(chan struct{})}
	for i := range l.ends {
		e := &memEnd{m: m, link: l, streams: streams, arrivals: make(chan memFrame, 1<<16), inbox: make(chan []byte, 1<<16)}
		e.Exchange = carrier.Exchange{Codec: carrier.CBOR, Max: memMax, Calls: carrier.NewCalls(memWindow), Send: e.send}
		e.rng = rand.New(rand.NewPCG(uint64(i), 1))
		l.ends[i] = e
	}
	l.ends[0].other, l.ends[1].other = l.ends[1], l.ends[0]
	return l
}

func (l *memLink) cut(hub, peer error) { l.cutFrom(l.ends[0], hub, peer) }

// cutFrom cuts the line, with a cause for the one end and another for the other.
func (l *memLink) cutFrom(e *memEnd, cause, other error) {
	l.once.Do(func() {
		e.cause, e.other.cause = cause, other
		for _, e := range l.ends {
			if !l.m.has("messages of a client that goes never end") {
				e.Calls.Fail(fmt.Errorf("%w: %w", carrier.ErrGone, e.cause))
			}
		}
		close(l.gone)
	})
}
