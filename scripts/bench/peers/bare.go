package peers

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"sighub/scripts/bench/message"
)

// barePeer is sighub with clients that are sockets and nothing else: they write what docs/protocol.md says, in CBOR with hello, and read
// no more of what comes than they need. Beside Sighub, whose clients are the library's, it tells what the hub costs and what the library
// does.
type barePeer struct{ Sighub }

// A bareConn is a connection to the hub.
type bareConn struct {
	c    net.Conn
	in   *bufio.Reader
	out  *sink
	done chan struct{}

	unanswered *quota // signals that the hub has not answered
	routes     []bool // by number, of signals that come: whether they are what the benchmark sends
	fn         func(payload []byte)
	asked      func(b *bareConn, body []byte) error // called with each message and reply
	answers    bareAnswers
	head       string // of a payload
}

// bareAnswers are the answers to signals that have come. As those of the library, they wait for each other while signals come in quick
// succession.
type bareAnswers struct {
	fresh uint64 // signals since answers were given last; only the reading goroutine knows them

	mu    sync.Mutex
	owed  uint64
	wrote time.Time // the latest answer
	late  *time.Timer
	armed bool // the timer runs
}

// Answers wait as those of carrier/tcp do.
const (
	bareAnswerPause = 5 * time.Millisecond  // after the latest answer, in which others wait
	bareAnswerLate  = 20 * time.Millisecond // the longest wait
	bareAnswerMost  = 1024                  // signals that are answered without waiting

	bareSignals = 32768 // unanswered ones in each direction, as the library has
)

