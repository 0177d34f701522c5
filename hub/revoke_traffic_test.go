package hub

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/hub/verb"
)

// TestRevokeAmidTraffic: while events, requests and registrations are under way, nothing is put after SetPolicy has returned that it
// denies, and all that is left is in order.
func TestRevokeAmidTraffic(t *testing.T) {
	const clients, rounds, registrations, again = 3, 10, 1000, 30
	w := newPolicyWorld(t, ServerOptions{Outbox: OutboxOptions{Limit: 64, Policy: Latest}})
	open := fakePolicy(append(all("bob"), all("ann")...))
	closed := fakePolicy(append(all("bob"), grant{"ann", verb.Listen, "s", "e"}, grant{"ann", verb.Request, "none", "none"}))
	w.SetPolicy(open)
	answer := func(ctx context.Context, _ string, _ carrier.Value) (any, error) { return nil, ctx.Err() }
	s, err := w.AddSender("s", SenderOptions{Events: []string{"e", "secret"}, Default: answer})
	if err != nil {
		t.Fatal(err)
	}
	many := w.connect("ann", &noteSink{})
	for i := range registrations {
		w.listen(many, "s", fmt.Sprint("secret", i))
	}
	var denied atomic.Bool
	var traffic sync.WaitGroup
	var stop atomic.Bool
	sinks := make([]*noteSink, clients)
	for i := range clients {
		sinks[i] = &noteSink{check: func(r *carrier.OutRoute) {
			if denied.Load() && r.Event != "e" && !(r.Sender == "s" && isBuiltIn(r.Event)) && r.Event != Gap {
				t.Errorf("%s of %s is put although it is denied", r.Event, r.Sender)
			}
		}}
		c := w.connect("ann", sinks[i])
		traffic.Go(func() { // answers, sometimes late, so that the outbox fills
			for n := 0; !stop.Load(); n++ {
				sinks[i].full.Store(n%3 == 0)
				w.handler.SignalsAnswered(c.id, len(sinks[i].take()), nil)
				runtime.Gosched()
			}
			sinks[i].full.Store(false)
		})
		traffic.Go(func() { // registers, asks, and removes
			for n := 0; !stop.Load(); n++ {
				event := []string{"e", "secret", ""}[n%3]
				l, r := w.listen(c, "s", event)
				if n%2 == 0 {
					r = w.call(c, "request", `{"sender":"s","method":"m"}`)
				}
				if r.Status != carrier.StatusDone && r.Status != carrier.StatusDenied && r.Status != carrier.StatusLimit {
					t.Errorf("%v", r.Err())
				}
				if l != nil && n%4 == 3 {
					w.call(c, "remove_listener", fmt.Sprintf(`{"listener_id":%d}`, l.id))
				}
			}
		})
	}
	for i, event := range []string{"e", "secret"} {
		g, err := s.Signal(event)
		if err != nil {
			t.Fatal(err)
		}
		traffic.Go(func() {
			for n := 0; !stop.Load(); n++ {
				_ = g.Trigger(context.Background(), n*i)
				runtime.Gosched()
			}
		})
	}
	b := w.connect("bob", new(noteSink))
	traffic.Go(func() { // comes and goes
		for n := 0; !stop.Load(); n++ {
			w.done(b, "add_sender", `{"sender":"t","events":["secret"]}`)
			w.done(b, "signal", `{"info":{"sender":"t","event":"secret"},"data":1}`)
			w.done(b, "remove_sender", `{"sender":"t"}`)
		}
	})
	for round := range rounds {
		if round == rounds/2 {
			stop.Store(true) // the rest is quiet
		}
		w.SetPolicy(closed)
		denied.Store(true)
		many.mu.Lock()
		n := len(many.listeners)
		many.mu.Unlock()
		if n != 0 {
			t.Errorf("%d listeners are left", n)
		}
		denied.Store(false)
		w.SetPolicy(open)
		for i := range again {
			w.listen(many, "s", fmt.Sprint("secret", i))
		}
	}
	traffic.Wait()
	w.end()
}

// TestGapOfDenied: a gap is told to whoever may hear what was lost, whoever tells of it.
func TestGapOfDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }
		w := newPolicyWorld(t, ServerOptions{Options: Options{Now: now}})
		defer w.end()
		w.SetPolicy(fakePolicy(append(append(all("bob"), all("ann")...), grant{"zoe", verb.Listen, "*", "e"})))
		ann, zoe := new(noteSink), new(noteSink)
		w.listen(w.connect("ann", ann), "s", "")
		w.listen(w.connect("zoe", zoe), "s", "")
		c := w.connect("bob", new(noteSink))
		w.done(c, "add_sender", `{"sender":"s","events":["e","f"]}`)
		synctest.Wait()
		ann.take()
		zoe.take()
		lose := func(event string, told bool) {
			t.Helper()
			synctest.Wait()
			if a, z := len(ann.take()), len(zoe.take()); a != 1 || (z == 1) != told {
				t.Errorf("of a loss of %q, %d and %d are told", event, a, z)
			}
		}
		for event, told := range map[string]bool{"e": true, "f": false, "unknown": false} {
			data := `{"info":{"sender":"s","event":%q,"time":"1980-01-01T00:00:00Z"},"data":1}` // a time that is refused
			if r := w.call(c, "signal", fmt.Sprintf(data, event)); r.Status == carrier.StatusDone {
				t.Error("it is not refused")
			}
			lose(event, told)
		}
		c.by.carrier = reportingCarrier{c.by.carrier}
		for event, told := range map[string]bool{"": true, "e": true, "f": false} {
			w.done(c, "signal", fmt.Sprintf(`{"info":{"sender":"s","event":"#gap"},"data":{"count":1,"event":%q}}`, event))
			lose(event, told)
		}
	})
}
