package hub

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/hub/internal/fair"
)

// TestGapsForLegacyClients: a client that has not said hello does not know gaps. It is told of one where it listens to any
// event, as it is told of events that it does not know, and not where it asked for another.
func TestGapsForLegacyClients(t *testing.T) {
	for _, c := range []struct {
		hello bool
		event string
		told  bool
	}{{true, `"x"`, true}, {true, "null", true}, {false, `"x"`, false}, {false, "null", true}} {
		synctest.Test(t, func(t *testing.T) {
			w := newMessageWorld(t, ServerOptions{})
			defer w.end()
			s, err := w.AddSender("s", SenderOptions{Events: []string{"x"}})
			if err != nil {
				t.Fatal(err)
			}
			w.done(w.connect(16, c.hello), "add_listener", `{"sender":"s","event":%s}`, c.event)
			w.carrier.gate, w.carrier.err = make(chan struct{}, 1), carrier.ErrTooLarge
			w.carrier.gate <- struct{}{}
			if err := s.signals["x"].Trigger(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			w.carrier.mu.Lock()
			w.carrier.err = nil
			w.carrier.mu.Unlock()
			close(w.carrier.gate)
			synctest.Wait()
			if err := s.signals["x"].Trigger(t.Context(), 2); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			sent := w.carrier.take()
			told := len(sent) == 2 && strings.Contains(sent[0].text, `"#gap"`) && strings.Contains(sent[0].text, `"count":1`)
			if told != c.told || !strings.Contains(sent[len(sent)-1].text, `"data":2`) {
				t.Errorf("hello: %v, event %s: it is sent %+v", c.hello, c.event, sent)
			}
			for _, m := range sent {
				m.done(carrier.Done(nil), nil)
			}
		})
	}
}

// TestGapOfARemovedListener: what a listener has missed is not told once it is removed.
func TestGapOfARemovedListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMessageWorld(t, ServerOptions{Outbox: OutboxOptions{Limit: 2, Deadline: time.Millisecond}})
		defer w.end()
		id := w.connect(1, true)
		w.done(id, "add_listener", `{"sender":"s","event":"x"}`)
		s, err := w.AddSender("s", SenderOptions{Events: []string{"x"}})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 8 {
			if err := s.signals["x"].Trigger(t.Context(), i); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.handler.client(id).outbox.gaps.len(); n != 1 {
			t.Fatalf("there are %d gaps", n)
		}
		w.done(id, "remove_listener", `{"listener_id":1}`)
		w.carrier.take()[0].done(carrier.Done(nil), nil)
		synctest.Wait()
		if sent := w.carrier.take(); len(sent) != 0 {
			t.Errorf("it is sent %+v", sent)
		}
		if held := w.handler.client(id).account.Used(); held != 0 {
			t.Errorf("%d bytes are held", held)
		}
	})
}

// TestWhereAGapIsTold: the events that a listener of the latest has missed are older than all that wait, and so its gap is
// told before them; those that others have missed are newer.
func TestWhereAGapIsTold(t *testing.T) {
	for policy, want := range map[string]string{"latest": "0 gap 3 4", "block": "0 1 2 3 gap"} {
		synctest.Test(t, func(t *testing.T) {
			w := newMessageWorld(t, ServerOptions{Outbox: OutboxOptions{Limit: 2, Deadline: time.Millisecond}})
			defer w.end()
			w.done(w.connect(1, true), "add_listener", `{"sender":"s","event":"x","policy":%q}`, policy)
			s, err := w.AddSender("s", SenderOptions{Events: []string{"x"}})
			if err != nil {
				t.Fatal(err)
			}
			for i := range 5 {
				if err := s.signals["x"].Trigger(t.Context(), i); err != nil {
					t.Fatal(err)
				}
			}
			var told []string
			for {
				synctest.Wait()
				sent := w.carrier.take()
				if len(sent) == 0 {
					break
				}
				_, what, _ := strings.Cut(sent[0].text, `"data":`)
				if strings.Contains(sent[0].text, `"#gap"`) {
					what = "gap"
				}
				told = append(told, strings.TrimSuffix(what, "}"))
				sent[0].done(carrier.Done(nil), nil)
			}
			if got := strings.Join(told, " "); got != want {
				t.Errorf("policy %s: it is told %q, want %q", policy, got, want)
			}
		})
	}
}

// TestManyGapsAreToldAndPaidBack: gaps of many senders cost something until they are told.
func TestManyGapsAreToldAndPaidBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const senders = 4 * freeGaps
		w := newMessageWorld(t, ServerOptions{Outbox: OutboxOptions{Limit: senders, Deadline: time.Millisecond}})
		defer w.end()
		id := w.connect(1, true)
		w.done(id, "add_listener", `{"sender":null,"event":null}`)
		before := w.used(id)
		var all []*Sender
		for i := range senders {
			all = append(all, addTo(t, w.Router, fmt.Sprint("s", i), []string{"x"}))
		}
		for _, s := range all {
			for range 3 {
				if err := s.signals["x"].Trigger(t.Context(), 1); err != nil {
					t.Fatal(err)
				}
			}
		}
		o := &w.handler.client(id).outbox
		if n, least := o.gaps.len(), int64(o.queue.len()*entryCost+(senders-2*freeGaps)*gapCost); n < senders-freeGaps || w.used(id)-before < least {
			t.Errorf("there are %d gaps, and %d bytes are taken, at least %d should be", n, w.used(id)-before, least)
		}
		told := 0
		for sent := w.carrier.take(); len(sent) > 0; sent = w.carrier.take() {
			told += strings.Count(sent[0].text, Gap)
			sent[0].done(carrier.Done(nil), nil)
			synctest.Wait()
		}
		if used := w.used(id); told < senders-freeGaps || used != before {
			t.Errorf("%d gaps are told, and %d bytes are taken, %d at first", told, used, before)
		}
	})
}

// TestLaggingUntilItIsGood: a lagging client that answers one event has not caught up, and no sender waits for it again; nor
// when it has caught up, unless it has then lost nothing for a minute.
func TestLaggingUntilItIsGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMessageWorld(t, ServerOptions{Outbox: OutboxOptions{Limit: 4, Deadline: time.Second}})
		defer w.end()
		id := w.connect(1, true)
		w.done(id, "add_listener", `{"sender":"s","event":"x"}`)
		s, err := w.AddSender("s", SenderOptions{Events: []string{"x"}})
		if err != nil {
			t.Fatal(err)
		}
		for round, c := range []struct {
			after    time.Duration // the round before
			want     time.Duration // to be waited for
			answered bool          // then all that waits
		}{
			{0, time.Second, false},
			{0, 0, true},
			{fair.Recovery - time.Second, 0, true},
			{2 * time.Second, 0, true},
			{fair.Recovery, time.Second, true},
		} {
			time.Sleep(c.after)
			start := time.Now()
			for i := range 10 {
				if err := s.signals["x"].Trigger(t.Context(), i); err != nil {
					t.Fatal(err)
				}
			}
			if took := time.Since(start).Round(time.Millisecond); took != c.want {
				t.Errorf("round %d: senders waited for %s, want %s", round, took, c.want)
			}
			for more := true; more; more = c.answered {
				synctest.Wait()
				sent := w.carrier.take()
				for _, m := range sent {
					m.done(carrier.Done(nil), nil)
				}
				if len(sent) == 0 {
					break
				}
			}
			synctest.Wait()
		}
	})
}
