package tcp

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"sync/atomic"

	"sighub/carrier"
	"sighub/internal/lockrank"
)

// transmit sends a message: see [carrier.Carrier].
func (c *conn) transmit(ctx context.Context, m *carrier.Message, done func(carrier.Reply, error)) error {
	id, err := c.calls.Begin(ctx, done)
	if err != nil {
		return err
	}
	if !c.writer.wait(ctx.Done(), c.hasRoom) {
		err = context.Cause(ctx)
	} else {
		err = c.send(id, m)
	}
	if err != nil && c.calls.Drop(id) {
		return err
	}
	return nil // done was called, or will be
}

// tryTransmit is transmit if that would not wait: see [carrier.Trier].
func (c *conn) tryTransmit(m *carrier.Message, done func(carrier.Reply, error)) (ok bool, err error) {
	if !c.writer.check(c.hasRoom) {
		return false, nil
	}
	id, ok, err := c.calls.TryBegin(done)
	if !ok || err != nil {
		return ok, err
	}
	if err := c.send(id, m); err != nil && c.calls.Drop(id) {
		return true, err
	}
	return true, nil
}

// hasRoom reports whether more may wait to be written. The writer's lock is held.
func (c *conn) hasRoom() bool { return c.writer.size() < c.limits.MaxPending }

func (c *conn) send(id uint64, m *carrier.Message) error {
	buf := c.peers.buffers.Get()
	defer c.peers.buffers.Put(buf)
	packet, err := m.AppendAs(id, (*buf)[:0], c.codec)
	if err != nil {
		return fmt.Errorf("tcp: cannot be packed as %s: %w", c.codec.Name(), err)
	}
	*buf = packet
	if err := c.fits(packet); err != nil {
		return err
	}
	if err := c.writer.putMessage(packet, id, m.Together); err != nil {
		return fmt.Errorf("tcp: it cannot be sent to %s: %w", c.addr, err)
	}
	return nil
}

// receive deals with one frame. An error means that the connection is to be closed.
func (c *conn) receive(f frame) error {
	if c.signals.window > 0 && f.err == nil && len(f.data) > 0 && carrier.IsSignals(c.codec, f.data[0]) {
		c.signals.charged += f.charged
		return c.signal(f.data)
	}
	c.deliverSignals() // they came before it
	c.endLarge(f.data)
	var p carrier.Packet
	err := f.err
	if err == nil {
		p, err = carrier.Unpack(c.codec, f.data)
	}
	if p.Message != nil {
		p.Message.Together = &c.together
	}
	if err == nil && p.Reply == nil {
		return c.handle(p.Message, f)
	}
	defer c.account.Give(f.charged)
	switch {
	case f.err != nil:
		return c.damaged(f)
	case err != nil && p.Message == nil:
		c.refusedReply(err)
	case err != nil && p.Message.ID.IsNull():
		return c.damaged(frame{data: f.data, err: err, lost: !c.split.sound(f.data)})
	case err != nil:
		return c.refuse(p.Message.ID, err)
	default:
		c.answer(p.Reply)
	}
	return nil
}

// damaged deals with a frame that cannot be unpacked.
func (c *conn) damaged(f frame) error {
	if c.refuseSignal(f) {
		return nil
	}
	g := c.split.salvage(f.data)
	var err error
	switch {
	case g.isReply:
		r := carrier.Failed(f.err)
		r.ID = g.id
		c.refusedReply(f.err)
		c.answer(&r)
	case g.isMessage:
		err = c.refuse(g.id, f.err)
	case c.signals.window > 0 && !isMap(c.codec, f.data): // it may have been a signal, and those are answered by their order
		f.lost = true
	default:
		err = c.refuse(carrier.Value{}, f.err)
	}
	if f.lost && err == nil {
		c.peers.log.Warn("connection closed: what follows cannot be read", "client", c.addr, "error", f.err)
		err = f.err
	}
	return err
}

// isMap reports whether a packet begins as messages and replies do.
func isMap(c carrier.Codec, head []byte) bool {
	if c.Name() == carrier.JSON.Name() {
		return len(head) > 0 && head[0] == '{'
	}
	return len(head) > 0 && head[0]>>5 == carrier.CBORMap
}

// handle passes a message on.
func (c *conn) handle(m *carrier.Message, f frame) error {
	if err := c.admit(); err != nil {
		return err
	}
	held, err := c.writer.received(f)
	switch {
	case err != nil:
		c.refused(m.ID, err)
	case c.client == 0:
		c.greet(c, m, f.data, held)
	case m.Method == methodHello:
		c.reply(m.ID, carrier.Failed(errHelloLate), held)
	default:
		c.deliver(m, held)
	}
	return nil
}

