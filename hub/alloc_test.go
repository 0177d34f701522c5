//go:build !race && !lockrank

// The race detector makes sync.Pool forget at random, and the check of locks allocates: allocations are counted without.

package hub

import (
	"context"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/hub/verb"
)

// A countingSink takes every signal at once and keeps nothing of it.
type countingSink struct {
	put    int
	routes carrier.Routes
	bytes  []byte
}

func (s *countingSink) Window() int           { return 1 << 30 }
func (s *countingSink) Account(*atomic.Int64) {}
func (s *countingSink) Pending() int          { return 0 }
func (s *countingSink) Submit()               {}
func (s *countingSink) Flush(bool)            {}
func (s *countingSink) Put(r *carrier.OutRoute, p *carrier.PackedSignal) (int, error) {
	s.put++
	s.bytes = p.AppendTo(s.bytes[:0], &s.routes, r)
	return 0, nil
}

// answers counts what is answered, and how.
type countedAnswers struct{ done, failed int }

func (a *countedAnswers) Done(n int)         { a.done += n }
func (a *countedAnswers) Fail(carrier.Reply) { a.failed++ }

// TestFastPathAllocatesNothing holds the promise of the fast path: an event of a local sender, and a batch of a client's
// signals, reach local callbacks and remote listeners without an allocation, and so do answers to them; also while a policy is in
// force.
func TestFastPathAllocatesNothing(t *testing.T) {
	t.Run("without a policy", func(t *testing.T) { testFastPath(t, nil) })
	t.Run("with a policy", func(t *testing.T) {
		testFastPath(t, fakePolicy(append(all("ann"), grant{"bob", verb.Request, "x", "x"})))
	})
}

func testFastPath(t *testing.T, policy AccessPolicy) {
	const listeners, batch, runs = 10, 64, 100
	s := NewServerRouter(ServerOptions{})
	s.SetPolicy(policy)
	var tasks sync.WaitGroup
	d := &carrierHandler{server: s, serving: context.Background(), tasks: &tasks, clients: make(map[carrier.ClientID]*client)}
	sinks := make([]*countingSink, listeners)
	for i := range sinks {
		sinks[i] = new(countingSink)
		id := carrier.ClientID(i + 1)
		d.ClientConnected(carrier.Client{ID: id, Codec: carrier.CBOR, Hello: true, Window: 100, Signals: sinks[i], Identity: "ann"})
		c := d.client(id)
		l := &Listener{sender: "light", event: "lux", router: s.Router, client: c, policy: Block}
		if err := s.listen(l, false); err != nil {
			t.Fatal(err)
		}
	}
	deaf := new(countingSink)
	if policy != nil { // it hears nothing, which costs nothing
		d.ClientConnected(carrier.Client{ID: 99, Codec: carrier.CBOR, Hello: true, Window: 100, Signals: deaf, Identity: "bob"})
		if err := s.listen(&Listener{router: s.Router, client: d.client(99), policy: Block}, false); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if deaf.put > 0 {
				t.Errorf("%d signals are put that are denied", deaf.put)
			}
		}()
	}
	zero := func(what string, f func()) {
		t.Helper()
		f() // routes are told, buffers grow
		if n := testing.AllocsPerRun(runs, f); n > 0 {
			t.Errorf("%s allocates %v times", what, n)
		}
	}

	// A client reports.
	d.ClientConnected(carrier.Client{ID: 100, Codec: carrier.CBOR, Hello: true, Window: 100, Signals: new(countingSink), Identity: "ann"})
	sender, err := newSender("light", SenderOptions{Events: []string{"lux"}})
	if err != nil {
		t.Fatal(err)
	}
	c := d.client(100)
	sender.owner, sender.given = c, "light"
	if err := s.connect(sender); err != nil {
		t.Fatal(err)
	}
	c.senders = map[string]*Sender{"light": sender}
	now := time.Now().UnixNano()
	signals, answers := make([]carrier.Signal, batch), new(countedAnswers)
	route := &carrier.Route{Sender: "light", Event: "lux"}
	for i := range signals {
		signals[i] = carrier.Signal{Route: route, Time: now + int64(i), Data: carrier.RawValue(carrier.CBOR, []byte{0x18, 0x40})}
	}
	zero("a batch of a client's signals", func() { d.HandleSignals(100, signals, answers) })
	zero("answers of a listener", func() { d.SignalsAnswered(1, 1, nil) })
	if want := (runs + 2) * batch; answers.done != want || answers.failed != 0 {
		t.Errorf("%d signals are done and %d failed, want %d and 0", answers.done, answers.failed, want)
	}
	for i, sink := range sinks {
		if want := (runs + 2) * batch; sink.put != want {
			t.Errorf("listener %d got %d signals, want %d", i, sink.put, want)
		}
	}

	// A sender of the hub's own, with a callback beside the remote listeners.
	own, err := s.AddSender("own", SenderOptions{Events: []string{"lux"}})
	if err != nil {
		t.Fatal(err)
	}
	lux, err := own.Signal("lux")
	if err != nil {
		t.Fatal(err)
	}
	heard := 0
	if _, err := s.AddListener("own", "lux", func(Event) { heard++ }); err != nil {
		t.Fatal(err)
	}
	remote := &Listener{sender: "own", event: "lux", router: s.Router, client: d.client(1), policy: Block}
	if err := s.listen(remote, false); err != nil {
		t.Fatal(err)
	}
	value := carrier.RawValue(carrier.CBOR, []byte{0x18, 0x40})
	zero("an event of the hub's own", func() {
		if err := lux.Trigger(t.Context(), &value); err != nil {
			t.Error(err)
		}
	})
	if heard != runs+2 {
		t.Errorf("the callback ran %d times, want %d", heard, runs+2)
	}
	tasks.Wait()
}

