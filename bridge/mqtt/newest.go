package mqtt

import (
	"context"
	"slices"
	"time"

	"sighub/bridge/mqtt/internal/client"
	"sighub/carrier"
	"sighub/homeassistant"
	"sighub/hub"
	"sighub/internal/lockrank"
)

// newest is the newest state of each event, and whether each sender is connected. It hears the hub all the time, connected to the broker or
// not, and keeps nothing but what is newest.
type newest struct {
	announcer *homeassistant.Announcer
	topics    homeassistant.Topics
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
	user          []user
	due           bool      // it is in order
	said          time.Time // when it was said last on this connection
}

// maxStates bounds how many states are kept.
const maxStates = 1 << 16

// future is how far ahead of this machine's clock the time of an event may be that is compared with others.
const future = time.Minute

func newNewest(a *homeassistant.Announcer, topics homeassistant.Topics, takes func(sender, event string) bool) *newest {
	return &newest{announcer: a, topics: topics, takes: takes, changed: make(chan struct{}, 1), states: make(map[string]*state)}
}

// heard is called with each event of the hub.
func (n *newest) heard(ev hub.Event) {
	data, err := ev.Data.AppendTo(nil, carrier.JSON)
	if err != nil {
		return
	}
	n.announcer.Heard(&ev, data)
	if ev.Name == hub.Connect || ev.Name == hub.Disconnect || ev.Name == hub.Gap || n.takes != nil && !n.takes(ev.Sender, ev.Name) {
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
	s.sender, s.event = ev.Sender, ev.Name
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
	s.user = []user{{Key: "time", Value: ev.Time.UTC().Format(time.RFC3339Nano)}}
	return true
}

func (n *newest) change() {
	select {
	case n.changed <- struct{}{}:
	default:
	}
}

// known notes of what time the state is that the broker has at a topic of the hub's.
func (n *newest) known(m *client.Message, now time.Time) {
	for _, u := range m.User {
		if u.Key != "time" {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, u.Value)
		n.mu.Lock()
		if s := n.states[m.Topic]; err == nil && at.Before(now.Add(future)) {
			if s == nil {
				s = &state{topic: m.Topic}
				n.states[m.Topic] = s
			}
			if s.time.Before(at) {
				s.time, s.payload = at, nil // what is known here is older
			}
		}
		n.mu.Unlock()
		return
	}
}

// again has everything said again, on another connection.
func (n *newest) again() {
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

// take returns the messages that are due, and how long it takes until others are; 0 if nothing waits. Each topic is due once in a span of
// time.
func (n *newest) take(now time.Time, every time.Duration) (list []client.Message, wait time.Duration) {
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
				list = append(list, client.Message{Topic: s.topic, Payload: s.payload, Retain: true, User: s.user})
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

// forget drops the states whose topics are not known any more.
func (n *newest) forget(known map[string]bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for topic := range n.states {
		if !known[topic] {
			delete(n.states, topic)
		}
	}
	n.order = slices.DeleteFunc(n.order, func(s *state) bool { return !known[s.topic] })
}

// sayNewest keeps the states at the broker up to date until ctx is done or the connection ends.
func (b *Bridge) sayNewest(ctx context.Context, c *client.Client) error {
	n := b.newest
	broker := retainer{c}
	n.again()
	states := make(map[string]bool) // of senders, as they were said
	for everything := true; ; everything = false {
		wait, err := n.announcer.Publish(ctx, broker, everything)
		if err != nil {
			return err
		}
		n.forget(n.announcer.Known())
		if err := b.sayStates(ctx, c, wait, states); err != nil {
			return err
		}
	}
}

// sayStates says states for a time, or until something is to be announced.
func (b *Bridge) sayStates(ctx context.Context, c *client.Client, most time.Duration, states map[string]bool) error {
	n := b.newest
	end := time.NewTimer(most)
	defer end.Stop()
	announce := n.announcer.Changed()
	var batch <-chan time.Time // changes wait for each other
	failed := make(chan error, 1)
	for {
		if err := b.sayConnected(ctx, c, states); err != nil {
			return err
		}
		list, wait := n.take(time.Now(), b.o.Every)
		for i := range list {
			err := c.Publish(ctx, &list[i], func(err error) {
				if err == nil {
					b.state.Sent(1)
				} else if !b.refused("", list[i].Topic, err) {
					select {
					case failed <- err:
					default:
					}
				}
			})
			if err != nil && (c.Err() != nil || ctx.Err() != nil || !b.refused("", list[i].Topic, err)) {
				return err
			}
		}
		if err := c.Flush(); err != nil {
			return err
		}
		var next <-chan time.Time
		if wait > 0 {
			next = time.After(wait)
		}
		select {
		case <-announce:
			announce, batch = nil, time.After(homeassistant.Batch)
		case <-batch:
			return nil
		case <-end.C:
			return nil
		case <-n.changed:
		case <-next:
		case err := <-failed:
			return err
		case <-c.Done():
			return c.Err()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// sayConnected says which senders are connected, where that has changed.
func (b *Bridge) sayConnected(ctx context.Context, c *client.Client, said map[string]bool) error {
	now := b.newest.announcer.Senders()
	for sender := range said {
		if _, there := now[sender]; !there {
			delete(said, sender)
		}
	}
	for sender, connected := range now {
		if was, there := said[sender]; there && was == connected {
			continue
		}
		said[sender] = connected
		payload, err := carrier.ValueOf(stateOf(connected, carrier.Value{}, time.Now())).AppendTo(nil, carrier.JSON)
		if err != nil {
			return err
		}
		if err := c.Publish(ctx, &client.Message{Topic: b.topics().State(sender), Payload: payload, Retain: true}, func(error) {}); err != nil {
			return err
		}
	}
	return nil
}

// A retainer is the broker as announcements go there.
type retainer struct{ c *client.Client }

// Retain implements homeassistant.Broker.
func (r retainer) Retain(ctx context.Context, topic string, payload []byte) error {
	return r.c.Say(ctx, &client.Message{Topic: topic, Payload: payload, Retain: true})
}
