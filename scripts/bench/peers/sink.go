package peers

import (
	"errors"
	"io"
	"sync"
)

// sinkSize is the number of bytes after which a sink writes by itself.
const sinkSize = 64 << 10

// A sink collects small packets and writes them together. While one goroutine writes, it also writes the packets that others add. So a
// single packet is written at once, and many are written in few calls.
type sink struct {
	w io.Writer

	mu         sync.Mutex
	changed    sync.Cond
	buf, spare []byte
	writing    bool
	err        error
}

func newSink(w io.Writer) *sink {
	s := &sink{w: w}
	s.changed.L = &s.mu
	return s
}

// add adds a packet in two parts.
func (s *sink) add(head, body []byte) error {
	s.mu.Lock()
	s.buf = append(append(s.buf, head...), body...)
	full, err := len(s.buf) >= sinkSize, s.err
	s.mu.Unlock()
	if full && err == nil {
		return s.Flush()
	}
	return err
}

// flush writes what was added, or leaves it to the goroutine that is already writing.
func (s *sink) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.writing && len(s.buf) >= sinkSize && s.err == nil {
		s.changed.Wait()
	}
	if s.writing || s.err != nil {
		return s.err
	}
	s.writing = true
	for len(s.buf) > 0 && s.err == nil {
		out := s.buf
		s.buf = s.spare[:0]
		s.mu.Unlock()
		_, err := s.w.Write(out)
		s.mu.Lock()
		s.spare, s.err = out, err
		s.changed.Broadcast()
	}
	s.writing = false
	s.changed.Broadcast()
	return s.err
}

// A quota bounds the packets in flight: a sender takes one before it sends a packet, and gives it back when the packet is answered.
type quota struct {
	mu      sync.Mutex
	changed sync.Cond
	limit   int
	used    int
	err     error // why nothing will be answered any more
}

func newQuota(limit int) *quota {
	q := &quota{limit: limit}
	q.changed.L = &q.mu
	return q
}

// take takes one; before it waits for room, it calls idle.
func (q *quota) take(idle func() error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.used >= q.limit && q.err == nil {
		q.mu.Unlock()
		err := idle()
		q.mu.Lock()
		if err != nil {
			return err
		}
		if q.used >= q.limit && q.err == nil {
			q.changed.Wait()
		}
	}
	q.used++
	return q.err
}

func (q *quota) give(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.used -= n
	q.changed.Broadcast()
}

// wait waits until nothing is in flight.
func (q *quota) wait() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.used > 0 && q.err == nil {
		q.changed.Wait()
	}
	if q.used == 0 {
		return nil // whatever happened after that
	}
	return q.err
}

// fail ends all waiting.
func (q *quota) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.err = errors.Join(errors.New("the connection ended"), err)
	}
	q.changed.Broadcast()
}
