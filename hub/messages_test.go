package hub

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
)

// TestSignalBehindASlowOne: a signal that waits behind one for a slow listener happened when it arrived, is answered once,
// and reaches who listens after the one before it. What adds and removes senders keeps its place as well.
func TestSignalBehindASlowOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMessageWorld(t, ServerOptions{Outbox: OutboxOptions{Limit: 2, Deadline: time.Second}})
		defer w.end()
		id, sender := w.reporter("s")
		w.stuck(sender, "x")
		var heard []string
		start := time.Now()
		if _, err := w.AddListener("s", "", func(ev Event) {
			heard = append(heard, fmt.Sprint(ev.Name, ev.Data, " at ", ev.Time.Sub(start)))
		}); err != nil {
			t.Fatal(err)
		}
		var replies []*messageReply
		for i := range 3 {
			replies = append(replies, w.tell(id, "signal", `{"info":{"sender":"s","event":"%s"},"data":%d}`, []string{"x", "y", "x"}[i], i))
			synctest.Wait()
			time.Sleep(time.Millisecond)
		}
		replies = append(replies,
			w.tell(id, "remove_sender", `{"sender":"s"}`), w.tell(id, "add_sender", `{"sender":"s","events":["x"]}`),
			w.tell(id, "signal", `{"info":{"sender":"s","event":"x","time":"1970-01-01T00:00:00Z"},"data":3}`))
		asked := w.tell(id, "get_version", `{}`)
		synctest.Wait()
		for i, r := range replies {
			if got := r.String(); got != "0 answers" {
				t.Errorf("message %d, while a listener is slow: %s", i, got)
			}
		}
		if got := asked.String(); got != "done" {
			t.Errorf("a request, while a listener is slow: %s", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for i, r := range replies {
			if got := r.String(); got != "done" {
				t.Errorf("message %d: %s", i, got)
			}
		}
		want := []string{
			"x0 at 0s", "y1 at 1ms", "x2 at 2ms", "#disconnect", "#connect",
			fmt.Sprint("x3 at ", time.Unix(0, 0).Sub(start)),
		}
		if !slices.EqualFunc(heard, want, strings.HasPrefix) {
			t.Errorf("heard %q, want %q", heard, want)
		}
	})
}

// TestShutdownIsNotRefused: while the hub shuts down, a signal of a sender that is gone for it stays unanswered, so that a
// device keeps its reading. An unanswered message says nothing about others; in a stream, where answers go by their
// order, nothing can be answered any more.
func TestShutdownIsNotRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMessageWorld(t, ServerOptions{})
		defer w.end()
		id, _ := w.reporter("s")
		w.shutDown()
		unanswered := w.tell(id, "signal", `{"info":{"sender":"s","event":"x"},"data":1}`)
		refused := w.tell(id, "signal", `{"info":{"sender":"s","event":"nothing"},"data":1}`)
		again := w.tell(id, "signal", `{"info":{"sender":"s","event":"y"},"data":1}`)
		synctest.Wait()
		if got := fmt.Sprint(unanswered, ", ", again); got != "0 answers, 0 answers" {
			t.Errorf("signals while the hub shuts down: %s", got)
		}
		if got := refused.String(); !strings.Contains(got, ErrNoEvent.Error()) {
			t.Errorf("a signal that does not exist: %s", got)
		}

		var answers orderedAnswers
		x, nothing := &carrier.Route{Sender: "s", Event: "x"}, &carrier.Route{Sender: "s", Event: "nothing"}
		w.handler.HandleSignals(id, []carrier.Signal{{Route: nothing}, {Route: x}, {Route: nothing}}, &answers)
		w.handler.HandleSignals(id, []carrier.Signal{{Route: nothing}}, &answers)
		synctest.Wait()
		if got := answers.String(); got != "failed" {
			t.Errorf("a stream is answered %q, want the first signal alone", got)
		}
	})
}

// orderedAnswers notes what becomes of signals, in their order.
type orderedAnswers struct {
	mu   sync.Mutex
	list []string
}

func (a *orderedAnswers) Done(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for range n {
		a.list = append(a.list, "done")
	}
	if n < 0 {
		a.list = append(a.list, fmt.Sprint("done ", n))
	}
}

func (a *orderedAnswers) Fail(carrier.Reply) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(a.list, "failed")
}