// A lender is a goroutine that reads, and calls back at once.
type lender struct{}

func (lender) Lend(f func()) bool {
	f()
	return true
}
func (lender) Resume() {}

// swappedAnswers take the list of signals, as a carrier does that hands on very many.
type swappedAnswers struct {
	countedAnswers
	list []carrier.Signal
}

func (a *swappedAnswers) Swap(other []carrier.Signal) { a.list = other }

// TestListenerTakesLittle: a client hears a batch of events with a few small allocations, however many events it has. If the listener keeps
// something of them, their data is added to that, and nothing else.
func TestListenerTakesLittle(t *testing.T) {
	const batch, runs, size = 512, 100, 66
	for _, keepsNothing := range []bool{true, false} {
		r := NewClientRouter(ClientOptions{})
		h := &connectionHandler{router: r, serving: t.Context()}
		h.callbacks.Tasks = &h.tasks
		h.connection = &connection{handler: h, router: r, ctx: t.Context(), reader: lender{}, listeners: make(map[uint64]*Listener)}
		heard := 0
		o := ListenerOptions{KeepsNothing: keepsNothing}
		h.connection.listeners[1] = &Listener{clientRouter: r, elsewhere: &elsewhere{options: o}, fn: func(Event) { heard++ }}
		route := &carrier.Route{Listener: 1, Sender: "light", Event: "lux", Connection: 1}
		data := make([]byte, size)
		answers, seq := new(swappedAnswers), uint64(0)
		arrive := func() {
			list := answers.list[:0]
			for range batch {
				seq++
				list = append(list, carrier.Signal{Route: route, Time: 1, Seq: seq, Data: carrier.RawValue(carrier.CBOR, data)})
			}
			h.HandleSignals(1, list, answers)
		}
		most, bytes := 4.0, uint64(256)
		if !keepsNothing {
			most, bytes = most+batch*size/(8<<10)+1, bytes+batch*size+1024
		}
		arrive() // buffers grow
		arrive()
		if n := testing.AllocsPerRun(runs, arrive); n > most {
			t.Errorf("keeps nothing %v: a batch allocates %v times, want %v at most", keepsNothing, n, most)
		}
		least := uint64(math.MaxUint64) // a collection in between may empty pools
		for range runs {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			arrive()
			runtime.ReadMemStats(&after)
			least = min(least, after.TotalAlloc-before.TotalAlloc)
		}
		if least > bytes {
			t.Errorf("keeps nothing %v: a batch takes %d bytes, want %d at most", keepsNothing, least, bytes)
		}
		if heard != (2*runs+3)*batch || answers.done != heard {
			t.Errorf("%d are heard and %d answered, want %d", heard, answers.done, (2*runs+3)*batch)
		}
	}
}
