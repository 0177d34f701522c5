package homeassistant

import (
	"slices"
	"time"

	"sighub/carrier"
	"sighub/hub"
	"sighub/internal/lockrank"
)

// States are the newest states of events, for an [Announcer]: when one has changed, it is to be said, at most once in a while. They hear
// the hub all the time, whether anybody can be told or not, and keep nothing but what is newest. They are safe for concurrent use, but for
// Take, which is for one goroutine.
type States struct {
	announcer *Announcer
	topics    Topics
	takes     func(sender, event string) bool
	changed   chan struct{} // something is to be said

	mu     lockrank.Mutex[lockrank.Leaf]
	states map[string]*state // by topic
	order  []*state          // to be said
}

// A state is the newest data of an event.
type state struct {
	sender, event string
	topic         string
	payload       []byte
	time          time.Time // of the event
	due           bool      // it is in order
	said          time.Time // when it was said last on this connection
}

// maxStates bounds how many states are kept.
const maxStates = 1 << 16

// future is how far ahead of this machine's clock the time of an event may be that is compared with others.
const future = time.Minute

// A StateMessage says the newest data of an event. Whoever says it has it kept.
type StateMessage struct {
	Topic   string
	Payload []byte    // in JSON
	Time    time.Time // of the event
}

// NewStates returns States without any. takes says which events count; nil: all.
func NewStates(a *Announcer, takes func(sender, event string) bool) *States {
	return &States{announcer: a, topics: a.o.Plan.Topics, takes: takes, changed: make(chan struct{}, 1), states: make(map[string]*state)}
}

// Changed is sent to when something is to be said, or a sender has come or gone.
func (n *States) Changed() <-chan struct{} { return n.changed }

// Heard notes an event of the hub, for the Announcer as well. It hears all events of all senders.
func (n *States) Heard(ev hub.Event) {
	data, err := ev.Data.AppendTo(nil, carrier.JSON)
	if err != nil {
		return
	}
	n.announcer.Heard(&ev, data)
	if ev.Name == hub.Connect || ev.Name == hub.Disconnect {
		n.change() // whoever says states says who is connected, too
		return
	}
	if ev.Name == hub.Gap || n.takes != nil && !n.takes(ev.Sender, ev.Name) {
		return
	}
	topic := n.topics.Event(ev.Sender, ev.Name)
	n.mu.Lock()
	s := n.states[topic]
	switch {
	case s == nil && len(n.states) >= maxStates:
		n.mu.Unlock()
		return
	case s == nil:
		s = &state{topic: topic}
		n.states[topic] = s
	}
	if s.event == "" { // once, because Take reads them without the lock
		s.sender, s.event = ev.Sender, ev.Name
	}
	said := s.take(&ev, data, time.Now())
	if said && !s.due {
		s.due = true
		n.order = append(n.order, s)
	}
	n.mu.Unlock()
	if said {
		n.change()
	}
}

// take takes an event, unless a newer one is known. A time that is ahead of the clock does not count: it would keep all others away.
func (s *state) take(ev *hub.Event, data []byte, now time.Time) bool {
	if ev.Time.Before(s.time) && s.time.Before(now.Add(future)) {
		return false
	}
	s.payload, s.time = data, ev.Time
	return true
}

func (n *States) change() {
	select {
	case n.changed <- struct{}{}:
	default:
	}
}

// Known notes of what time the state is that is kept at a topic, by a former run of the hub.
func (n *States) Known(topic string, at, now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.states[topic]
	if !at.Before(now.Add(future)) || s == nil && len(n.states) >= maxStates {
		return
	}
	if s == nil {
		s = &state{topic: topic}
		n.states[topic] = s
	}
	if s.time.Before(at) {
		s.time, s.payload = at, nil // what is known here is older
	}
}

// Again has everything said again, on another connection.
func (n *States) Again() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.order = n.order[:0]
	for _, s := range n.states {
		s.said, s.due = time.Time{}, s.payload != nil
		if s.due {
			n.order = append(n.order, s)
		}
	}
}

// Take returns the messages that are due, and how long it takes until others are; 0 if nothing waits. Each topic is due once in a span of
// time.
func (n *States) Take(now time.Time, every time.Duration) (list []StateMessage, wait time.Duration) {
	n.mu.Lock()
	due := n.order
	n.order = nil
	n.mu.Unlock()
	var later []*state
	for _, s := range due {
		switch there := n.announcer.Announced(s.sender, s.event); {
		case !there: // it is said when it is announced
			later = append(later, s)
		case now.Sub(s.said) < every:
			later = append(later, s)
			if left := every - now.Sub(s.said); wait == 0 || left < wait {
				wait = left
			}
		default:
			n.mu.Lock()
			if s.payload != nil {
				list = append(list, StateMessage{s.topic, s.payload, s.time})
			}
			s.due, s.said = false, now
			n.mu.Unlock()
		}
	}
	n.mu.Lock()
	n.order = append(n.order, later...)
	n.mu.Unlock()
	return list, wait
}

// Forget drops the states whose topics are not known any more.
func (n *States) Forget(known map[string]bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for topic := range n.states {
		if !known[topic] {
			delete(n.states, topic)
		}
	}
	n.order = slices.DeleteFunc(n.order, func(s *state) bool { return !known[s.topic] })
}