func (a *orderedAnswers) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(a.list, " ")
}

// TestCallbackAddedMeanwhile: a callback that is added while a client's signals are delivered on the goroutine that reads
// them is not called there, because it may ask that client; also if a message to another listener has copied the data.
func TestCallbackAddedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMessageWorld(t, ServerOptions{})
		defer w.end()
		_, sender := w.reporter("s")
		hearer := w.connect(16, true)
		w.done(hearer, "add_listener", `{"sender":"s","event":"x"}`)
		called := false
		if _, err := w.AddListener("s", "x", func(Event) { called = true }); err != nil {
			t.Fatal(err)
		}
		f := w.newFanout()
		defer f.finish(true)
		raw := []byte("5")
		d := delivery{
			event:  Event{Sender: "s", Name: "x", Time: time.Now(), Data: carrier.RawValue(carrier.JSON, raw)},
			signal: sender.signals["x"], borrowed: true, fanout: f,
		}
		if err := sender.topic.trigger(t.Context(), &d); err != nil {
			t.Fatal(err)
		}
		raw[0] = '6' // it is the carrier's again
		synctest.Wait()
		if called {
			t.Error("the callback was called on the goroutine that reads")
		}
		if sent := w.carrier.take(); len(sent) != 1 || !strings.Contains(sent[0].text, `"data":5`) {
			t.Errorf("the other listener is sent %+v", sent)
		}
	})
}

// TestFlushedWaitsForGaps: an outbox whose event is too large to be sent is not done before the gap has been told.
func TestFlushedWaitsForGaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMessageWorld(t, ServerOptions{})
		defer w.end()
		hearer := w.connect(16, true)
		w.done(hearer, "add_listener", `{"sender":"s","event":"x"}`)
		own, err := w.AddSender("s", SenderOptions{Events: []string{"x"}})
		if err != nil {
			t.Fatal(err)
		}
		x, err := own.Signal("x")
		if err != nil {
			t.Fatal(err)
		}
		w.carrier.gate = make(chan struct{})
		w.carrier.err = carrier.ErrTooLarge
		if err := x.Trigger(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		flushed := w.handler.client(hearer).outbox.flushed()
		w.carrier.gate <- struct{}{}
		synctest.Wait()
		select {
		case <-flushed:
			t.Error("the outbox is done, and the gap is not told")
		default:
		}
		w.carrier.mu.Lock()
		w.carrier.err = nil
		w.carrier.mu.Unlock()
		w.carrier.gate <- struct{}{}
		synctest.Wait()
		sent := w.carrier.take()
		if len(sent) != 1 || !strings.Contains(sent[0].text, `"#gap"`) {
			t.Fatalf("the listener is sent %+v", sent)
		}
		sent[0].done(carrier.Done(nil), nil)
		<-flushed
		if n := w.handler.client(hearer).outbox.flow.InFlight(); n != 0 {
			t.Errorf("%d events are in flight", n)
		}
	})
}

// TestRemovedWhileEventsWait: what waits for a listener that is removed is not sent, and nobody else's event with it.
func TestRemovedWhileEventsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMessageWorld(t, ServerOptions{})
		defer w.end()
		id := w.connect(1, true)
		w.done(id, "add_listener", `{"sender":"s","event":"x"}`)
		w.done(id, "add_listener", `{"sender":"s","event":"y"}`)
		s, err := w.AddSender("s", SenderOptions{Events: []string{"x", "y"}})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			if err := s.signals[[]string{"x", "y"}[i%2]].Trigger(t.Context(), i); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		w.done(id, "remove_listener", `{"listener_id":1}`)
		var got []string
		for {
			sent := w.carrier.take()
			if len(sent) == 0 {
				break
			}
			got = append(got, sent[0].text[strings.Index(sent[0].text, `"data"`):])
			sent[0].done(carrier.Done(nil), nil)
			synctest.Wait()
		}
		if want := []string{`"data":0}`, `"data":1}`, `"data":3}`}; !slices.Equal(got, want) { // the first was on its way
			t.Errorf("%q are sent, want %q", got, want)
		}
	})
}

