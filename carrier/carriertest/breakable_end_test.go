package carriertest

import (
	"context"

	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"sighub/carrier"
)

// A memEnd is one end of a line. One goroutine keeps the line, another calls the handler.
type memEnd struct {
	carrier.Exchange
	m       *medium
	link    *memLink
	other   *memEnd
	cause   error
	streams bool
	open    atomic.Int64 // signals that arrived and are not answered

	arrivals chan memFrame // from the line
	inbox    chan []byte   // in order, each once

	mu      sync.Mutex // the sending half
	rng     *rand.Rand
	next    uint64
	unacked []memFrame
	spoke   time.Time
	last    []byte // packet, for bugs
	out     carrier.Routes
	put     int // signals that are not answered
	total   *atomic.Int64
	late    *carrier.PackedSignal
	lateTo  *carrier.OutRoute

	in carrier.InRoutes // of the goroutine that calls the handler
}

// A memFrame is a packet with its number, from 1, or if it has none, the acknowledgement of all up to acked.
type memFrame struct {
	number, acked uint64
	packet        []byte
}

func (e *memEnd) serve(c *memEnds, h carrier.Handler, name, uid string) {
	e.Handler = h
	client := carrier.Client{
		ID: e.Client, Name: name, UID: uid, Addr: "mem://" + name, Codec: carrier.CBOR,
		Hello: !e.m.has("Hello false"), Window: memWindow,
	}
	if e.m.has("Window 1<<20") {
		client.Window = 1 << 20
	}
	if e.m.has("window off by one") {
		client.Window++
	}
	if e.streams {
		client.Signals = e
	}
	var line sync.WaitGroup
	line.Go(e.keepLine)
	if e.m.has("registry locked in ClientConnected") {
		c.locked.Lock()
	}
	h.ClientConnected(client)
	if e.m.has("registry locked in ClientConnected") {
		c.locked.Unlock()
	}
	for open := true; open; {
		select {
		case <-e.link.gone:
			open = false
			continue
		default:
		}
		select {
		case <-e.link.gone:
		case packet := <-e.inbox:
			if e.m.has("handler calls overlap") {
				line.Go(func() { e.receive(packet) })
			} else {
				e.receive(packet)
			}
		}
	}
	line.Wait()
	c.clients.Remove(e.Client)
	h.ClientDisconnected(e.Client, e.cause)
	if e.m.has("disconnected twice") {
		h.ClientDisconnected(e.Client, e.cause)
	}
}

// keepLine takes what arrives, sends again what is not acknowledged, and pings.
func (e *memEnd) keepLine() {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	heard, taken := time.Now(), uint64(0)
	for {
		select {
		case <-e.link.gone:
			return
		case f := <-e.arrivals:
			heard = time.Now()
			if f.number == 0 {
				e.acked(f.acked)
				continue
			}
			if f.number == taken+1 || f.number <= taken && e.m.has("what comes twice is taken twice") {
				taken = max(taken, f.number)
				e.inbox <- f.packet
			}
			e.mu.Lock()
			e.wire(memFrame{acked: taken})
			e.mu.Unlock()
		case <-tick.C:
			if e.m.timeout > 0 && time.Since(heard) > e.m.timeout {
				cause := carrier.ErrTimeout
				if e.m.has("time-out told as shutdown") {
					cause = carrier.ErrShutdown
				}
				e.link.cutFrom(e, cause, cause)
				return
			}
			e.again(taken)
		}
	}
}

func (e *memEnd) acked(n uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.unacked) > 0 && e.unacked[0].number <= n {
		e.unacked = e.unacked[1:]
	}
}

func (e *memEnd) again(taken uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.m.has("never sends again") {
		for _, f := range e.unacked {
			e.wire(f)
		}
	}
	if e.m.timeout > 0 && time.Since(e.spoke) > e.m.timeout/4 && !e.m.has("never pings") {
		e.wire(memFrame{acked: taken})
	}
}

// wire puts a frame on the line, with the lock held.
func (e *memEnd) wire(f memFrame) {
	e.spoke = time.Now()
	if e.link.silent.Load() {
		return
	}
	times := 1
	if e.m.lossy {
		times = []int{0, 1, 1, 1, 2}[e.rng.IntN(5)]
	}
	for range times {
		select {
		case e.other.arrivals <- f:
		default: // as if it were lost
		}
	}
}

func (e *memEnd) send(packet []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sendLocked(packet)
}

