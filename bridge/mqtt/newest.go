package mqtt

import (
	"context"
	"errors"
	"time"

	"sighub/bridge/mqtt/internal/client"
	"sighub/carrier"
	"sighub/homeassistant"
)

// sayNewest keeps the states at the broker up to date until ctx is done or the connection ends.
func (b *Bridge) sayNewest(ctx context.Context, c *client.Client) error {
	n := b.newest
	broker := retainer{c}
	n.Again()
	states := make(map[string]bool) // of senders, as they were said
	failed := make(chan error, 1)   // answers may come after another round has begun
	for everything, forgets := true, false; ; {
		wait, err := b.announcer.Publish(ctx, broker, everything)
		fails := errors.Is(err, homeassistant.ErrMemory)
		switch {
		case fails: // what is announced already goes on
			wait = b.o.Retry
			if b.state.Failed(err, remedy(err)) {
				b.log.Error("a bridge announces nothing new", "bridge", b.o.Name, "error", err)
			}
		case err != nil:
			return err
		case forgets:
			b.state.Connected() // the error is over
		}
		everything, forgets = everything && fails, fails
		n.Forget(b.announcer.Known())
		if err := b.sayStates(ctx, c, wait, states, failed); err != nil {
			return err
		}
	}
}

// sayStates says states for a time, or until something is to be announced. failed gets the first error for which the connection is to end.
func (b *Bridge) sayStates(ctx context.Context, c *client.Client, most time.Duration, states map[string]bool, failed chan error) error {
	n := b.newest
	end := time.NewTimer(most)
	defer end.Stop()
	announce := b.announcer.Changed()
	var batch <-chan time.Time // changes wait for each other
	for {
		if err := b.sayConnected(ctx, c, states); err != nil {
			return err
		}
		list, wait := n.Take(time.Now(), b.o.Every)
		for i := range list {
			err := c.Publish(ctx, stateMessage(&list[i]), func(err error) {
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
		case <-n.Changed():
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

// stateMessage returns what the broker keeps: with the time, which the next run of the hub is told.
func stateMessage(s *homeassistant.StateMessage) *client.Message {
	at := s.Time.UTC().Format(time.RFC3339Nano)
	return &client.Message{Topic: s.Topic, Payload: s.Payload, Retain: true, User: []user{{Key: "time", Value: at}}}
}

// known notes of what time the state is that the broker has at a topic of the hub's.
func (b *Bridge) known(m *client.Message, now time.Time) {
	for _, u := range m.User {
		if u.Key != "time" {
			continue
		}
		if at, err := time.Parse(time.RFC3339Nano, u.Value); err == nil {
			b.newest.Known(m.Topic, at, now)
		}
		return
	}
}

// sayConnected says which senders are connected, where that has changed.
func (b *Bridge) sayConnected(ctx context.Context, c *client.Client, said map[string]bool) error {
	for sender, connected := range b.announcer.Connections(said) {
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
