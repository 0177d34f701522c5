package hub

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/hub/internal/fair"
	"sighub/hub/internal/flow"
)

// narrow returns an outbox that is full if it holds a byte.
func narrow() *outbox {
	return &outbox{
		client: new(client), OutboxOptions: &OutboxOptions{Limit: 1, Bytes: 1}, deadline: time.Second,
		waiting: fair.Waiting{Place: new(fair.Place)},
	}
}

// set sets how many bytes it holds, and lets go who waits if there is room.
func (o *outbox) set(bytes int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bytes = bytes
	o.makeRoom()
}

// TestFullAgain: a sender that waited for one client waits for another for a deadline, and no longer, if that had room meanwhile and is
// full again.
func TestFullAgain(t *testing.T) {
	for _, before := range []bool{false, true} { // another sender waited for it before
		synctest.Test(t, func(t *testing.T) {
			first, second := narrow(), narrow()
			first.bytes = 1
			if before {
				second.waiting.Hold(time.Now(), time.Second)
				second.waiting.Release(time.Now())
			}
			waited := make(chan struct{})
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			began := time.Now()
			go func() {
				defer close(waited)
				waitForRoom(ctx, []slowListener{{first, time.Second}, {second, time.Second}})
			}()
			time.Sleep(time.Second / 2)
			second.set(1)
			first.set(0)
			<-waited
			if took := time.Since(began); took != 3*time.Second/2 || second.state != lagging {
				t.Errorf("a sender waited for %s, and the client is lagging: %v", took, second.state == lagging)
			}
		})
	}
}

// TestNobodyWaits: the patience with a client that stands still is not used up while nobody waits for it.
func TestNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := narrow()
		o.bytes = 1
		for _, most := range []time.Duration{time.Second / 4, time.Second / 2} { // two senders, that give up
			ctx, cancel := context.WithTimeout(t.Context(), most)
			defer cancel()
			go waitForRoom(ctx, []slowListener{{o, time.Second}})
		}
		time.Sleep(time.Hour)
		o.set(0)
		o.mu.Lock()
		defer o.mu.Unlock()
		if left := o.waiting.Left(time.Now(), time.Second); left != time.Second/2 {
			t.Errorf("of a second, %s is left", left)
		}
	})
}

// A quickSink is a stream from which everything is written at once, and keeps nothing.
type quickSink struct {
	stuckSink
	put int // signals
}

func (s *quickSink) Put(*carrier.OutRoute, *carrier.PackedSignal) (int, error) {
	s.put++
	return 0, nil
}

// hears connects a client that takes so many events at a time, has equal listeners and answers when the test says so.
func (w *messageWorld) hears(window, listeners int) (s *Signal, o *outbox, sink *quickSink) {
	w.t.Helper()
	sink = &quickSink{stuckSink: stuckSink{window: window}}
	w.clients++
	w.handler.ClientConnected(carrier.Client{ID: w.clients, Codec: carrier.JSON, Hello: true, Window: 16, Signals: sink})
	for range listeners {
		w.done(w.clients, "add_listener", `{"sender":"s","event":"x"}`)
	}
	sender, err := w.AddSender("s", SenderOptions{Events: []string{"x"}})
	if err != nil {
		w.t.Fatal(err)
	}
	return sender.signals["x"], &w.handler.client(w.clients).outbox, sink
}

// hoard has others of a client's place take memory until senders should wait for the client.
func (w *messageWorld) hoard(o *outbox) (giveBack func()) {
	var others []*carrier.Account
	for !o.tight() {
		a := w.opts.Memory.Open(o.account().Place())
		others = append(others, a)
		for !o.tight() {
			if a.Take(100) != nil {
				break
			}
		}
	}
	return func() {
		for _, a := range others {
			a.Close()
		}
	}
}

// timed triggers an event and returns how long that took.
func timed(t *testing.T, signal *Signal) time.Duration {
	t.Helper()
	began := time.Now()
	if err := signal.Trigger(t.Context(), "x"); err != nil {
		t.Error(err)
	}
	return time.Since(began)
}

