package hub

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
)

// A gatheringSink notes what leaves together.
type gatheringSink struct {
	mu      sync.Mutex
	waiting []string   // "listener sender event"
	left    [][]string // of waiting, together
	at      []time.Duration
	began   time.Time
	pending int // bytes that it says are pending
}

func (s *gatheringSink) Window() int           { return 64 }
func (s *gatheringSink) Account(*atomic.Int64) {}
func (s *gatheringSink) Submit()               {}

func (s *gatheringSink) Pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pending
}

func (s *gatheringSink) Flush(bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) > 0 {
		s.left, s.at = append(s.left, s.waiting), append(s.at, time.Since(s.began))
		s.waiting = nil
	}
}

func (s *gatheringSink) Put(r *carrier.OutRoute, _ *carrier.PackedSignal) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(s.waiting, fmt.Sprintf("%d %s %s", r.Listener, r.Sender, r.Event))
	return s.pending, nil
}

// told returns how many events have left, in how many pieces, and how many wait.
func (s *gatheringSink) told() (events, pieces, waiting int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, some := range s.left {
		events += len(some)
	}
	return events, len(s.left), len(s.waiting)
}

// gatherWorld is a hub with a sender of an event x, and a client who listens as params say.
func gatherWorld(t *testing.T, params string) (w *messageWorld, sink *gatheringSink, trigger func()) {
	t.Helper()
	w = newMessageWorld(t, ServerOptions{})
	t.Cleanup(w.end)
	s, err := w.AddSender("s", SenderOptions{Events: []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	sink = &gatheringSink{began: time.Now()}
	w.handler.ClientConnected(carrier.Client{ID: 1, Codec: carrier.JSON, Hello: true, Window: 16, Signals: sink})
	w.clients++
	w.done(1, "add_listener", "%s", params)
	return w, sink, func() {
		t.Helper()
		if err := s.signals["x"].Trigger(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
}

// TestGatherLeavesTogether: of a thousand events a second, none is lost, and they leave in as many pieces as the listener wants. An event
// that comes alone leaves at once.
func TestGatherLeavesTogether(t *testing.T) {
	for _, c := range []struct{ gather, pieces int }{{0, 1000}, {50, 20}, {500, 2}} {
		t.Run(fmt.Sprint(c.gather), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, sink, trigger := gatherWorld(t, fmt.Sprintf(`{"sender":"s","event":"x","gather":%d}`, c.gather))
				time.Sleep(time.Hour)
				trigger()
				if events, pieces, waiting := sink.told(); events != 1 || pieces != 1 || waiting != 0 {
					t.Errorf("of an event that comes alone, %d leave in %d pieces, and %d wait", events, pieces, waiting)
				}
				for range 999 {
					time.Sleep(time.Millisecond)
					trigger()
					w.handler.SignalsAnswered(1, w.handler.client(1).outbox.flow.InFlight(), nil)
				}
				time.Sleep(time.Second)
				events, pieces, waiting := sink.told()
				if events != 1000 || waiting != 0 {
					t.Errorf("%d events left, and %d wait", events, waiting)
				}
				if pieces < c.pieces || pieces > c.pieces+1 {
					t.Errorf("they left in %d pieces, want %d", pieces, c.pieces)
				}
				for i := range sink.at[1:] {
					if gap := sink.at[i+1] - sink.at[i]; gap < time.Duration(c.gather)*time.Millisecond {
						t.Errorf("piece %d left %v after the one before", i+1, gap)
					}
				}
			})
		})
	}
}

// TestGatherHoldsUpNothingElse: what others hear of the same client takes along what was gathered; what waits for room, or is much, is not
// gathered.
func TestGatherHoldsUpNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, sink, trigger := gatherWorld(t, `{"sender":"s","event":"x","gather":500}`)
		other, err := w.AddSender("other", SenderOptions{Events: []string{"y"}})
		if err != nil {
			t.Fatal(err)
		}
		w.done(1, "add_listener", `{"sender":"other","event":"y"}`)
		trigger()
		trigger()
		if _, pieces, waiting := sink.told(); pieces != 1 || waiting != 1 {
			t.Errorf("%d pieces left and %d events wait, want 1 and 1", pieces, waiting)
		}
		if err := other.signals["y"].Trigger(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if _, pieces, waiting := sink.told(); pieces != 2 || waiting != 0 {
			t.Errorf("after an event for another listener, %d pieces left and %d events wait", pieces, waiting)
		}
		time.Sleep(time.Second)
		trigger()
		sink.pending = carrier.PendingLimit / 4
		trigger()
		trigger()
		if _, pieces, waiting := sink.told(); pieces != 5 || waiting != 0 { // the second alone did not know yet
			t.Errorf("while much is pending, %d pieces left and %d events wait", pieces, waiting)
		}
		sink.pending = 0
		time.Sleep(time.Second)
		for range 64 { // more than may be on their way
			trigger()
		}
		if events, _, waiting := sink.told(); waiting != 0 || events < 48 {
			t.Errorf("with a full window, %d events left and %d wait: the client cannot make room", events, waiting)
		}
	})
}

