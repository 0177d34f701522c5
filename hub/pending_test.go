package hub

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/hub/internal/fair"
)

// A stuckSink takes signals, and writes them when it is told to.
type stuckSink struct {
	window int
	bytes  int
	total  *atomic.Int64
}

func (s *stuckSink) Window() int                 { return cmp.Or(s.window, 1<<20) }
func (s *stuckSink) Account(total *atomic.Int64) { s.total = total }
func (s *stuckSink) Pending() int                { return s.bytes }
func (s *stuckSink) Submit()                     {}
func (s *stuckSink) Flush(bool)                  {}
func (s *stuckSink) Put(_ *carrier.OutRoute, p *carrier.PackedSignal) (int, error) {
	b := p.AppendTo(nil, new(carrier.Routes), new(carrier.OutRoute))
	s.bytes += len(b)
	s.total.Add(int64(len(b)))
	return s.bytes, nil
}

func (s *stuckSink) write() {
	s.total.Add(int64(-s.bytes))
	s.bytes = 0
}

// TestPendingIsHeld: what waits to be written counts as held by the outboxes, so that clients which read nothing do not
// make the hub hold more than it may, however many they are; and it is forgotten when they have gone.
func TestPendingIsHeld(t *testing.T) { synctest.Test(t, pendingIsHeld) }

func pendingIsHeld(t *testing.T) {
	const clients, ceiling = 50, 2 << 20 // each of them alone could have 256 KiB pending
	s := NewServerRouter(ServerOptions{Memory: carrier.NewBudget(4 * ceiling), Outbox: OutboxOptions{Policy: Latest}})
	var tasks sync.WaitGroup
	d := &carrierHandler{server: s, serving: context.Background(), tasks: &tasks, clients: make(map[carrier.ClientID]*client)}
	sinks, listeners := make([]*stuckSink, clients), make([]*Listener, clients)
	for i := range sinks {
		sinks[i] = new(stuckSink)
		id := carrier.ClientID(i + 1)
		d.ClientConnected(carrier.Client{ID: id, Codec: carrier.CBOR, Hello: true, Window: 100, Signals: sinks[i]})
		c := d.client(id)
		l := &Listener{sender: "light", router: s.Router, client: c, policy: Latest}
		if err := s.listen(l, false); err != nil {
			t.Fatal(err)
		}
		c.keep(l)
		listeners[i] = l
	}
	sender, err := s.AddSender("light", SenderOptions{Events: []string{"lux"}})
	if err != nil {
		t.Fatal(err)
	}
	lux, err := sender.Signal("lux")
	if err != nil {
		t.Fatal(err)
	}
	data := carrier.RawValue(carrier.CBOR, append([]byte{0x59, 4, 0}, make([]byte, 1024)...))
	for range 2000 {
		if err := lux.Trigger(t.Context(), data); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond) // so that they are late when memory is scarce
	}
	pending := 0
	for _, sink := range sinks {
		pending += sink.bytes
	}
	held := int(s.opts.Memory.Used())
	// Each may have a little pending when the others have all there is.
	if slack := clients * (scarcePending + 2048); pending < ceiling/2 || pending > ceiling+slack || held > 4*ceiling {
		t.Errorf("%d bytes are pending and %d held, of %d", pending, held, ceiling)
	}
	for i, sink := range sinks {
		sink.write()
		d.SignalsAnswered(carrier.ClientID(i+1), 1, nil)
	}
	for i, sink := range sinks { // what waited in outboxes is pending now
		sink.write()
		o := &d.client(carrier.ClientID(i + 1)).outbox
		if o.queue.len() > 0 || o.account().Used() != int64(listeners[i].out.cost) {
			t.Fatalf("%d events wait in an outbox whose client takes more, and %d bytes are held", o.queue.len(), o.account().Used())
		}
	}
	if unsent := s.unsent.Load(); unsent != 0 {
		t.Errorf("when all is written, %d bytes are not", unsent)
	}
	for i := range sinks {
		d.ClientDisconnected(carrier.ClientID(i+1), carrier.ErrClosed)
	}
	tasks.Wait()
	if held := s.opts.Memory.Used(); held != 0 {
		t.Errorf("when all have gone, %d bytes are held", held)
	}
}

