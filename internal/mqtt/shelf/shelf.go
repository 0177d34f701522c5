// Package shelf keeps the newest message at each of many topics, for whoever looks: now or later, quickly or slowly.
package shelf

import (
	"container/list"
	"errors"
	"fmt"

	"sighub/internal/lockrank"
)

// An Account is what the memory of a Shelf is on.
type Account interface {
	Take(bytes int) error
	Give(bytes int)
}

// A Shelf keeps the newest message at each of its topics. Each message that is put has a version, which is higher than that of all before it.
// So whoever knows up to which version they have looked finds what is newer, and of what has changed often meanwhile only the last. Its
// methods may be called from any goroutine.
type Shelf struct {
	account Account

	mu       lockrank.Mutex[lockrank.Leaf]
	version  uint64
	order    *list.List // of *Message, by version
	topics   map[string]*list.Element
	cleared  int // how many of them are empty
	watchers map[*func()]struct{}
}

// A Message is what is kept at a topic. Nobody may change its payload.
type Message struct {
	Topic   string
	Payload []byte // empty: what was there is cleared
	Version uint64
}

// Bounds of a Shelf.
const (
	MaxTopics  = 1 << 16
	MaxCleared = 1 << 10 // topics that are empty: the oldest are forgotten
)

const messageCost = 192 // bytes, beside topic and payload

func (m *Message) cost() int { return messageCost + len(m.Topic) + len(m.Payload) }

// ErrFull is the error of Put when there are too many topics.
var ErrFull = errors.New("shelf: there are too many topics")

// New returns an empty Shelf, whose memory is on an account.
func New(a Account) *Shelf {
	return &Shelf{account: a, order: list.New(), topics: make(map[string]*list.Element), watchers: make(map[*func()]struct{})}
}

// Put puts a message in the place of the one before it at the topic, and tells the watchers. An empty payload clears the topic.
func (s *Shelf) Put(topic string, payload []byte) error {
	if err := s.put(topic, payload); err != nil {
		return err
	}
	s.mu.Lock()
	told := make([]func(), 0, len(s.watchers))
	for fn := range s.watchers {
		told = append(told, *fn)
	}
	s.mu.Unlock()
	for _, fn := range told {
		fn()
	}
	return nil
}

func (s *Shelf) put(topic string, payload []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &Message{Topic: topic, Payload: payload, Version: s.version + 1}
	old := s.topics[topic]
	if old == nil && len(s.topics) >= MaxTopics {
		return fmt.Errorf("%w: %d", ErrFull, MaxTopics)
	}
	if err := s.account.Take(m.cost()); err != nil {
		return err
	}
	if old != nil {
		s.remove(old)
	}
	s.version++
	s.topics[topic] = s.order.PushBack(m)
	if len(payload) > 0 {
		return nil
	}
	if s.cleared++; s.cleared > MaxCleared {
		for e := s.order.Front(); e != nil; e = e.Next() {
			if len(e.Value.(*Message).Payload) == 0 {
				s.remove(e)
				break
			}
		}
	}
	return nil
}

func (s *Shelf) remove(e *list.Element) {
	m := s.order.Remove(e).(*Message)
	delete(s.topics, m.Topic)
	if len(m.Payload) == 0 {
		s.cleared--
	}
	s.account.Give(m.cost())
}

// Version returns that of the newest message.
func (s *Shelf) Version() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version
}

// At returns the message at a topic; ok is false if none ever was there.
func (s *Shelf) At(topic string) (m Message, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.topics[topic]
	if e == nil {
		return m, false
	}
	return *e.Value.(*Message), true
}

// After returns the messages behind a version, in the order of their versions, but no more than most.
func (s *Shelf) After(version uint64, most int) (messages []Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.order.Front()
	if version > 0 { // most look for what is new
		e = nil
		for newer := s.order.Back(); newer != nil && newer.Value.(*Message).Version > version; newer = newer.Prev() {
			e = newer
		}
	}
	for ; e != nil && len(messages) < most; e = e.Next() {
		messages = append(messages, *e.Value.(*Message))
	}
	return messages
}

// Watch has a function called after each message that is put, by whoever puts it, until stop is called; it may be called once more then.
func (s *Shelf) Watch(fn func()) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := &fn
	s.watchers[key] = struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, key)
	}
}
