package hub

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
)

// TestSignalsForCallbacks: signals that a local callback is to hear leave the goroutine that reads them, with data of their
// own, and are answered one by one in their order. What they take is given back.
func TestSignalsForCallbacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMessageWorld(t, ServerOptions{})
		defer w.end()
		id, _ := w.reporter("s")
		start, gate, entered := time.Now(), make(chan struct{}), 0
		var heard []string
		if _, err := w.AddListener("s", "x", func(ev Event) {
			if entered++; !ev.Time.Equal(start) {
				t.Errorf("%s happened at %s, though it arrived at %s", ev.Data, ev.Time, start)
			}
			<-gate
			heard = append(heard, ev.Data.String())
		}); err != nil {
			t.Fatal(err)
		}
		x, nothing := &carrier.Route{Sender: "s", Event: "x"}, &carrier.Route{Sender: "s", Event: "nothing"}
		data := []byte("1234")
		var list []carrier.Signal
		for i, route := range []*carrier.Route{x, x, nothing, x} {
			list = append(list, carrier.Signal{Route: route, Data: carrier.RawValue(carrier.JSON, data[i:i+1])})
		}
		var answers orderedAnswers
		w.handler.HandleSignals(id, list, &answers)
		copy(data, "xxxx") // they are the carrier's again
		clear(list)
		synctest.Wait()
		b := &w.handler.client(id).backlog
		if entered != 1 || b.bytes == 0 {
			t.Errorf("the callback is called %d times, and %d bytes are queued", entered, b.bytes)
		}
		for _, want := range []string{"done", "done done failed", "done done failed done"} {
			time.Sleep(time.Second)
			gate <- struct{}{}
			synctest.Wait()
			if got := answers.String(); got != want {
				t.Errorf("the answers are %q, want %q", got, want)
			}
		}
		if got := strings.Join(heard, ""); got != "124" {
			t.Errorf("heard %s", got)
		}
		if b.bytes != 0 {
			t.Errorf("%d bytes are queued", b.bytes)
		}
	})
}

// TestSlowForWhatOthersTrigger: an event that is triggered while another one is delivered is delivered with that; whoever
// delivers it waits for the listener that has no room for it.
func TestSlowForWhatOthersTrigger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMessageWorld(t, ServerOptions{Outbox: OutboxOptions{Limit: 2, Deadline: time.Second}})
		defer w.end()
		s, err := w.AddSender("s", SenderOptions{Events: []string{"x", "y"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.AddListener("s", "x", func(Event) {
			if err := s.signals["y"].Trigger(t.Context(), 1); err != nil {
				t.Error(err)
			}
		}); err != nil {
			t.Fatal(err)
		}
		w.stuck(s, "y")
		start := time.Now()
		for range 2 {
			if err := s.signals["x"].Trigger(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took != time.Second {
				t.Errorf("whoever triggered it went on after %s", took)
			}
		}
	})
}

// hookedAnswers calls a function when a signal is refused.
type hookedAnswers struct {
	orderedAnswers
	hook func()
}

func (a *hookedAnswers) Fail(r carrier.Reply) {
	a.orderedAnswers.Fail(r)
	a.hook()
}

// TestCallbackHearsTheRest: a callback that is added while a client's signals are delivered hears those that come after it,
// elsewhere than where they are read; and they are answered in their order.
func TestCallbackHearsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMessageWorld(t, ServerOptions{})
		defer w.end()
		id, _ := w.reporter("s")
		var heard []string
		gate := make(chan struct{})
		answers := hookedAnswers{hook: func() {
			if _, err := w.AddListener("s", "x", func(ev Event) {
				<-gate
				heard = append(heard, ev.Data.String())
			}); err != nil {
				t.Error(err)
			}
		}}
		var list []carrier.Signal
		for i, event := range []string{"x", "nothing", "x", "x"} {
			data := carrier.RawValue(carrier.JSON, fmt.Append(nil, i))
			list = append(list, carrier.Signal{Route: &carrier.Route{Sender: "s", Event: event}, Data: data})
		}
		w.handler.HandleSignals(id, list, &answers) // it returns, though callbacks do not
		close(gate)
		synctest.Wait()
		if got := fmt.Sprint(heard, " ", answers.String()); got != "[2 3] done failed done done" {
			t.Errorf("heard, and the answers: %s", got)
		}
	})
}

// TestSignalsBehindAMessage: signals wait for the messages that came before them.
func TestSignalsBehindAMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		w := newMessageWorld(t, ServerOptions{Methods: map[string]Method{
			"block": func(context.Context, carrier.Value) (any, error) { <-gate; return nil, nil },
		}})
		defer w.end()
		id := w.connect(16, true)
		w.tell(id, "block", "null")
		added := w.tell(id, "add_sender", `{"sender":"s","events":["x"]}`)
		var answers orderedAnswers
		route := &carrier.Route{Sender: "s", Event: "x"}
		w.handler.HandleSignals(id, []carrier.Signal{{Route: route, Data: carrier.ValueOf(1)}}, &answers)
		synctest.Wait()
		if got := added.String() + answers.String(); got != "0 answers" {
			t.Errorf("a sender is added before its turn: %s", got)
		}
		close(gate)
		synctest.Wait()
		if got := added.String() + ", " + answers.String(); got != "done, done" {
			t.Errorf("the answers are %s", got)
		}
	})
}

// TestReaderIsReleased: the goroutine that reads a client waits for room no longer than the client is there.
func TestReaderIsReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		const size = 1 << 20
		s := backlog{account: carrier.NewBudget(size).Open("here")}
		s.enter(ctx, size)
		released := make(chan struct{})
		go func() {
			s.enter(ctx, size)
			close(released)
		}()
		synctest.Wait()
		select {
		case <-released:
			t.Error("there is no room, and it does not wait")
		default:
		}
		cancel()
		<-released
		s.leave(size)
		s.leave(size)
		if s.bytes != 0 || s.account.Used() != 0 {
			t.Errorf("%d bytes are queued, %d taken", s.bytes, s.account.Used())
		}
	})
}

// togetherAnswers counts the calls that tell that signals are done.
type togetherAnswers struct {
	orderedAnswers
	calls atomic.Int64
}

func (a *togetherAnswers) Done(n int) {
	if n > 0 {
		a.calls.Add(1)
	}
	a.orderedAnswers.Done(n)
}

// TestAnsweredTogether: signals that had to wait for a slow listener before them, and have nothing to wait for themselves, are answered
// together: to write each answer alone would take longer than to deliver what it answers.
func TestAnsweredTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMessageWorld(t, ServerOptions{Outbox: OutboxOptions{Limit: 1, Deadline: time.Second}})
		defer w.end()
		id, s := w.reporter("s")
		w.stuck(s, "x")
		signals := func(n int, event string) (list []carrier.Signal) {
			for range n {
				list = append(list, carrier.Signal{Route: &carrier.Route{Sender: "s", Event: event}, Data: carrier.ValueOf(1)})
			}
			return list
		}
		var slow, others togetherAnswers
		w.handler.HandleSignals(id, signals(1, "x"), &slow)
		w.handler.HandleSignals(id, signals(100, "y"), &others)
		synctest.Wait()
		if n := slow.calls.Load() + others.calls.Load(); n != 0 {
			t.Errorf("%d answers are given before there is room", n)
		}
		time.Sleep(2 * time.Second)
		if slow, others := slow.calls.Load(), others.calls.Load(); slow != 1 || others != 1 {
			t.Errorf("what is slow is answered %d times, and what waits behind it %d times, want 1 and 1", slow, others)
		}
	})
}