// TestGapsAreHeld: what a client has missed counts as held as well, however many senders come and go, and where memory is
// scarce a client that has missed of many is disconnected.
func TestGapsAreHeld(t *testing.T) {
	for _, memory := range []int64{1, 1 << 30} {
		s := NewServerRouter(ServerOptions{
			Memory: carrier.NewBudget(memory), Outbox: OutboxOptions{Limit: 100, Deadline: time.Nanosecond},
		})
		var tasks sync.WaitGroup
		d := &carrierHandler{server: s, serving: context.Background(), tasks: &tasks, clients: make(map[carrier.ClientID]*client)}
		sink := &stuckSink{window: 1}
		d.ClientConnected(carrier.Client{ID: 1, Codec: carrier.CBOR, Hello: true, Window: 100, Signals: sink})
		c := d.client(1)
		l := &Listener{router: s.Router, client: c}
		if err := s.listen(l, false); err != nil {
			t.Fatal(err)
		}
		c.keep(l)
		for i := range 3000 {
			sender, err := s.AddSender(fmt.Sprint("sender ", i), SenderOptions{})
			if err != nil {
				t.Fatal(err)
			}
			sender.Remove()
			o := &c.outbox
			o.mu.Lock()
			held, gaps := int(c.account.Used()), o.gaps.len()
			want := (o.queue.len()-o.gaps.queued)*entryCost + o.bytes + max(gaps+o.gaps.queued-freeGaps, 0)*gapCost
			o.mu.Unlock()
			if l.removed.Load() {
				break // it gives back what the test has not paid for
			}
			if held != want {
				t.Fatalf("%d bytes are held, not %d", held, want)
			}
			if gaps > gapLimit*100 || gaps > freeGaps && memory == 1 {
				t.Fatalf("%d gaps wait", gaps)
			}
		}
		tasks.Wait()
		if !l.removed.Load() { // there is no carrier that could disconnect it
			t.Error("the client still listens")
		}
		sink.write()
		d.ClientDisconnected(1, carrier.ErrClosed)
		tasks.Wait()
		if held := s.opts.Memory.Used(); held != 0 || c.account.Used() != -int64(l.cost()) {
			t.Errorf("when it has gone, %d bytes are held, and %d for it", held, c.account.Used())
		}
	}
}

// TestBacklog: a client whose account is full is not read, and may have one thing handled all the same; its own that are done
// let it go on.
func TestBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 1 << 20
		all := carrier.NewBudget(size)
		other := backlog{account: all.Open("other")}
		other.enter(t.Context(), 2*size) // it has none yet
		done := make(chan struct{})
		go func() {
			other.enter(t.Context(), size/4+1)
			close(done)
		}()
		synctest.Wait()
		select {
		case <-done:
			t.Error("more are read though there are too many")
		default:
		}
		other.leave(2 * size)
		<-done
		other.enter(t.Context(), size/8)
		other.leave(size/4 + 1)
		if n := other.account.Used(); n != size/8 {
			t.Errorf("%d bytes are taken", n)
		}
		other.leave(size / 8)
		if n := other.account.Used(); n != 0 {
			t.Errorf("%d bytes are left", n)
		}
	})
}

