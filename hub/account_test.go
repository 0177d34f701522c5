package hub

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"sighub/carrier"
	"sighub/hub/internal/fair"
)

// used returns what the client's account has given.
func (w *messageWorld) used(id carrier.ClientID) int64 { return w.handler.client(id).account.Used() }

// TestEverythingIsCharged: what a client makes the hub hold is charged to it, in about what it takes, until it is removed, and
// what is more than it may have is refused.
func TestEverythingIsCharged(t *testing.T) {
	long := strings.Repeat("x", 240)
	names := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"%d%s"`, i, long[:200])
		}
		return b.String()[1:]
	}
	for what, c := range map[string]struct {
		method, params string
		size           int64 // least
		undo, by       string
	}{
		"a sender":         {"add_sender", `{"sender":"` + long + `%d","events":["e"]}`, 1000, "remove_sender", `{"sender":"` + long + `%d"}`},
		"a sender's names": {"add_sender", `{"sender":"s%d","events":[` + names(100) + `],"requests":[` + names(100) + `]}`, 200 * 300, "remove_sender", `{"sender":"s%d"}`},
		"units":            {"add_sender", `{"sender":"s%d","events":["e"],"units":{"e":"` + long + `"}}`, 1000, "remove_sender", `{"sender":"s%d"}`},
		"a listener":       {"add_listener", `{"sender":"` + long + `%d","event":"` + long + `"}`, 1000, "remove_listener", `{"listener_id":%d}`},
		"a request":        {"request", `{"sender":"silent","method":"m%d","params":"` + long + `"}`, 1000, "", ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			const budget = 4 << 20
			w := newMessageWorld(t, ServerOptions{Memory: carrier.NewBudget(budget), MaxSenders: 1 << 20, MaxListeners: 1 << 20})
			defer w.end()
			w.done(w.connect(4, true), "add_sender", `{"sender":"silent","events":[],"requests":[null]}`)
			id := w.connect(1024, true)
			n, why := 0, ""
			for ; why == ""; n++ {
				before := w.used(id)
				r := w.tell(id, c.method, c.params, n+1)
				synctest.Wait()
				switch got := r.String(); {
				case got == "done" || got == "0 answers":
					if took := w.used(id) - before; took < c.size || took > 4*c.size {
						t.Fatalf("%s takes %d bytes", what, took)
					}
				case !strings.Contains(got, carrier.ErrLimit.Error()) || r.reply.Status != carrier.StatusLimit:
					t.Fatalf("%s is refused: %s", what, got)
				default:
					why = got
				}
			}
			if all := w.used(id); all > budget/4 || what != "a request" && all < budget/5 || all < budget/10 {
				t.Errorf("%d bytes are taken by %d times %s: %s", all, n, what, why)
			}
			other := w.connect(4, true) // another one may have the same
			r := w.tell(other, c.method, c.params, 1_000_000)
			synctest.Wait()
			if got := r.String(); got != "done" && got != "0 answers" {
				t.Errorf("%s of another client is refused: %s", what, got)
			}
			for i := range n - 1 {
				if c.undo != "" {
					w.done(id, c.undo, c.by, i+1)
				}
			}
			if c.undo == "" {
				time.Sleep(time.Minute)
			}
			if all := w.used(id); all != 0 {
				t.Errorf("%d bytes are taken when there is no %s any more", all, what)
			}
		})
	}
}

// TestEndedBeforeItWaits: a request that ends before anybody waits to send it is not waited for, and does not keep whom it has told.
func TestEndedBeforeItWaits(t *testing.T) {
	told := 0
	var asked weak.Pointer[[64]byte]
	f := func() *forwarded {
		held := new([64]byte)
		asked = weak.Make(held)
		return (&Sender{}).forwarded("m", carrier.Value{}, func(carrier.Reply, error) { told++; runtime.KeepAlive(held) })
	}()
	f.end(carrier.Reply{}, context.DeadlineExceeded)
	if runtime.GC(); asked.Value() != nil {
		t.Error("it keeps whom it has told")
	}
	f.mayWait()
	select {
	case <-f.over:
	default:
		t.Error("it is waited for")
	}
	if f.end(carrier.Reply{}, nil); told != 1 {
		t.Errorf("its end is told %d times", told)
	}
}

// TestRequestsEndWithTheirTime: nothing of a request that is not answered in time is left, in any of the places where it may be:
// behind others for which the client has no room, in the carrier that waits to transmit it, and at the client.
func TestRequestsEndWithTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const each = 8
		w := newMessageWorld(t, ServerOptions{})
		defer w.end()
		silent := w.connect(4, true) // one request at a time
		w.done(silent, "add_sender", `{"sender":"silent","events":[],"requests":[null]}`)
		asker := w.connect(64, true)
		gate := make(chan struct{})
		w.carrier.gate = gate
		replies, params, asked := make([]messageReply, each), make([]weak.Pointer[byte], each), make([]weak.Pointer[[64]byte], each)
		for i := range replies {
			text := fmt.Appendf(nil, `{"sender":"silent","method":"m","params":%q}`, strings.Repeat("p", 1000))
			params[i] = weak.Make(&text[0])
			m := &carrier.Message{Method: methodRequest, Params: carrier.RawValue(carrier.JSON, text)}
			held := new([64]byte) // what the carrier holds for the answer, such as the message's id
			asked[i] = weak.Make(held)
			w.handler.HandleMessage(asker, m, func(r carrier.Reply) { replies[i].respond(r); runtime.KeepAlive(held) })
		}
		synctest.Wait()
		if used := w.used(asker); used < each*1000 {
			t.Errorf("%d bytes are taken while they wait", used)
		}
		time.Sleep(w.opts.RequestTimeout)
		synctest.Wait()
		runtime.GC()
		for i := range replies {
			if got := replies[i].String(); !strings.Contains(got, "did not answer") {
				t.Errorf("a request is answered %q", got)
			}
			if params[i].Value() != nil {
				t.Errorf("something refers to the params of request %d still", i)
			}
			if asked[i].Value() != nil {
				t.Errorf("something refers to who asked request %d still", i)
			}
		}
		if used := w.used(asker); used != 0 {
			t.Errorf("%d bytes are taken still", used)
		}
		gate <- struct{}{} // the carrier has room now
		synctest.Wait()
		sent := w.carrier.take()
		if len(sent) != 1 || strings.Contains(sent[0].text, "ppp") {
			t.Errorf("what is out of time is sent: %.100v", sent)
		}
		for _, m := range sent {
			m.done(carrier.Failed(context.DeadlineExceeded), nil)
		}
		w.carrier.gate = nil
		r := w.tell(asker, "request", `{"sender":"silent","method":"m"}`)
		synctest.Wait()
		if sent := w.carrier.take(); len(sent) == 1 {
			sent[0].done(carrier.Done("is back"), nil)
		}
		if got := r.String(); got != "done" {
			t.Errorf("the next request is answered %q", got)
		}
	})
}

// TestRequestsOfOne: a client cannot make so many requests that others cannot ask the same sender.
func TestRequestsOfOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMessageWorld(t, ServerOptions{})
		defer w.end()
		w.done(w.connect(4, true), "add_sender", `{"sender":"slow","events":[],"requests":[null]}`)
		greedy, other := w.connect(4096, true), w.connect(4, true)
		refused := 0
		for range 2000 {
			r := w.tell(greedy, "request", `{"sender":"slow","method":"m"}`)
			synctest.Wait()
			if r.String() != "0 answers" {
				refused++
			}
		}
		if refused != 2000-maxPending {
			t.Errorf("%d requests are refused", refused)
		}
		r := w.tell(other, "request", `{"sender":"slow","method":"m"}`)
		synctest.Wait()
		if got := r.String(); got != "0 answers" {
			t.Errorf("the other's request is answered %q", got)
		}
		time.Sleep(time.Minute)
	})
}

// TestMessagesBehindASlowOne: messages that wait to be handled are charged, and a client that has as many as it may have is not
// read from until some are handled.
func TestMessagesBehindASlowOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const budget, size = 1 << 20, 10_000
		w := newMessageWorld(t, ServerOptions{Memory: carrier.NewBudget(budget)})
		defer w.end()
		id, _ := w.reporter("s")
		gate := make(chan struct{})
		if _, err := w.AddListener("s", "x", func(Event) { <-gate }); err != nil {
			t.Fatal(err)
		}
		const count = 100 // a megabyte
		read := 0
		replies := make([]*messageReply, count)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range replies {
				replies[i] = w.tell(id, "signal", `{"info":{"sender":"s","event":"x"},"data":%q}`, strings.Repeat("d", size))
				read = i + 1
			}
		}()
		synctest.Wait()
		if read < budget/4/size/2 || read > budget/4/size {
			t.Errorf("%d messages are read", read)
		}
		close(gate)
		<-done
		synctest.Wait()
		for i, r := range replies {
			if got := r.String(); got != "done" {
				t.Fatalf("message %d is answered %q", i, got)
			}
		}
		if b := w.handler.client(id).backlog.bytes; b != 0 {
			t.Errorf("%d bytes wait still", b)
		}
	})
}

// TestRoutesAreCharged: a client that listens to everything, in many ways, does not make the hub remember all that it has heard
// for each of them.
func TestRoutesAreCharged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const budget = 4 << 20
		w := newMessageWorld(t, ServerOptions{Memory: carrier.NewBudget(budget)})
		defer w.end()
		w.clients++
		sink := new(stuckSink)
		w.handler.ClientConnected(carrier.Client{ID: 1, Codec: carrier.JSON, Hello: true, Window: 16, Signals: sink})
		const listeners, events = 64, 300 // 19,200 routes, of more than 256 bytes each
		for range listeners {
			w.done(1, "add_listener", `{"sender":null,"event":null}`)
		}
		before := w.used(1)
		var names []string
		for i := range events {
			names = append(names, fmt.Sprint("event ", i))
		}
		s, err := w.AddSender("s", SenderOptions{Events: names})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			for _, name := range names {
				if err := s.signals[name].Trigger(t.Context(), 1); err != nil {
					t.Fatal(err)
				}
				sink.write()
				w.handler.SignalsAnswered(1, w.handler.client(1).outbox.flow.InFlight(), nil)
			}
		}
		routes := 0
		c := w.handler.client(1)
		for _, l := range c.listeners {
			routes += len(l.out.all)
		}
		if took := w.used(1) - before; took < int64(routes-2*listeners)*routeCost || w.used(1) > budget/4 {
			t.Errorf("%d routes take %d bytes", routes, took)
		}
		for id := range listeners {
			w.done(1, "remove_listener", `{"listener_id":%d}`, id+1)
		}
		if used := w.used(1); used != 0 {
			t.Errorf("%d bytes are taken when nobody listens", used)
		}
		sink.write()
	})
}

// TestRemovedSenderIsForgotten: a client that refers to signals of senders which it has removed keeps next to nothing of these.
func TestRemovedSenderIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMessageWorld(t, ServerOptions{})
		defer w.end()
		id, s := w.reporter("s")
		route := &carrier.Route{Sender: "s", Event: "x"}
		var answers orderedAnswers
		w.handler.HandleSignals(id, []carrier.Signal{{Route: route, Data: carrier.ValueOf(1)}}, &answers)
		w.done(id, "remove_sender", `{"sender":"s"}`)
		if s.signals != nil || s.events != nil {
			t.Error("its events are still there")
		}
		w.handler.HandleSignals(id, []carrier.Signal{{Route: route, Data: carrier.ValueOf(1)}}, &answers)
		w.done(id, "add_sender", `{"sender":"s","events":["x"]}`)
		w.handler.HandleSignals(id, []carrier.Signal{{Route: route, Data: carrier.ValueOf(1)}}, &answers)
		synctest.Wait()
		if got := answers.String(); got != "done failed done" {
			t.Errorf("the answers are %s", got)
		}
	})
}

// TestAnnouncementsAreCharged: senders with many long names that come and go are not more than a client may make the hub hold
// that hears of them and does not read.
func TestAnnouncementsAreCharged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const budget = 4 << 20
		w := newMessageWorld(t, ServerOptions{Memory: carrier.NewBudget(budget)})
		defer w.end()
		deaf := w.connect(1, true)
		w.done(deaf, "add_listener", `{"sender":null,"event":null}`)
		var events []string
		for i := range 100 {
			events = append(events, fmt.Sprint(i, strings.Repeat("e", 100)))
		}
		for i := range 100 {
			addTo(t, w.Router, fmt.Sprint("s", i%10), events).Remove()
		}
		o := &w.handler.client(deaf).outbox
		if n := o.queue.len(); n < 10 || n > budget/4/(2*100*100) || w.used(deaf) > budget/4 {
			t.Errorf("%d announcements wait, and take %d bytes", n, w.used(deaf))
		}
	})
}

func addTo(t *testing.T, r *Router, name string, events []string) *Sender {
	t.Helper()
	s, err := r.AddSender(name, SenderOptions{Events: events})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestRegisteringIsSpaced: who registers all the time takes a part of the time only, with all others that do; events do not wait
// for it.
func TestRegisteringIsSpaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients, rounds, work = 5, 40, time.Millisecond
		w := newMessageWorld(t, ServerOptions{})
		defer w.end()
		reporter, _ := w.reporter("s")
		if _, err := w.AddListener("", "", func(ev Event) {
			if ev.Name != "x" {
				time.Sleep(work)
			}
		}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		var replies []*messageReply
		for i := range clients {
			id := w.connect(2*rounds, true)
			for range rounds / 2 {
				replies = append(replies, w.tell(id, "add_sender", `{"sender":"s%d","events":[]}`, i),
					w.tell(id, "remove_sender", `{"sender":"s%d"}`, i))
			}
		}
		r := w.tell(reporter, "signal", `{"info":{"sender":"s","event":"x"},"data":1}`)
		synctest.Wait()
		if got := r.String(); got != "done" {
			t.Errorf("the event is answered %q", got)
		}
		for _, r := range replies {
			for r.String() == "0 answers" {
				time.Sleep(time.Millisecond)
			}
			if got := r.String(); got != "done" {
				t.Error(got)
			}
		}
		if took, least := time.Since(began), 2*clients*rounds*work-2*fair.Burst; took < least-least/10 || took > 2*least {
			t.Errorf("registering took %s, want %s", took, least)
		}
	})
}

// TestEqualListenersAreFew: a client cannot make the delivery of an event as long as it likes. Others may listen to the same.
func TestEqualListenersAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMessageWorld(t, ServerOptions{})
		defer w.end()
		id, other := w.connect(4, true), w.connect(4, true)
		for _, params := range []string{`{"sender":"s","event":"e"}`, `{"sender":"s"}`, `{"event":"#e"}`, `{}`} {
			for range maxEqual {
				w.done(id, "add_listener", "%s", params)
			}
			r := w.tell(id, "add_listener", "%s", params)
			synctest.Wait()
			if r.reply.Status != carrier.StatusLimit {
				t.Errorf("one more: %s", r)
			}
			w.done(other, "add_listener", "%s", params)
		}
		w.done(id, "remove_listener", `{"listener_id":1}`)
		w.done(id, "add_listener", `{"sender":"s","event":"e"}`)
	})
}