// deliver hands a message on, for which so many bytes are held until it is answered.
func (c *conn) deliver(m *carrier.Message, held int) {
	lockrank.MustBeFree("a handler is called")
	a := &answer{conn: c, id: m.ID, held: held}
	c.peers.handler.HandleMessage(c.client, m, a.respond)
}

// An answer makes sure that a message is answered once.
type answer struct {
	conn  *conn
	id    carrier.Value
	held  int // bytes, for the message
	given atomic.Bool
}

func (a *answer) respond(r carrier.Reply) {
	if !a.given.Swap(true) {
		a.conn.reply(a.id, r, a.held)
	}
}

// refuse replies to a message that is not passed on.
func (c *conn) refuse(id carrier.Value, why error) error {
	c.peers.malformed.Add(1)
	if err := c.admit(); err != nil {
		return err
	}
	_, _ = c.writer.received(frame{}) // of which nothing is held
	c.refused(id, why)
	return nil
}

// count counts something that is refused of the peer: under the client, or among what is refused of strangers.
func (c *conn) count(cause string) {
	c.peers.refused.Add(cause, 1)
	if c.client != 0 {
		c.refusals.Add(cause, 1)
	} else {
		c.peers.strangers.Add(cause, 1)
	}
}

func (c *conn) refused(id carrier.Value, why error) {
	c.count(carrier.Cause(why))
	c.peers.log.Warn("a message is refused", "client", c.addr, "cause", carrier.Cause(why), "error", why)
	c.reply(id, carrier.Failed(why), 0)
}

// refusedReply counts a reply that cannot be read.
func (c *conn) refusedReply(why error) {
	c.peers.malformed.Add(1)
	c.count(carrier.Cause(why))
	c.peers.log.Warn("a reply cannot be read", "client", c.addr, "cause", carrier.Cause(why), "error", why)
}

// admit waits until one more reply may be owed. The hub waits for what is pending to be written as well; its
// clients do not, or the two could wait for each other.
func (c *conn) admit() error {
	w := &c.writer
	var lost error
	c.waitUntil(func() bool {
		room := w.owed < c.maxOutstanding
		if w.err != nil { // what the peer has sent is read, but its replies are not written, so they make no room
			if !room {
				lost = w.err
			}
			return true
		}
		return room && w.unpaid == 0 && (c.peers.connecting || w.size() < c.limits.MaxPending)
	})
	if c.closing.Load() {
		return c.cause()
	}
	return lost
}

// reply packs and queues a reply, and gives back what was held for the message. What cannot be packed, or is larger than the
// peer takes, or cannot be leased, is replaced by an error that says so. A small one need not be leased: a peer is not read from
// until it has read those.
func (c *conn) reply(id carrier.Value, r carrier.Reply, held int) {
	buf := c.peers.buffers.Get()
	defer c.peers.buffers.Put(buf)
	reserved := 0
	var why error // the first reason for which it is replaced by another
	*buf = carrier.AppendReply((*buf)[:0], c.codec, id, r, func(packet []byte, r carrier.Reply) error {
		err := c.fits(packet)
		if err == nil {
			limit := math.MaxInt
			if r.Status == carrier.StatusDone {
				limit = 2 * c.limits.MaxPending
			}
			reserved, err = c.writer.reserve(len(packet), limit, held)
			held = 0
		}
		why = cmp.Or(why, err)
		return err
	})
	if why != nil {
		c.count(carrier.Cause(why))
		c.peers.log.Warn("an answer is refused", "client", c.addr, "cause", carrier.Cause(why), "error", why)
	}
	c.writer.putReply(*buf, reserved, held, r.Together)
}

// smallReply is the size in bytes up to which a reply is given although it cannot be charged.
const smallReply = 1 << 10

// fits returns an error if a packed message or reply is too large for the peer.
func (c *conn) fits(packet []byte) error {
	size := len(packet)
	if !c.hello && !c.writer.json {
		size += legacyHead
	}
	switch {
	case size <= c.peerMax:
		return nil
	case c.hello:
		return fmt.Errorf("%w: it has %d bytes, and %s takes %d", carrier.ErrTooLarge, len(packet), c.addr, c.peerMax)
	default:
		return fmt.Errorf("%w: it has %d bytes, and a client that has not said hello takes %d", carrier.ErrTooLarge, len(packet), c.peerMax)
	}
}

// answer ends the message that a reply is for. The id is one of ours, so it must come back as we write it: as an unsigned
// integer.
func (c *conn) answer(r *carrier.Reply) {
	if id, ok := r.ID.Uint(); ok {
		c.stopTimer(id)
		c.writer.answered(id)
		lockrank.MustBeFree("a reply is handed on")
		r.Together = &c.together
		if c.calls.Answer(id, *r) {
			return
		}
	}
	c.peers.unexpected.Add(1)
	c.peers.log.Debug("a reply is ignored: nobody waits for it", "client", c.addr, "id", r.ID)
}