// TestBacklogLeavesRoom: what waits to be handled leaves room for what the client says next, and for what its neighbours hold, however many
// of them do the same.
func TestBacklogLeavesRoom(t *testing.T) {
	const size, step = 1 << 20, 1 << 10
	for _, clients := range []int{1, 10, 100} {
		synctest.Test(t, func(t *testing.T) {
			budget := carrier.NewBudget(size)
			ctx, stop := context.WithCancel(t.Context())
			backlogs := make([]*backlog, clients)
			for i := range backlogs {
				backlogs[i] = &backlog{account: budget.Open("here")}
			}
			for _, b := range backlogs {
				go func() {
					for ctx.Err() == nil {
						b.enter(ctx, step)
					}
				}()
			}
			synctest.Wait()
			entered := 0
			for _, b := range backlogs {
				entered += b.bytes
			}
			if entered < size/16 || entered > size/3 {
				t.Errorf("%d bytes of %d clients wait, of %d that there are", entered, clients, size)
			}
			if err := backlogs[0].account.Take(size / 16); err != nil {
				t.Errorf("with %d bytes of %d clients that wait, some more is refused: %v", entered, clients, err)
			}
			stop()
			synctest.Wait()
		})
	}
}

// A writtenSink is a stuckSink that knows what was put, as text, and how much of it is to be written. It takes no more than
// some KiB at a time.
type writtenSink struct {
	stuckSink
	routes carrier.Routes

	mu      sync.Mutex
	put     []string
	flushed int // of put
}

func (s *writtenSink) Put(r *carrier.OutRoute, p *carrier.PackedSignal) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := string(p.AppendTo(nil, &s.routes, r))
	if len(text) > 2*scarcePending {
		return s.bytes, carrier.ErrTooLarge
	}
	s.put = append(s.put, text)
	return s.stuckSink.Put(r, p)
}

func (s *writtenSink) Flush(bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flushed = len(s.put)
}

// take returns what was put and is to be written since.
func (s *writtenSink) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.put[:s.flushed]
	s.put, s.flushed = s.put[s.flushed:], 0
	return list
}

// TestTooLargeIsNotInFlight: a signal that cannot be put is not waited for; its gap is told at once, and is.
func TestTooLargeIsNotInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMessageWorld(t, ServerOptions{})
		defer w.end()
		sink := new(writtenSink)
		s := w.listening(sink)
		if err := s.signals["x"].Trigger(t.Context(), strings.Repeat("x", 2*scarcePending)); err != nil {
			t.Fatal(err)
		}
		o := &w.handler.client(1).outbox
		if n, put := o.flow.InFlight(), sink.take(); n != 1 || len(put) != 1 || !strings.Contains(put[0], `"count":1`) {
			t.Errorf("%d are in flight; %q are put", n, put)
		}
		w.handler.SignalsAnswered(1, 1, nil)
		<-o.flushed()
		sink.write()
	})
}

// TestAnswersMakeRoom: what waits for the client's answers is put and written as soon as they come. A client that answers more
// than it was sent is to be disconnected, and loses its listeners where that is not possible.
func TestAnswersMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMessageWorld(t, ServerOptions{})
		defer w.end()
		sink := &writtenSink{stuckSink: stuckSink{window: 2}}
		s := w.listening(sink)
		for i := range 5 {
			if err := s.signals["x"].Trigger(t.Context(), i); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct{ answers, written int }{{0, 2}, {1, 1}, {2, 2}, {2, 0}} {
			if c.answers > 0 {
				w.handler.SignalsAnswered(1, c.answers, nil)
			}
			if n := len(sink.take()); n != c.written {
				t.Errorf("after %d answers, %d signals are written, want %d", c.answers, n, c.written)
			}
		}
		w.handler.SignalsAnswered(1, 1, nil)
		synctest.Wait()
		c := w.handler.client(1)
		if len(c.listeners) != 0 || c.outbox.flow.InFlight() != 0 {
			t.Errorf("after an answer to nothing, there are %d listeners, and %d are in flight", len(c.listeners), c.outbox.flow.InFlight())
		}
		sink.write()
	})
}

