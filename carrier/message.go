package carrier

import (
	"errors"
	"fmt"
	"strings"
	"sync"
)

// A Message asks its receiver to do something. It is answered by one [Reply] with the same id.
type Message struct {
	ID     Value  // as it came, to be echoed: any JSON or CBOR value
	Method string // empty if the message had none
	Params Value
	Mark   *Mark // kept with what the message does, before it is answered; nil: none

	// Together is what the message arrived together with, or what led to it did. Nil: it arrived alone.
	Together *Together
}

// A Reply answers a message.
type Reply struct {
	ID        Value // the message's, as it came
	Status    Status
	Response  Value  // of a message that was done
	Exception string // what went wrong, for people to read; may be empty

	Together *Together // as a message's

	cause string // see Cause; known only in the process that refused the message
}

// Together are messages and replies that arrived together. What they lead to need not be written before all of them have been
// handled, and then leaves in one piece. While a goroutine handles them it must not wait, or it calls End first. The methods of a
// nil Together do nothing.
type Together struct {
	mu   sync.Mutex // nothing is locked under it
	open bool
	join []Flusher
}

// A Flusher writes what was put, as far as it need not wait for that.
type Flusher interface{ FlushNow() }

// Begin begins the handling of what has arrived.
func (t *Together) Begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open = true
}

// Join has f flushed when everything has been handled. It returns false if f should be flushed at once.
func (t *Together) Join(f Flusher) bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open && (len(t.join) == 0 || t.join[len(t.join)-1] != f) {
		t.join = append(t.join, f)
	}
	return t.open
}

// End ends the handling, and flushes what has joined.
func (t *Together) End() {
	if t == nil {
		return
	}
	t.mu.Lock()
	list := t.join
	t.join, t.open = nil, false
	t.mu.Unlock()
	for _, f := range list {
		f.FlushNow()
	}
	if len(list) == 0 || cap(list) > maxJoin {
		return
	}
	clear(list)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.join == nil {
		t.join = list[:0]
	}
}

// maxJoin is for how many flushers the memory is kept.
const maxJoin = 16

// A Status says what became of a message. New ones continue downwards.
type Status int

// The statuses. The first four are as old as the protocol, and the only ones that a legacy client knows.
const (
	StatusDone         Status = 0  // done; the reply carries a response
	StatusNoSuchMethod Status = -1 // the receiver has no such method
	StatusFailed       Status = -2 // the method failed; the exception says why
	StatusNoMethod     Status = -3 // the message names no method
	StatusMalformed    Status = -4 // what arrived is not a message
	StatusTooLarge     Status = -5 // the message, or the answer to it, is larger than a limit
	StatusLimit        Status = -6 // the client has reached a limit of clients, senders, listeners or messages
	StatusDenied       Status = -7 // the client is not allowed to do this
)

// statusTexts has the text of each status, at the place of the status without its sign.
var statusTexts = [...]string{
	"done", "no such method", "failed", "no method in the message", "malformed message", "message too large", "limit reached", "not allowed",
}

// String returns the status in words.
func (s Status) String() string {
	if i := -int(s); 0 <= i && i < len(statusTexts) {
		return statusTexts[i]
	}
	return fmt.Sprintf("status %d", int(s))
}

// statusErrors are the errors of this package that have a status of their own.
var statusErrors = []struct {
	status Status
	kind   *RefusalError
}{{StatusMalformed, ErrMalformed}, {StatusTooLarge, ErrTooLarge}, {StatusLimit, ErrLimit}, {StatusDenied, ErrDenied}}

// A StatusError is the error of a message that was not done.
type StatusError struct {
	Status    Status
	Exception string

	cause string
}

// Error returns the status in words and the exception, without saying the same twice.
func (e *StatusError) Error() string {
	switch {
	case e.Exception == "":
		return e.Status.String()
	case e.Status == StatusFailed, strings.HasPrefix(e.Exception, "carrier: "+e.Status.String()): // it says so itself
		return e.Exception
	default:
		return e.Status.String() + ": " + e.Exception
	}
}

// Is reports whether target is the error of this package that the status stands for.
func (e *StatusError) Is(target error) bool {
	for _, s := range statusErrors {
		if s.status == e.Status {
			return target == error(s.kind)
		}
	}
	return false
}

// Err returns nil for a message that was done, else a [*StatusError].
func (r Reply) Err() error {
	if r.Status == StatusDone {
		return nil
	}
	return &StatusError{Status: r.Status, Exception: r.Exception, cause: r.cause}
}

// Done is the reply to a message that was done; the response may be nil, any Go value, or a [Value].
func Done(response any) Reply { return Reply{Response: ValueOf(response)} }

