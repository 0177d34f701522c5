package main

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
)

// relayPeer is the upper limit: a process that copies what senders write to listeners. It only knows rooms, instead of topics, and where
// a message ends, because messages of several senders must not be mixed.
type relayPeer struct{ process }

// The rooms of cmd/relay, and what the first byte of a connection says.
const (
	roomEvents   = 'e'
	roomRequests = 'q'
	roomAnswers  = 'a'

	roleSender   = 'S'
	roleListener = 'L'
)

func (*relayPeer) acknowledged() bool { return true } // TCP delivers, and the relay drops nothing
func (*relayPeer) ahead() int         { return 0 }

func (*relayPeer) command(e *env, addr netip.AddrPort) ([]string, error) {
	return []string{filepath.Join(e.bin, "relay"), addr.String()}, nil
}

// dial enters a room; the relay answers once that is done.
func (p *relayPeer) dial(role, room byte) (net.Conn, error) {
	c, err := net.DialTimeout("tcp", p.addr, patience)
	if err != nil {
		return nil, err
	}
	err = c.SetDeadline(time.Now().Add(patience))
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

func (p *relayPeer) publisher(context.Context, int) (publisher, error) { return p.sender(roomEvents) }

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

func (p *relayPublisher) publish(payload []byte) error {
	return p.out.add(binary.BigEndian.AppendUint32(make([]byte, 0, 4), uint32(len(payload))), payload)
}

func (p *relayPublisher) flush() error { return p.out.flush() }
func (p *relayPublisher) drain() error { return p.out.flush() }
func (p *relayPublisher) close()       { _ = p.c.Close() }

func (p *relayPeer) subscribe(_ context.Context, _ int, fn func([]byte)) (closer, error) {
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

func (l *relayListener) close() {
	_ = l.c.Close()
	<-l.done
}

func (p *relayPeer) respond(context.Context) (closer, error) {
	out, err := p.sender(roomAnswers)
	if err != nil {
		return nil, err
	}
	// What fails to be sent, the requester misses.
	l, err := p.listen(roomRequests, func(b []byte) { _ = out.publish(b) }, func() { _ = out.flush() })
	if err != nil {
		out.close()
		return nil, err
	}
	return closers{l, out}, nil
}

func (p *relayPeer) requester(context.Context) (requester, error) {
	out, err := p.sender(roomRequests)
	if err != nil {
		return nil, err
	}
	r := newSlotRequester(out)
	l, err := p.listen(roomAnswers, r.answer, func() {})
	if err != nil {
		out.close()
		return nil, err
	}
	r.closers = closers{l, out}
	return r, nil
}

// closers are closed in order.
type closers []closer

func (cs closers) close() {
	for _, c := range cs {
		c.close()
	}
}

// A slotRequester makes requests of messages to and fro: each slot has one on its way at a time, and the sender in
// the payload is the slot.
type slotRequester struct {
	closers
	out publisher

	mu    sync.Mutex
	slots map[uint32]chan []byte
}

func newSlotRequester(out publisher) *slotRequester {
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
	if slot, _, _, ok := readPayload(payload); ok {
		r.slot(slot) <- append(make([]byte, 0, payloadSize), payload...)
	}
}

func (r *slotRequester) request(ctx context.Context, slot int, payload []byte) ([]byte, error) {
	answer := r.slot(uint32(slot))
	if err := r.out.publish(payload); err != nil {
		return nil, err
	}
	if err := r.out.flush(); err != nil {
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
	publisher
	mu sync.Mutex
}

func (p *lockedPublisher) publish(payload []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.publisher.publish(payload)
}
