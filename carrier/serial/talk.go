package serial

import (
	"context"
	"fmt"
	"sync"

	"sighub/carrier"
)

// A talk is the messages of one connection, in both directions, over a link that may outlive it.
type talk struct {
	mu    *sync.Mutex // guards link and gone
	link  *link
	wake  func() // called with mu held: there is something to write
	calls *carrier.Calls
	gone  error
}

func newTalk(mu *sync.Mutex, l *link, wake func()) *talk {
	return &talk{mu: mu, link: l, wake: wake, calls: carrier.NewCalls(l.limits.window)}
}

// transmit sends the payload of a MSG frame: see carrier.Carrier.
func (t *talk) transmit(ctx context.Context, payload []byte, done func(carrier.Reply, error)) error {
	t.mu.Lock()
	limit := t.link.payloadLimit()
	t.mu.Unlock()
	if len(payload) > limit {
		return fmt.Errorf("%w: %d bytes for frames that hold %d", carrier.ErrTooLarge, len(payload), limit)
	}
	id, err := t.calls.Begin(ctx, done)
	if err != nil {
		return err
	}
	t.mu.Lock()
	gone := t.gone
	if gone == nil {
		t.link.send(frameMessage, id, payload)
		t.wake()
	}
	t.mu.Unlock()
	if gone != nil && t.calls.Drop(id) {
		return gone
	}
	return nil // or else done was told, by the one who ended the talk
}

// end is called with mu held; its caller then fails the calls with the error it returns.
func (t *talk) end(cause error) error {
	t.gone = fmt.Errorf("%w: %w", carrier.ErrGone, cause)
	return t.gone
}

// answered ends a call with the payload of its REP, or nil for an ACK.
func (t *talk) answered(a arrival) { t.calls.Answer(a.answered.id, unpackReply(a.reply)) }

// respond answers a frame. It may be called by anyone at any time; only the first call counts. The reply reaches
// the peer even after this talk has ended, if the peer goes on with the same numbers.
func (t *talk) respond(in *incoming, r carrier.Reply) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if in.answered || in.void {
		return // nor is it packed
	}
	if t.link.answer(in, packReply(r, t.link.payloadLimit())) {
		t.wake()
	}
}

// void tells whether nobody waits for the answer to a frame.
func (t *talk) void(in *incoming) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return in.void
}

// consumed tells the link that a frame was dealt with.
func (t *talk) consumed() {
	t.mu.Lock()
	t.link.consumed()
	t.mu.Unlock()
}

// packReply returns the payload of the REP for a reply; nil if an ACK says it all.
func packReply(r carrier.Reply, limit int) []byte {
	b := appendInt(nil, int64(r.Status))
	switch {
	case r.Status != carrier.StatusDone:
		if room := limit - len(b) - 2; r.Exception != "" {
			b = appendText(b, shorten(r.Exception, room))
		}
	case r.Response.IsNull():
		return nil
	default:
		var err error
		if b, err = r.Response.AppendTo(b, carrier.CBORText); err != nil {
			return packReply(carrier.Failed(fmt.Errorf("pack the response: %w", err)), limit)
		}
		if len(b) > limit {
			return packReply(carrier.Failed(fmt.Errorf("%w: a response of %d bytes for frames that hold %d",
				carrier.ErrTooLarge, len(b), limit)), limit)
		}
	}
	return b
}

// shorten cuts a text after at most n bytes, between two runes; n is at least 0.
func shorten(s string, n int) string {
	if n > 255 {
		n-- // the text's head takes one byte more
	}
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}

func unpackReply(payload []byte) carrier.Reply {
	if payload == nil {
		return carrier.Reply{}
	}
	in := items{rest: payload}
	r := carrier.Reply{Status: carrier.Status(in.int("the status", 1<<31-1))}
	var value carrier.Value
	if in.more() {
		value = carrier.RawValue(carrier.CBORText, in.raw("the response"))
	}
	switch {
	case in.err != nil:
		return carrier.Failed(fmt.Errorf("the reply: %w", in.err))
	case r.Status == carrier.StatusDone:
		r.Response = value
	case !value.IsNull() && value.Decode(&r.Exception) != nil:
		r.Exception = value.String()
	}
	return r
}

// packPlain returns the payload of a MSG frame with a message as any CBOR library can read it. Its id is the
// frame's number.
func packPlain(m *carrier.Message) ([]byte, error) {
	o := carrier.Object{{Key: "method", Value: m.Method}}
	if !m.Params.IsNull() {
		o = append(o, carrier.Field{Key: "params", Value: m.Params})
	}
	return carrier.CBORText.AppendObject(nil, o)
}

func unpackPlain(payload []byte) (*carrier.Message, error) {
	p, err := carrier.Unpack(carrier.CBORText, payload)
	switch {
	case err != nil:
		return nil, err
	case p.Message == nil:
		return nil, fmt.Errorf("%w: a reply stands in a MSG frame", carrier.ErrMalformed)
	}
	return p.Message, nil
}

// packCompact returns the payload of a MSG frame with a numbered method.
func packCompact(method uint64, params carrier.Value) ([]byte, error) {
	return params.AppendTo(appendUint(nil, method), carrier.CBORText)
}

// unpackCompact reads the payload of a MSG frame if its method is a number.
func unpackCompact(payload []byte) (method uint64, params []byte, ok bool) {
	if len(payload) == 0 || payload[0]>>5 != carrier.CBORUnsigned {
		return 0, nil, false
	}
	in := items{rest: payload}
	method = in.uint("the method", 1<<32-1)
	if in.more() {
		params = in.raw("the params")
	}
	return method, params, in.err == nil
}