// Failed is the reply to a message that was not done because of err. A [*StatusError] passes its status on;
// [ErrMalformed], [ErrTooLarge], [ErrLimit] and [ErrDenied] have theirs; any other error is [StatusFailed].
func Failed(err error) Reply {
	r := Reply{Status: StatusFailed, Exception: err.Error(), cause: Cause(err)}
	if e, ok := errors.AsType[*StatusError](err); ok {
		r.Status = e.Status
		if e.Error() == r.Exception { // err is the StatusError itself, and does not wrap it
			r.Exception = e.Exception
		}
		return r
	}
	for _, s := range statusErrors {
		if errors.Is(err, s.kind) {
			r.Status = s.status
			break
		}
	}
	return r
}

// A Packet is a message or a reply. The other field is nil.
type Packet struct {
	Message *Message
	Reply   *Reply
}

// AppendTo packs the message as a map {id, method, params}.
func (m *Message) AppendTo(dst []byte, c Codec) ([]byte, error) {
	w := NewMapWriter(dst, c, 3)
	w.Value("id", m.ID)
	return m.appendRest(&w)
}

// AppendAs packs the message with this id instead of its own.
func (m *Message) AppendAs(id uint64, dst []byte, c Codec) ([]byte, error) {
	w := NewMapWriter(dst, c, 3)
	w.Uint("id", id)
	return m.appendRest(&w)
}

func (m *Message) appendRest(w *MapWriter) ([]byte, error) {
	w.Text("method", m.Method)
	w.Value("params", m.Params)
	return w.End()
}

// AppendTo packs the reply as a map {id, status, response} or {id, status, exception}.
func (r *Reply) AppendTo(dst []byte, c Codec) ([]byte, error) {
	done, says := r.Status == StatusDone, r.Exception != ""
	entries := 2
	if done || says {
		entries = 3
	}
	w := NewMapWriter(dst, c, entries)
	w.Value("id", r.ID)
	w.Int("status", int64(r.Status))
	switch {
	case done:
		w.Value("response", r.Response)
	case says:
		w.Text("exception", r.Exception)
	}
	return w.End()
}

// Unpack reads one packed message or reply. A packet with a status is a reply; any other is a message.
//
// An error wraps [ErrMalformed]. If a message arrived, the packet then holds a message with nothing but its id, and the
// error should be sent as the reply to it. If a reply arrived, the packet is zero, and nothing should be sent. The packet
// keeps data.
func Unpack(c Codec, data []byte) (Packet, error) {
	var p parts
	switch c := c.(type) { // the compiler sees that these two keep nothing, so that p need not be allocated
	case cborCodec:
		return p.packet(c.Fields(data, p.add))
	case jsonCodec:
		return p.packet(c.Fields(data, p.add))
	}
	other := new(parts)
	return other.packet(c.Fields(data, other.add))
}

// parts are what a packet is made of.
type parts struct {
	id, params, response        Value
	method, status, exception   Value
	hasMethod, hasStatus, hasEx bool
}

func (p *parts) add(key string, v Value) error {
	switch key {
	case "id":
		p.id = v
	case "method":
		p.method, p.hasMethod = v, true
	case "params":
		p.params = v
	case "status":
		p.status, p.hasStatus = v, true
	case "response":
		p.response = v
	case "exception":
		p.exception, p.hasEx = v, true
	}
	return nil
}

// packet puts the parts together; err is the error of reading them.
func (p *parts) packet(err error) (Packet, error) {
	if err != nil {
		return Packet{Message: &Message{ID: p.id}}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if p.hasStatus {
		r := &Reply{ID: p.id, Response: p.response}
		if n, ok := p.status.Uint(); !ok || n != uint64(StatusDone) {
			var n int
			if err := p.status.Decode(&n); err != nil || p.status.IsNull() {
				return Packet{}, fmt.Errorf("%w: a reply's status is %s, not an integer", ErrMalformed, p.status)
			}
			r.Status = Status(n)
		}
		if p.hasEx && !p.exception.IsNull() && p.exception.Decode(&r.Exception) != nil {
			r.Exception = p.exception.String()
		}
		return Packet{Reply: r}, nil
	}
	m := &Message{ID: p.id, Params: p.params}
	if p.hasMethod && !p.method.IsNull() {
		var ok bool
		if m.Method, ok = p.method.Text(); !ok {
			return Packet{Message: &Message{ID: p.id}}, fmt.Errorf("%w: the method is %s, not a text", ErrMalformed, p.method)
		}
	}
	return Packet{Message: m}, nil
}
