package mqtt

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"sighub/bridge"
	"sighub/bridge/mqtt/internal/client"
	"sighub/homeassistant"
	"sighub/hub"
	"sighub/journal"
)

// A mark is what the broker keeps to say how far the events have come. It is published among them, so what the broker has of them is
// never less, whatever it forgets.
type mark struct {
	Position hub.Position `json:"position"`
}

// markEvery is how often the mark is moved at the broker, at most.
const markEvery = time.Second

// forgetful is for how long a broker may not have written what it has acknowledged: mosquitto writes every half hour by default. One that
// knows no mark at all, such as one that was killed before it has written the first, gets again what it was sent within this time.
const forgetful = time.Hour

func (b *Bridge) markTopic() string { return b.o.Prefix + "_bridge/" + homeassistant.Level(b.o.Name) }

// A trail remembers how far the events had come some time ago, also when the hub is killed: by a cursor.
type trail struct {
	cursor *hub.OwnCursor
	marks  []passed // since
}

// passed is a mark that was set.
type passed struct {
	at   hub.Position
	when time.Time
}

func openTrail(router *hub.ServerRouter, bridge string, start journal.Start) (*trail, error) {
	c, err := router.TakeCursor(bridge+" before", "the bridge "+bridge, start)
	if err != nil {
		return nil, fmt.Errorf("mqtt: cannot remember how far the events had come: %w", err)
	}
	return &trail{cursor: c}, nil
}

// add notes a mark.
func (t *trail) add(at hub.Position, now time.Time) {
	t.marks = append(t.marks, passed{at, now})
	n := 0
	for n < len(t.marks) && now.Sub(t.marks[n].when) > forgetful {
		n++
	}
	if n > 0 {
		t.cursor.Move(t.marks[n-1].at, 1)
		t.marks = append(t.marks[:0], t.marks[n:]...)
	}
}

// begin has the feed begin where the broker has the events, if that is before what it has acknowledged: it was killed, and has forgotten
// the rest. kept is the mark; read: the broker has said what it has.
func (b *Bridge) begin(feed *bridge.Feed, kept []byte, read bool) {
	var m mark
	if len(kept) == 0 || json.Unmarshal(kept, &m) != nil || m.Position.IsZero() {
		m.Position = b.trail.cursor.At()
	}
	if at := feed.At(); read && !b.unmarked.Load() && m.Position.Before(at) {
		b.log.Warn("the broker has forgotten events that it had acknowledged: they are sent again", "bridge", b.o.Name, "from", m.Position.Sequence,
			"to", at.Sequence)
		feed.RewindTo(m.Position)
		return
	}
	feed.Rewind()
}

// mark moves the mark now and then, until ctx is done or the connection ends.
func (s *stream) mark(ctx context.Context) error {
	tick := time.NewTicker(markEvery)
	defer tick.Stop()
	for {
		if err := s.moveMark(ctx); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-s.c.Done():
			return s.c.Err()
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *stream) moveMark(ctx context.Context) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	if s.sent == s.marked {
		return nil
	}
	at := s.sent
	m, err := s.b.markAt(at)
	if err != nil {
		return err
	}
	err = s.c.Publish(ctx, m, func(err error) {
		if err != nil && !s.b.unmarked.Swap(true) {
			s.b.log.Warn("the broker does not keep how far the events have come, so it must not forget what it has acknowledged: allow this user "+
				"to publish to the topic", "bridge", s.b.o.Name, "topic", s.b.markTopic(), "error", err)
		}
	})
	if err == nil {
		s.marked = at
		s.b.trail.add(at, time.Now())
		err = s.c.Flush()
	}
	return err
}

// markAt returns the message that says that the events have come to a position.
func (b *Bridge) markAt(at hub.Position) (*client.Message, error) {
	data, err := json.Marshal(mark{at})
	return &client.Message{Topic: b.markTopic(), Payload: data, Retain: true}, err
}