// TestMemoryComesBack: senders that wait because memory is short go on soon when others have given it back, though the client takes
// nothing meanwhile.
func TestMemoryComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMessageWorld(t, ServerOptions{Memory: carrier.NewBudget(4 << 20)})
		defer w.end()
		signal, o, _ := w.hears(1, 1)
		trigger := func() time.Duration { return timed(t, signal) }
		trigger()
		trigger() // waits in the outbox
		time.AfterFunc(time.Second, w.hoard(o))
		if took := trigger(); took < time.Second || took > time.Second+recheck {
			t.Errorf("a sender waits for %s", took)
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.waiting.Holding() || o.state != following {
			t.Error("senders wait for the client still, or no more at all")
		}
	})
}

// TestMemoryIsShortForTheDeaf: where others have taken the memory, senders wait for a client that answers, and not for one that does not.
func TestMemoryIsShortForTheDeaf(t *testing.T) {
	for _, deaf := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newMessageWorld(t, ServerOptions{Memory: carrier.NewBudget(4 << 20)})
			defer w.end()
			signal, o, _ := w.hears(4, 1)
			trigger := func() time.Duration { return timed(t, signal) }
			for range 5 { // one of which waits in the outbox
				trigger()
			}
			giveBack := w.hoard(o)
			defer giveBack()
			if deaf {
				time.Sleep(2 * flow.Delay)
			}
			if took := trigger(); (took == 0) != deaf || took > 2*flow.Delay {
				t.Errorf("deaf: %v, a sender waits for %s", deaf, took)
			}
		})
	}
}

// TestLaggingSlowsNobody: a sender does not turn to waiting for a client that is lagging, however little memory is left.
func TestLaggingSlowsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, state := range []outboxState{following, lagging} {
			w := newMessageWorld(t, ServerOptions{Memory: carrier.NewBudget(4 << 20)})
			signal, o, _ := w.hears(1, 1)
			for range 2 { // one of which waits in the outbox
				if err := signal.Trigger(t.Context(), "x"); err != nil {
					t.Fatal(err)
				}
			}
			giveBack := w.hoard(o)
			o.mu.Lock()
			o.state = state
			d := delivery{signal: signal, fanout: new(fanout)}
			d.event = o.queue.first().event
			if slow := o.enqueue(o.queue.first().listener, &d); slow != (state == following) {
				t.Errorf("lagging: %v, the sender slows down: %v", state == lagging, slow)
			}
			o.mu.Unlock()
			giveBack()
			w.end()
		}
	})
}

// TestAnswersInPortions: a client that takes more than 10,000 events a second is not slow, also if it answers so many at a time that most
// events need not wait in its outbox. It is not faster because it has several listeners.
func TestAnswersInPortions(t *testing.T) {
	for _, c := range []struct {
		each      time.Duration // for an event
		listeners int
		fast      bool
	}{{90 * time.Microsecond, 1, true}, {90 * time.Microsecond, 3, true}, {250 * time.Microsecond, 3, false}} {
		synctest.Test(t, func(t *testing.T) {
			const events, portion, deadline = 60_000, 12, time.Second // of events
			w := newMessageWorld(t, ServerOptions{Outbox: OutboxOptions{Limit: 4 * c.listeners, Deadline: deadline}})
			defer w.end()
			signal, o, sink := w.hears(portion*c.listeners, c.listeners)
			ended, answers := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(answers)
				for {
					select {
					case <-time.After(portion * c.each):
					case <-ended:
						return
					}
					o.mu.Lock()
					n := o.flow.InFlight()
					o.mu.Unlock()
					w.handler.SignalsAnswered(1, n, nil)
				}
			}()
			began := time.Now()
			for i := range events {
				if err := signal.Trigger(t.Context(), i); err != nil {
					t.Fatal(err)
				}
			}
			if took := time.Since(began); took < 3*deadline && c.fast {
				t.Errorf("the sender needed %s only: the test proves nothing", took)
			}
			<-o.flushed()
			close(ended)
			<-answers
			if all := sink.put == events*c.listeners; all != c.fast {
				t.Errorf("with %d listeners and %s for an event, %d of %d were heard", c.listeners, c.each, sink.put, events*c.listeners)
			}
		})
	}
}
