package carrier

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
)

// An Exchange handles the messages and replies of one connection, in both directions. It serves every medium that carries
// whole packets. A carrier fills in the fields when its client connects, passes to Receive each packet that arrives, from
// the goroutine that reads, and ends it with Calls.Fail when the client goes.
type Exchange struct {
	Client  ClientID
	Handler Handler
	Codec   Codec
	Max     int    // bytes of the largest packet that the client takes
	Calls   *Calls // transmitted, and not answered yet
	// Send sends one packet, which it may keep. It does not wait for the client. What it cannot send is lost with the
	// connection, and Calls.Fail ends the messages that it held.
	Send func(packet []byte)
	// Logger is told of replies that cannot be read or that nobody waits for.
	Logger *slog.Logger
}

// Transmit sends a message: see [Carrier].
func (x *Exchange) Transmit(ctx context.Context, m *Message, done func(Reply, error)) error {
	id, err := x.Calls.Begin(ctx, done)
	if err != nil {
		return err
	}
	packet, err := m.AppendAs(id, nil, x.Codec)
	if err == nil {
		err = x.fits(packet)
	}
	if err != nil && x.Calls.Drop(id) {
		return err
	}
	if err == nil {
		x.Send(packet)
	}
	return nil // done was called, or will be
}

// Receive handles one packet. It passes a message to the handler and a reply to the done of its message, and answers a
// malformed packet. It keeps the packet.
func (x *Exchange) Receive(packet []byte) {
	p, err := Unpack(x.Codec, packet)
	switch {
	case err != nil && p.Message != nil:
		x.reply(p.Message.ID, Failed(err))
	case err != nil:
		x.Logger.Debug("malformed reply", "client", x.Client, "error", err)
	case p.Reply != nil:
		if id, ok := p.Reply.ID.Uint(); !ok || !x.Calls.Answer(id, *p.Reply) {
			x.Logger.Debug("unexpected reply", "client", x.Client, "id", p.Reply.ID)
		}
	default:
		a := &Answer{ID: p.Message.ID, Send: x.reply}
		x.Handler.HandleMessage(x.Client, p.Message, a.Respond)
	}
}

func (x *Exchange) reply(id Value, r Reply) {
	x.Send(AppendReply(nil, x.Codec, id, r, func(packet []byte, _ Reply) error { return x.fits(packet) }))
}

func (x *Exchange) fits(packet []byte) error {
	if len(packet) > x.Max {
		return fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, len(packet), x.Max)
	}
	return nil
}

// An Answer makes sure that a message is answered once.
type Answer struct {
	ID    Value
	Send  func(id Value, r Reply)
	given atomic.Bool
}

// Respond sends the reply; only its first call counts.
func (a *Answer) Respond(r Reply) {
	if !a.given.Swap(true) {
		a.Send(a.ID, r)
	}
}

// AppendReply packs the reply to the message id. One that cannot be packed, or for which fits returns an error, is
// replaced by one that says why or, if that does not fit either, by its status alone. The id is null if it cannot be sent
// itself.
func AppendReply(dst []byte, c Codec, id Value, r Reply, fits func(packet []byte, r Reply) error) []byte {
	start := len(dst)
	r.ID = id
	packet, err := packReply(dst, c, &r, fits)
	if err != nil {
		r = Failed(err)
		r.ID = id
		packet, err = packReply(dst[:start], c, &r, fits)
	}
	why := r.Exception
	if err != nil {
		r.Exception = ""
		packet, err = packReply(dst[:start], c, &r, fits)
	}
	if err != nil { // the id is the trouble
		r.ID, r.Exception = Value{}, why
		packet, _ = r.AppendTo(dst[:start], c) // a status and a line of text can be packed
	}
	return packet
}

func packReply(dst []byte, c Codec, r *Reply, fits func([]byte, Reply) error) ([]byte, error) {
	packet, err := r.AppendTo(dst, c)
	if err != nil {
		return dst, fmt.Errorf("cannot be packed as %s: %w", c.Name(), err)
	}
	return packet, fits(packet[len(dst):], *r)
}