// TestReopened: a client that is to be disconnected and cannot be loses its listeners, and what waited for them; with the
// next listener it begins anew.
func TestReopened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMessageWorld(t, ServerOptions{Outbox: OutboxOptions{Limit: 4}})
		defer w.end()
		id := w.connect(1, true)
		w.done(id, "add_listener", `{"sender":"s","event":"x","policy":"disconnect"}`)
		s, err := w.AddSender("s", SenderOptions{Events: []string{"x"}})
		if err != nil {
			t.Fatal(err)
		}
		trigger := func(n int) {
			t.Helper()
			if err := s.signals["x"].Trigger(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		for i := range 10 { // one is sent, four wait, and the next is too many
			trigger(i)
		}
		o := &w.handler.client(id).outbox
		if o.state != following || o.queue.len() != 0 || o.account().Used() != 0 {
			t.Errorf("the state is %d, %d events wait and %d bytes are held", o.state, o.queue.len(), o.account().Used())
		}
		w.done(id, "add_listener", `{"sender":"s","event":"x"}`)
		trigger(10)
		for _, want := range []string{`"data":0`, `"data":10`} {
			sent := w.carrier.take()
			if len(sent) != 1 || !strings.Contains(sent[0].text, want) {
				t.Fatalf("the client is sent %+v, want %s", sent, want)
			}
			sent[0].done(carrier.Done(nil), nil)
			synctest.Wait()
		}
	})
}

// TestLateAnswer: a request whose time is over is answered once, though its client answers later, and takes no place from
// those that come after it: neither one that was sent, nor one that still waited for a place.
func TestLateAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMessageWorld(t, ServerOptions{RequestTimeout: time.Second})
		defer w.end()
		owner, asker := w.connect(4, true), w.connect(16, true) // one place is for requests
		w.done(owner, "add_sender", `{"sender":"s","events":[],"requests":[null]}`)
		ask := func(method string) *messageReply {
			r := w.tell(asker, "request", `{"sender":"s","method":%q}`, method)
			synctest.Wait()
			return r
		}
		sent, waits := ask("sent"), ask("waits")
		time.Sleep(time.Second)
		synctest.Wait()
		for _, r := range []*messageReply{sent, waits} {
			if got := r.String(); !strings.HasSuffix(got, context.DeadlineExceeded.Error()) {
				t.Errorf("a request whose time is over: %s", got)
			}
		}
		next := ask("next")
		for _, method := range []string{"sent", "next"} {
			m := w.carrier.take()
			if len(m) != 1 || !strings.Contains(m[0].text, method) {
				t.Fatalf("the client is asked %+v, want %s", m, method)
			}
			m[0].done(carrier.Done(nil), nil)
			synctest.Wait()
		}
		if got := next.String(); got != "done" {
			t.Errorf("the next request: %s", got)
		}
		for _, r := range []*messageReply{sent, waits} {
			if got := r.String(); !strings.HasSuffix(got, context.DeadlineExceeded.Error()) {
				t.Errorf("a request whose answer was late: %s", got)
			}
		}
	})
}

// TestGoneWhileSignalsWait: what a client has reported before it goes is heard before its senders are disconnected, also
// what waits behind a slow listener; nobody is waited for any more.
func TestGoneWhileSignalsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMessageWorld(t, ServerOptions{Outbox: OutboxOptions{Limit: 2, Deadline: time.Second}})
		defer w.end()
		id, sender := w.reporter("s")
		w.stuck(sender, "x")
		var heard []string
		gate := make(chan struct{})
		if _, err := w.AddListener("s", "", func(ev Event) {
			if heard = append(heard, ev.Name); ev.Name == "y" {
				<-gate
			}
		}); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		var replies []*messageReply
		for _, event := range []string{"x", "y", "x"} {
			replies = append(replies, w.tell(id, "signal", `{"info":{"sender":"s","event":%q},"data":1}`, event))
			synctest.Wait()
		}
		w.handler.ClientDisconnected(id, carrier.ErrUnplugged)
		synctest.Wait()
		close(gate)
		synctest.Wait()
		if got := strings.Join(heard, " "); got != "x y x #disconnect" || time.Since(start) != 0 {
			t.Errorf("heard %s after %s", got, time.Since(start))
		}
		if got := fmt.Sprint(replies); got != "[done done done]" { // it may hear of them when it is back
			t.Errorf("the answers are %s", got)
		}
	})
}
