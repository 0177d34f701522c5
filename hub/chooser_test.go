package hub

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
)

// A choosingSink tells its client only events with one name, and takes one at a time.
type choosingSink struct {
	stuckSink
	told string
	put  []string
}

func (s *choosingSink) Tells(r *carrier.OutRoute) bool { return r.Event == s.told }

func (s *choosingSink) Put(r *carrier.OutRoute, p *carrier.PackedSignal) (int, error) {
	s.put = append(s.put, r.Event)
	return s.stuckSink.Put(r, p)
}

// TestChooserThatStandsStill: a client that answers nothing holds nobody up by events that it has not asked for, and they do not wait for
// it. It holds up by those that it has.
func TestChooserThatStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServerRouter(ServerOptions{Outbox: OutboxOptions{Limit: 2, Deadline: time.Second}})
		var tasks sync.WaitGroup
		d := &carrierHandler{server: s, serving: context.Background(), tasks: &tasks, clients: make(map[carrier.ClientID]*client)}
		sink := &choosingSink{stuckSink: stuckSink{window: 1, total: new(atomic.Int64)}, told: "lux"}
		d.ClientConnected(carrier.Client{ID: 1, Codec: carrier.CBOR, Hello: true, Window: 1, Signals: sink})
		c := d.client(1)
		l := &Listener{router: s.Router, client: c, policy: Block, deadline: time.Second}
		if err := s.listen(l, false); err != nil {
			t.Fatal(err)
		}
		c.keep(l)
		c.outbox.pause(l)
		c.outbox.resume()
		sender, err := s.AddSender("light", SenderOptions{Events: []string{"lux", "other"}})
		if err != nil {
			t.Fatal(err)
		}
		trigger := func(event string) {
			if err := sender.signals[event].Trigger(t.Context(), 1); err != nil {
				t.Error(err)
			}
		}
		trigger("lux")
		began := time.Now()
		for range 100 {
			trigger("other")
		}
		if took := time.Since(began); took > 0 || c.outbox.queue.len() > 2 {
			t.Errorf("events that the client is not told of wait for %v, and %d are in its outbox", took, c.outbox.queue.len())
		}
		for range 10 {
			trigger("lux")
		}
		if time.Since(began) < time.Second/2 {
			t.Error("nobody waits for events that the client has asked for")
		}
		d.ClientDisconnected(1, carrier.ErrClosed)
		tasks.Wait()
	})
}
