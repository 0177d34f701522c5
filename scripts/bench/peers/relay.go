package peers

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"sync"
	"time"

	"sighub/scripts/bench/message"
)

// relayPeer is the upper limit: a process that copies what senders write to listeners. It only knows rooms, instead of topics, and where
// a message ends, because messages of several senders must not be mixed.
type relayPeer struct{ Process }

// The rooms of cmd/relay, and what the first byte of a connection says.
const (
	roomEvents   = 'e'
	roomRequests = 'q'
	roomAnswers  = 'a'

	roleSender   = 'S'
	roleListener = 'L'
)

func (*relayPeer) Acknowledged() bool { return true } // TCP delivers, and the relay drops nothing
func (*relayPeer) Ahead() int         { return 0 }

func (*relayPeer) Command(place *Place, addr netip.AddrPort) ([]string, error) {
	return []string{filepath.Join(place.Bin, "relay"), addr.String()}, nil
}

// dial enters a room; the relay answers once that is done.
func (p *relayPeer) dial(role, room byte) (net.Conn, error) {
	c, err := net.DialTimeout("tcp", p.addr, Patience)
	if err != nil {
		return nil, err
	}
	err = c.SetDeadline(time.Now().Add(Patience))
	if err == nil {
		_, err = c.Write([]byte{role, room})
	}
	var answer [1]byte
	if err == nil {
		_, err = io.ReadFull(c, answer[:])
	}
	if err == nil {
		err = c.SetDeadline(time.Time{})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("relay: %w", err), c.Close())
	}
	return c, nil
}

func (p *relayPeer) Publisher(context.Context, int) (Publisher, error) { return p.sender(roomEvents) }

// sender returns a publisher to a room.
func (p *relayPeer) sender(room byte) (*relayPublisher, error) {
	c, err := p.dial(roleSender, room)
	if err != nil {
		return nil, err
	}
	return &relayPublisher{c, newSink(c)}, nil
}

type relayPublisher struct {
	c   net.Conn
	out *sink
}

func (p *relayPublisher) Publish(payload []byte) error {
	return p.out.add(binary.BigEndian.AppendUint32(make([]byte, 0, 4), uint32(len(payload))), payload)
}

func (p *relayPublisher) Flush() error { return p.out.Flush() }
func (p *relayPublisher) Drain() error { return p.out.Flush() }
func (p *relayPublisher) Close()       { _ = p.c.Close() }

func (p *relayPeer) Subscribe(_ context.Context, _ int, fn func([]byte)) (Closer, error) {
	return p.listen(roomEvents, fn, func() {})
}

// A relayListener reads until it is closed.
type relayListener struct {
	c    net.Conn
	done chan struct{}
}

// listen calls fn for each message of a room, and idle whenever there is none left to read at once.
func (p *relayPeer) listen(room byte, fn func([]byte), idle func()) (*relayListener, error) {
	c, err := p.dial(roleListener, room)
	if err != nil {
		return nil, err
	}
	l := &relayListener{c, make(chan struct{})}
	go func() {
		defer close(l.done)
		in := bufio.NewReaderSize(c, sinkSize)
		for {
			head, err := in.Peek(4)
			if err != nil {
				return
			}
			size := 4 + int(binary.BigEndian.Uint32(head))
			frame, err := in.Peek(size)
			if err != nil {
				return
			}
			fn(frame[4:])
			_, _ = in.Discard(size) // it was peeked at
			if in.Buffered() == 0 {
				idle()
			}
		}
	}()
	return l, nil
}

func (l *relayListener) Close() {
	_ = l.c.Close()
	<-l.done
}

func (p *relayPeer) Respond(context.Context) (Closer, error) {
	out, err := p.sender(roomAnswers)
	if err != nil {
		return nil, err
	}
	// What fails to be sent, the requester misses.
	l, err := p.listen(roomRequests, func(b []byte) { _ = out.Publish(b) }, func() { _ = out.Flush() })
	if err != nil {
		out.Close()
		return nil, err
	}
	return closers{l, out}, nil
}

func (p *relayPeer) Requester(context.Context) (Requester, error) {
	out, err := p.sender(roomRequests)
	if err != nil {
		return nil, err
	}
	r := newSlotRequester(out)
	l, err := p.listen(roomAnswers, r.answer, func() {})
	if err != nil {
		out.Close()
		return nil, err
	}
	r.closers = closers{l, out}
	return r, nil
}

// closers are closed in order.
type closers []Closer

func (cs closers) Close() {
	for _, c := range cs {
		c.Close()
	}
}

// A slotRequester makes requests of messages to and fro: each slot has one on its way at a time, and the sender in
// the payload is the slot.
type slotRequester struct {
	closers
	out Publisher

	mu    sync.Mutex
	slots map[uint32]chan []byte
}

func newSlotRequester(out Publisher) *slotRequester {
	return &slotRequester{out: out, slots: make(map[uint32]chan []byte)}
}

func (r *slotRequester) slot(i uint32) chan []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.slots[i] == nil {
		r.slots[i] = make(chan []byte, 1)
	}
	return r.slots[i]
}

// answer is called with each answer.
func (r *slotRequester) answer(payload []byte) {
	if slot, _, _, ok := message.Read(payload); ok {
		r.slot(slot) <- append(make([]byte, 0, message.Size), payload...)
	}
}

func (r *slotRequester) Request(ctx context.Context, slot int, payload []byte) ([]byte, error) {
	answer := r.slot(uint32(slot))
	if err := r.out.Publish(payload); err != nil {
		return nil, err
	}
	if err := r.out.Flush(); err != nil {
		return nil, err
	}
	select {
	case b := <-answer:
		return b, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// A lockedPublisher is one that several goroutines publish with.
type lockedPublisher struct {
	Publisher
	mu sync.Mutex
}

func (p *lockedPublisher) Publish(payload []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.Publisher.Publish(payload)
}