// dialBare connects and says hello. fn is called with each event, asked with each message.
func (p *barePeer) dialBare(fn func([]byte), asked func(*bareConn, []byte) error) (*bareConn, error) {
	c, err := net.DialTimeout("tcp", p.addr, Patience)
	if err != nil {
		return nil, err
	}
	b := &bareConn{
		c: c, in: bufio.NewReaderSize(c, sinkSize), out: newSink(c), done: make(chan struct{}),
		unanswered: newQuota(bareSignals), fn: fn, asked: asked, head: payloadHead(),
	}
	_, err = io.WriteString(c, cborMark)
	if err == nil {
		err = b.ask("hello", cborMap(
			keyProtocol, cborUint(1), keyName, cborText("bare"), keyWindow, cborUint(Window), keySignals, cborUint(bareSignals)))
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return b, nil
}

// ask sends a message before serve is called, and reads on until its reply.
func (b *bareConn) ask(method string, params []byte) error {
	if err := b.c.SetDeadline(time.Now().Add(Patience)); err != nil {
		return err
	}
	if _, err := b.c.Write(cborBytes(cborMap(keyID, cborUint(1), keyMethod, cborText(method), keyParams, params))); err != nil {
		return err
	}
	replied := false
	for !replied {
		body, size, err := b.packet()
		if err == nil && body[0]>>5 == cborMapType {
			replied, err = true, bareDone(body)
		} else if err == nil {
			err = b.take(body)
		}
		if err != nil {
			return fmt.Errorf("sighub: %s: %w", method, err)
		}
		_, _ = b.in.Discard(size) // it was peeked at
	}
	return b.c.SetDeadline(time.Time{})
}

// bareDone returns an error unless a reply says that what was asked is done.
func bareDone(body []byte) error {
	if status, ok := cborField(body, keyStatus); !ok || len(status) != 1 || status[0] != 0 {
		return fmt.Errorf("the hub answers %q", body)
	}
	return nil
}

// packet returns the packet that comes next, and how many bytes are to be discarded then.
func (b *bareConn) packet() (body []byte, size int, err error) {
	first, err := b.in.Peek(1)
	if err != nil {
		return nil, 0, err
	}
	size = cborHeadSize(first[0])
	head, err := b.in.Peek(size)
	if err != nil {
		return nil, 0, err
	}
	kind, n, _, ok := cborHead(head)
	if !ok || kind != cborBytesType || n == 0 || n > uint64(b.in.Size()-size) {
		return nil, 0, fmt.Errorf("sighub: a packet begins with %x", head)
	}
	packet, err := b.in.Peek(size + int(n))
	if err != nil {
		return nil, 0, err
	}
	return packet[size:], len(packet), nil
}

// serve starts to read.
func (b *bareConn) serve() {
	go func() {
		defer close(b.done)
		b.unanswered.fail(b.read())
	}()
}

// read reads until the connection ends. It answers whenever it has read everything that has arrived.
func (b *bareConn) read() error {
	for {
		body, size, err := b.packet()
		if err == nil {
			err = b.take(body)
		}
		if err != nil {
			return err
		}
		_, _ = b.in.Discard(size) // it was peeked at
		if b.in.Buffered() > 0 {
			continue
		}
		if b.answers.fresh > 0 {
			b.answer()
		}
		if err := b.out.Flush(); err != nil {
			return err
		}
	}
}

// take takes a packet.
func (b *bareConn) take(body []byte) error {
	kind, items, rest, ok := cborHead(body)
	if !ok || kind != cborArrayType || items == 0 {
		return b.asked(b, body)
	}
	kind, n, after, ok := cborHead(rest)
	switch {
	case !ok:
	case items == 1 && kind == cborUintType:
		b.unanswered.give(int(n))
		return nil
	case kind == cborUintType && n < uint64(len(b.routes)):
		b.hear(b.routes[n], after)
		return nil
	case kind == cborArrayType: // a route is told: its number, its sender, its event
		number, sender, ok := cborItem(after)
		_, event, ok2 := cborItem(sender)
		name, _, ok3 := cborItem(event)
		data, ok4 := cborRest(rest)
		if _, n, _, ok5 := cborHead(number); ok && ok2 && ok3 && ok4 && ok5 && n <= uint64(len(b.routes)) {
			if n == uint64(len(b.routes)) {
				b.routes = append(b.routes, false)
			}
			b.routes[n] = bytes.Equal(name, cborText(Event))
			b.hear(b.routes[n], data)
			return nil
		}
	}
	return fmt.Errorf("sighub: %q arrives", body)
}

// hear hears a signal, whose data comes first in rest.
func (b *bareConn) hear(ours bool, rest []byte) {
	b.answers.fresh++
	switch {
	case !ours:
	case len(rest) >= len(b.head)+message.Size && string(rest[:len(b.head)]) == b.head:
		b.fn(rest[len(b.head) : len(b.head)+message.Size])
	default:
		b.fn(nil) // garbled: the case fails
	}
}

// answer answers what has come, now or in a while.
func (b *bareConn) answer() {
	a := &b.answers
	a.mu.Lock()
	defer a.mu.Unlock()
	a.owed += a.fresh
	a.fresh = 0
	if a.owed < bareAnswerMost && time.Since(a.wrote) < bareAnswerPause {
		if a.late == nil {
			a.late = time.AfterFunc(bareAnswerLate, b.answerLate)
		} else if !a.armed {
			a.late.Reset(bareAnswerLate)
		}
		a.armed = true
		return
	}
	b.owed()
}

func (b *bareConn) answerLate() {
	a := &b.answers
	a.mu.Lock()
	a.armed = false
	b.owed()
	a.mu.Unlock()
	_ = b.out.Flush() // whoever reads notices when it fails
}

// owed puts the answer to all that is owed. The lock is held.
func (b *bareConn) owed() {
	a := &b.answers
	if a.owed > 0 {
		var packet [16]byte
		body := cborAppend(append(packet[:1], 0x81), cborUintType, a.owed)
		body[0] = cborBytesType<<5 | byte(len(body)-1)
		_ = b.out.add(body, nil) // whoever reads notices when it fails
		a.owed, a.wrote = 0, time.Now()
	}
}

func (b *bareConn) Close() {
	_ = b.c.Close()
	<-b.done
}

// unasked is what is called with messages where none should come.
func unasked(_ *bareConn, body []byte) error {
	return fmt.Errorf("sighub: the message %q arrives", body)
}

func (p *barePeer) Publisher(_ context.Context, sender int) (Publisher, error) {
	b, err := p.dialBare(Ignore, unasked)
	if err != nil {
		return nil, err
	}
	err = b.ask("add_sender", cborMap(keySender, cborText(SenderName(sender)), keyEvents, cborArray(cborText(Event)), keyRequests, cborNull))
	if err != nil {
		return nil, errors.Join(err, b.c.Close())
	}
	b.serve()
	route := cborArray(cborUint(0), cborText(SenderName(sender)), cborText(Event))
	return &barePublisher{bareConn: b, head: bareSignalHead(route)}, nil
}

// bareSignalHead returns what stands before the payload in the packet of a signal.
func bareSignalHead(route []byte) []byte {
	head := payloadHead()
	size := 1 + len(route) + len(head) + message.Size
	return slices.Concat(cborAppend(nil, cborBytesType, uint64(size)), []byte{0x82}, route, []byte(head))
}

// A barePublisher signals one event.
type barePublisher struct {
	*bareConn
	head  []byte
	known bool // the hub knows the route
}

func (p *barePublisher) Publish(payload []byte) error {
	if err := p.unanswered.take(p.out.Flush); err != nil {
		return err
	}
	err := p.out.add(p.head, payload)
	if !p.known {
		p.head, p.known = bareSignalHead(cborUint(0)), true
	}
	return err
}

func (p *barePublisher) Flush() error { return p.out.Flush() }

func (p *barePublisher) Drain() error {
	if err := p.out.Flush(); err != nil {
		return err
	}
	return p.unanswered.wait()
}

func (p *barePeer) Subscribe(_ context.Context, sender int, fn func([]byte)) (Closer, error) {
	b, err := p.dialBare(fn, unasked)
	if err != nil {
		return nil, err
	}
	name, event := cborNull, cborNull
	if sender != Everyone {
		name, event = cborText(SenderName(sender)), cborText(Event)
	}
	if err := b.ask("add_listener", cborMap(keySender, name, keyEvent, event)); err != nil {
		return nil, errors.Join(err, b.c.Close())
	}
	b.serve()
	return b, nil
}

// respond answers each request with its params.
func (p *barePeer) Respond(context.Context) (Closer, error) {
	b, err := p.dialBare(Ignore, func(b *bareConn, body []byte) error {
		id, ok := cborField(body, keyID)
		params, ok2 := cborField(body, keyParams)
		request, ok3 := cborField(params, keyParams)
		if !ok || !ok2 || !ok3 {
			return unasked(b, body)
		}
		return b.out.add(cborBytes(cborMap(keyID, id, keyStatus, cborUint(0), keyResponse, request)), nil)
	})
	if err != nil {
		return nil, err
	}
	err = b.ask("add_sender", cborMap(keySender, cborText(hubResponder), keyEvents, cborArray(), keyRequests, cborArray(cborText(hubRequest))))
	if err != nil {
		return nil, errors.Join(err, b.c.Close())
	}
	b.serve()
	return b, nil
}

func (p *barePeer) Requester(context.Context) (Requester, error) {
	r := newSlotRequester(nil)
	b, err := p.dialBare(Ignore, func(b *bareConn, body []byte) error {
		response, ok := cborField(body, keyResponse)
		if !ok || len(response) < len(b.head) {
			return unasked(b, body)
		}
		r.answer(response[len(b.head):])
		return nil
	})
	if err != nil {
		return nil, err
	}
	b.serve()
	r.out, r.closers = &lockedPublisher{Publisher: &bareAsker{bareConn: b}}, closers{b}
	return r, nil
}

// A bareAsker publishes requests.
type bareAsker struct {
	*bareConn
	id uint64
}

func (a *bareAsker) Publish(payload []byte) error {
	a.id++
	params := cborMap(keySender, cborText(hubResponder), keyMethod, cborText(hubRequest), keyParams, append([]byte(a.head), payload...))
	return a.out.add(cborBytes(cborMap(keyID, cborUint(a.id), keyMethod, cborText("request"), keyParams, params)), nil)
}

func (a *bareAsker) Flush() error { return a.out.Flush() }
func (a *bareAsker) Drain() error { return a.out.Flush() }
