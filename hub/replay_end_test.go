package hub

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"sighub/carrier"
	"sighub/journal"
)

// A leavingSink counts the signals that were put and have not left.
type leavingSink struct {
	stuckSink
	put int
}

func (s *leavingSink) Flush(bool) { s.put = 0 }

func (s *leavingSink) Put(r *carrier.OutRoute, p *carrier.PackedSignal) (int, error) {
	s.put++
	return s.stuckSink.Put(r, p)
}

// TestReplayLeavesRoom: the turn is a replay's, which gives up at the moment when there is room. The events that wait behind it leave then,
// and do not wait for the next event.
func TestReplayLeavesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServerRouter(ServerOptions{})
		var tasks sync.WaitGroup
		d := &carrierHandler{server: s, serving: t.Context(), tasks: &tasks, clients: make(map[carrier.ClientID]*client)}
		sink := &leavingSink{stuckSink: stuckSink{window: 1, total: new(atomic.Int64)}}
		d.ClientConnected(carrier.Client{ID: 1, Codec: carrier.CBOR, Hello: true, Window: 100, Signals: sink})
		c := d.client(1)
		l := &Listener{sender: "light", router: s.Router, client: c, policy: Block}
		if err := s.listen(l, false); err != nil {
			t.Fatal(err)
		}
		c.keep(l)
		sender, err := s.AddSender("light", SenderOptions{Events: []string{"lux"}}) // its #connect fills the window
		if err != nil {
			t.Fatal(err)
		}
		trigger := sender.signals["lux"].Trigger
		if err := trigger(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		o := &c.outbox
		r := &replay{listener: l, outbox: o, keeping: &keeping{feeding: new(feeding)}}
		r.ctx, r.cancel = context.WithCancel(t.Context())
		o.replays.turn = -replayShare
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			defer r.ended()
			_, _ = r.put(make([]journal.Entry, 1), 0) // it is given up
		}()
		synctest.Wait()
		o.mu.Lock()
		r.cancel()
		o.flow.Answered(1)
		o.mu.Unlock()
		<-ended
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.flow.InFlight() != 1 || o.queue.len() != 0 {
			t.Fatalf("%d events were sent, and %d wait", o.flow.InFlight(), o.queue.len())
		}
		if sink.put > 0 {
			t.Error("what was put does not leave")
		}
	})
}