// TestGatherLeavesWithOthers: what was gathered and left with what others hear is timed from then on, and does not leave again: a client
// that is late with its answers is found to be.
func TestGatherLeavesWithOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, sink, trigger := gatherWorld(t, `{"sender":"s","event":"x","gather":400}`)
		other, err := w.AddSender("other", SenderOptions{Events: []string{"y"}})
		if err != nil {
			t.Fatal(err)
		}
		w.done(1, "add_listener", `{"sender":"other","event":"y"}`)
		trigger()
		w.handler.SignalsAnswered(1, 1, nil)
		time.Sleep(100 * time.Millisecond)
		trigger()
		if err := other.signals["y"].Trigger(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if _, pieces, waiting := sink.told(); pieces != 2 || waiting != 0 {
			t.Errorf("%d pieces left and %d events wait, want 2 and 0", pieces, waiting)
		}
		time.Sleep(350 * time.Millisecond) // when it would have left
		if !w.handler.client(1).outbox.flow.Late(300 * time.Millisecond) {
			t.Error("an answer that is 350 ms late is not late by 300 ms")
		}
	})
}

// TestGatherShorter: of two listeners of a client, each hears as soon as it wants.
func TestGatherShorter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, sink, trigger := gatherWorld(t, `{"sender":"s","event":"x","gather":400}`)
		other, err := w.AddSender("other", SenderOptions{Events: []string{"y"}})
		if err != nil {
			t.Fatal(err)
		}
		w.done(1, "add_listener", `{"sender":"other","event":"y","gather":100}`)
		began := time.Now()
		trigger()
		trigger()
		if err := other.signals["y"].Trigger(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		for {
			synctest.Wait()
			if _, _, waiting := sink.told(); waiting == 0 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		if took := time.Since(began); took != 100*time.Millisecond {
			t.Errorf("they left after %v", took)
		}
	})
}

// TestGatherEnds: what was gathered leaves before the answer that the listener is removed, and no timer outlives the client.
func TestGatherEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, sink, trigger := gatherWorld(t, `{"sender":"s","event":"x","gather":500}`)
		trigger()
		trigger()
		for id := range w.handler.client(1).listeners {
			w.done(1, "remove_listener", `{"listener_id":%d}`, id)
		}
		if _, pieces, waiting := sink.told(); pieces != 2 || waiting != 0 {
			t.Errorf("when the listener is removed, %d pieces left and %d events wait", pieces, waiting)
		}
		w.done(1, "add_listener", `{"sender":"s","event":"x","gather":500}`)
		time.Sleep(time.Second)
		trigger()
		trigger()
		o := &w.handler.client(1).outbox
		w.handler.ClientDisconnected(1, carrier.ErrClosed)
		w.tasks.Wait()
		if o.feed.gathered.timer.Stop() {
			t.Error("the timer outlives the client")
		}
	})
}

// TestGatherRefused: what cannot be is refused, and says what can.
func TestGatherRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, _ := gatherWorld(t, `{"sender":"s","event":"x","gather":null}`)
		for _, bad := range []string{`501`, `-1`, `"50"`, `1.5`, `18446744073709551615`} {
			r := w.tell(1, "add_listener", `{"sender":"s","event":"x","gather":%s}`, bad)
			synctest.Wait()
			if got := r.String(); !strings.Contains(got, "gather must be") {
				t.Errorf("%s: %s", bad, got)
			}
		}
	})
}
