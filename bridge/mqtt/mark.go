package mqtt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sighub/bridge/mqtt/internal/client"
	"sighub/hub"
	"sighub/internal/mqtt/packet"
	"sighub/journal"
)

// A mark is what the broker keeps to say how far the events have come. It is published among them, so what the broker has of them is
// never less, whatever it forgets.
type mark struct {
	Position hub.Position `json:"position"`
	Time     time.Time    `json:"time"` // when it was set, so that no two marks are the same
}

// markEvery is how often the mark is moved at the broker, at most.
const markEvery = time.Second

// forgetful is for how long a broker may not have written what it has acknowledged: mosquitto writes every half hour by default. One that
// knows no mark at all, such as one that was killed before it has written the first, gets again what it was sent within this time.
const forgetful = time.Hour

// markTopic is where the mark is.
func (b *Bridge) markTopic() string { return b.ownTopic() }

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

// begin has the feed begin where the broker has the events: at its mark, if that is before what it has acknowledged, for it may have been
// killed, and have forgotten the rest. It reports whether the mark may be moved: not if the broker does not tell it, for then what it has
// forgotten shows nowhere else, and not if it does not keep it.
func (b *Bridge) begin(ctx context.Context, c *client.Client, in *inbox) (marks bool, err error) {
	if !in.isHere() || b.unmarked {
		b.feed.Rewind()
		return false, nil
	}
	var m mark
	if len(in.mark) == 0 || json.Unmarshal(in.mark, &m) != nil || m.Position.IsZero() {
		m.Position = b.trail.cursor.At()
	}
	again, err := b.markAt(m.Position)
	if err != nil {
		return false, err
	}
	err = b.keep(ctx, c, in, again) // before the broker is taken to have forgotten it
	if r, is := errors.AsType[*client.RefusedError](err); is && (r.Code == packet.NotAuthorized || r.Code == packet.BadTopic) {
		b.unmarked = true
		b.log.Warn("the broker does not keep how far the events have come, so it must not forget what it has acknowledged: allow this user "+
			"to publish to the topic, and start the hub again", "bridge", b.o.Name, "topic", b.markTopic(), "error", err)
	}
	if err != nil {
		return false, err // mosquitto closes the connection after a refusal, so another one is needed
	}
	at := b.feed.At()
	if !m.Position.Before(at) {
		b.feed.Rewind()
		return true, nil
	}
	if had := b.marked.Load(); had != nil && m.Position.Before(*had) {
		b.log.Warn("the broker has forgotten events that it had acknowledged: they are sent again", "bridge", b.o.Name, "from", m.Position.Sequence,
			"to", at.Sequence)
	} else {
		b.log.Info("events behind the broker's mark are sent again", "bridge", b.o.Name, "from", m.Position.Sequence, "to", at.Sequence)
	}
	b.feed.RewindTo(m.Position)
	return true, nil
}

// maxHangUps is how often in a row a broker of MQTT 3.1.1 closes the connection when a mark is published, until that is taken for a refusal.
const maxHangUps = 3

// keep has the broker keep a mark, and returns an error if it does not. MQTT 3.1.1 has no word for a refusal: a broker there acknowledges
// what it does not keep, or closes the connection, or both, as mosquitto does.
func (b *Bridge) keep(ctx context.Context, c *client.Client, in *inbox, mark *client.Message) error {
	err := c.Say(ctx, mark)
	if c.Version() == packet.V5 {
		return err
	}
	if err == nil {
		err = in.look(ctx, c)
	}
	refused := &client.RefusedError{What: "keep what is published to " + mark.Topic, Code: packet.NotAuthorized}
	switch {
	case errors.Is(err, client.ErrClosed):
		if b.hangUps++; b.hangUps >= maxHangUps {
			return refused
		}
	case err == nil:
		if b.hangUps = 0; !bytes.Equal(in.mark, mark.Payload) {
			return refused
		}
	}
	return err
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
		if err == nil {
			s.b.marked.Store(&at)
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
	data, err := json.Marshal(mark{at, time.Now().UTC()})
	return &client.Message{Topic: b.markTopic(), Payload: data, Retain: true}, err
}