// TestOrderAfterScarcity: memory becomes free without a word to the outboxes that wait for it. What is triggered next does
// not overtake what waits there, and a gap is told in its place.
func TestOrderAfterScarcity(t *testing.T) {
	for _, want := range [][]string{{"waits", "comes next"}, {"waits", `"count":1`, "comes next"}} {
		synctest.Test(t, func(t *testing.T) { orderAfterScarcity(t, want) })
	}
}

func orderAfterScarcity(t *testing.T, want []string) {
	w := newMessageWorld(t, ServerOptions{Memory: carrier.NewBudget(4 << 20)})
	defer w.end()
	sink := new(writtenSink)
	s := w.listening(sink)
	trigger := func(data string) {
		t.Helper()
		if err := s.signals["x"].Trigger(t.Context(), data); err != nil {
			t.Fatal(err)
		}
	}
	trigger(strings.Repeat("x", scarcePending)) // which waits to be written
	time.Sleep(time.Second)                     // so that it is late
	w.unsent.Add(1 << 20)                       // of others
	trigger("waits")
	if len(want) > 2 {
		fill := w.handler.client(1).account
		taken := 0
		for fill.Take(100) == nil {
			taken += 100
		}
		trigger("is missed")
		fill.Give(taken)
	}
	w.unsent.Add(-1 << 20)
	trigger("comes next")
	if got := sink.take()[1:]; !slices.EqualFunc(got, want, strings.Contains) {
		t.Errorf("%q are put, want %q", got, want)
	}
	sink.write()
}

// TestDeadlineMeetsRoom: a client that has caught up just as the deadline passes is not lagging.
func TestDeadlineMeetsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, full := range []bool{false, true} {
			o := outbox{OutboxOptions: &OutboxOptions{Limit: 1, Bytes: 1}, deadline: time.Second, waiting: fair.Waiting{Place: new(fair.Place)}}
			o.bytes = 1
			waited := make(chan struct{})
			go func() {
				waitForRoom(t.Context(), []slowListener{{&o, time.Second}})
				close(waited)
			}()
			synctest.Wait()
			o.mu.Lock()
			if !full {
				o.bytes = 0
			}
			o.mu.Unlock()
			<-waited
			if lags := o.state == lagging; lags != full {
				t.Errorf("full: %v, lagging: %v", full, lags)
			}
		}
	})
}

// TestReplyComesFirst: what happens while a client's listener is being registered, also to another of its listeners, is not
// sent before the reply to the registration.
func TestReplyComesFirst(t *testing.T) {
	for _, stream := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newMessageWorld(t, ServerOptions{})
			defer w.end()
			sink := new(writtenSink)
			cl := carrier.Client{ID: 1, Codec: carrier.JSON, Hello: true, Window: 16}
			if stream {
				cl.Signals = sink
			}
			w.handler.ClientConnected(cl)
			w.clients++
			sent := func() int {
				synctest.Wait()
				list := w.carrier.take()
				for _, m := range list {
					m.done(carrier.Done(nil), nil)
				}
				return len(list) + len(sink.take())
			}
			w.done(1, "add_listener", `{"sender":"s","event":"x"}`)
			s, err := w.AddSender("s", SenderOptions{Events: []string{"x"}})
			if err != nil {
				t.Fatal(err)
			}
			replied := make(chan int)
			m := &carrier.Message{Method: "add_listener", Params: carrier.RawValue(carrier.JSON, []byte(`{"sender":"s","event":"x"}`))}
			w.handler.HandleMessage(1, m, func(carrier.Reply) {
				for range 2 {
					if err := s.signals["x"].Trigger(context.Background(), 1); err != nil {
						t.Error(err)
					}
				}
				replied <- sent()
			})
			if n := <-replied; n != 0 {
				t.Errorf("%d events are sent before the reply", n)
			}
			for want := 4; want > 0; { // a message is in hand at a time
				n := sent()
				if n == 0 {
					t.Fatalf("%d of 4 events are not sent", want)
				}
				want -= n
			}
			if stream {
				sink.write()
			}
		})
	}
}