func (e *memEnd) sendLocked(packet []byte) {
	e.next++
	f := memFrame{number: e.next, packet: packet}
	e.unacked = append(e.unacked, f)
	e.wire(f)
}

func (e *memEnd) transmit(ctx context.Context, m *carrier.Message, done func(carrier.Reply, error)) error {
	switch {
	case e.m.has("done called twice"):
		once := done
		done = func(r carrier.Reply, err error) { once(r, err); once(r, err) }
	case e.m.has("transmits though the context is done"):
		ctx = context.WithoutCancel(ctx)
	case e.m.has("context not looked at later"):
		if ctx.Err() == nil {
			ctx = context.WithoutCancel(ctx)
		}
	case e.m.has("place freed with the context"):
		var id atomic.Uint64
		err := e.transmitAs(context.WithoutCancel(ctx), &id, m, done)
		context.AfterFunc(ctx, func() { e.Calls.Cancel(id.Load(), context.Cause(ctx)) })
		return err
	}
	return e.transmitAs(ctx, new(atomic.Uint64), m, done)
}

func (e *memEnd) transmitAs(ctx context.Context, known *atomic.Uint64, m *carrier.Message, done func(carrier.Reply, error)) error {
	id, err := e.Calls.Begin(ctx, done)
	if err != nil {
		return err
	}
	known.Store(id)
	packet, err := m.AppendAs(id, nil, e.Codec)
	if err == nil && len(packet) > e.Max && !e.m.has("too large messages are sent") {
		err = carrier.ErrTooLarge
	}
	switch {
	case err != nil && e.m.has("refused messages end as well"):
		e.Calls.Cancel(id, err)
		return err
	case err != nil && e.Calls.Drop(id):
		return err
	case err == nil && e.m.has("messages overtake each other"):
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.last == nil {
			e.last = packet
			return nil
		}
		e.sendLocked(packet)
		e.sendLocked(e.last)
		e.last = nil
	case err == nil:
		e.send(packet)
	}
	return nil
}

// receive handles a packet, as carrier.Exchange does.
func (e *memEnd) receive(packet []byte) {
	if len(packet) > e.Max {
		e.link.cutFrom(e, fmt.Errorf("%w: %d bytes", carrier.ErrTooLarge, len(packet)), carrier.ErrClosed)
		return
	}
	if e.streams && carrier.IsSignals(e.Codec, packet[0]) {
		e.receiveSignals(packet)
		return
	}
	p, err := carrier.Unpack(e.Codec, packet)
	switch {
	case err != nil && p.Message != nil:
		if !e.m.has("malformed messages are not answered") {
			e.reply(p.Message.ID, carrier.Failed(err))
		}
	case err != nil:
	case p.Reply != nil:
		if id, ok := p.Reply.ID.Uint(); ok {
			if e.m.has("replies lose their exception") {
				p.Reply.Exception = ""
			}
			e.Calls.Answer(id, *p.Reply)
		}
	default:
		a := &carrier.Answer{ID: p.Message.ID, Send: e.reply}
		respond := a.Respond
		if e.m.has("a second reply is sent") {
			respond = func(r carrier.Reply) { e.reply(p.Message.ID, r) }
		}
		e.Handler.HandleMessage(e.Client, p.Message, respond)
	}
}

func (e *memEnd) reply(id carrier.Value, r carrier.Reply) {
	to := e
	if e.m.has("late replies go to the next connection") && e.link != nil {
		select {
		case <-e.link.gone:
			e.m.mu.Lock()
			for _, l := range e.m.links { // with an id that somebody there waits for
				to = l.ends[0]
				if e != e.link.ends[0] {
					to = l.ends[1]
				}
			}
			e.m.mu.Unlock()
		default:
		}
	}
	r.ID = id
	if _, err := r.AppendTo(nil, e.Codec); err != nil && e.m.has("replies that cannot be packed are dropped") {
		return
	}
	fits := func(packet []byte, _ carrier.Reply) error {
		if len(packet) > e.Max {
			return carrier.ErrTooLarge
		}
		return nil
	}
	if packet, err := r.AppendTo(nil, e.Codec); err == nil && fits(packet, r) != nil && e.m.has("replies that are too large are dropped") {
		return
	}
	to.Send(carrier.AppendReply(nil, e.Codec, id, r, fits))
}

var errMisanswered = fmt.Errorf("%w: more signals are answered than were put", carrier.ErrMalformed)
