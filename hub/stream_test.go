package hub_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/hub"
)

// A network is a hub with clients at a socket, whose signals travel as streams.
type network struct {
	*hub.ServerRouter
	t    *testing.T
	ctx  context.Context
	addr string
	stop func()
}

func serveNetwork(t *testing.T, o hub.ServerOptions) *network {
	t.Helper()
	server, err := tcp.Listen("unix://"+t.TempDir()+"/hub", tcp.Options{Budget: o.Memory})
	if err != nil {
		t.Fatal(err)
	}
	n := &network{ServerRouter: hub.NewServerRouter(o), t: t, addr: server.Addr()}
	serving, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := n.Serve(serving, server); err != nil {
			t.Errorf("Serve: %v", err)
		}
	}()
	n.stop = sync.OnceFunc(func() { stop(); <-ended })
	t.Cleanup(n.stop)
	dog, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	n.ctx = dog
	return n
}

func (n *network) client(codec carrier.Codec) (*hub.ClientRouter, func()) {
	n.t.Helper()
	return n.clientWith(tcp.ClientOptions{Codec: codec})
}

func (n *network) clientWith(o tcp.ClientOptions) (*hub.ClientRouter, func()) {
	n.t.Helper()
	r := hub.NewClientRouter(hub.ClientOptions{})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = r.Serve(ctx, tcp.NewClient(n.addr, o)) }()
	stop := sync.OnceFunc(func() { cancel(); <-ended })
	n.t.Cleanup(stop)
	if err := r.WaitConnected(n.ctx); err != nil {
		n.t.Fatal(err)
	}
	return r, stop
}

func (n *network) signal(r *hub.ClientRouter, sender string) *hub.Signal {
	n.t.Helper()
	s, err := r.AddRemoteSender(n.ctx, sender, hub.SenderOptions{Events: []string{"n"}})
	if err != nil {
		n.t.Fatal(err)
	}
	g, err := s.Signal("n")
	if err != nil {
		n.t.Fatal(err)
	}
	return g
}

// A counting checks that a sender's numbers, and the gaps between them, are all there, in order.
type counting struct {
	mu      sync.Mutex
	next    int
	missed  int // told in gaps, and not accounted for yet
	gaps    int
	late    bool // gaps are told behind what came after them
	heard   int
	wrong   []string
	changed chan struct{}
}

func newCounting() *counting { return &counting{changed: make(chan struct{}, 1)} }

func (c *counting) hear(ev hub.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch ev.Name {
	case hub.Gap:
		var l hub.Loss
		if err := ev.Data.Decode(&l); err != nil || l.Count == 0 {
			c.wrong = append(c.wrong, fmt.Sprint("gap ", ev.Data, err))
		}
		c.missed += int(l.Count)
		c.gaps += int(l.Count)
	case "n":
		var n int
		if err := ev.Data.Decode(&n); err != nil || n != c.next+c.missed && !c.late || n < c.heard {
			c.wrong = append(c.wrong, fmt.Sprintf("heard %s, %v, after %d and a gap of %d", ev.Data, err, c.next-1, c.missed))
		}
		c.next, c.missed = n+1, 0
		c.heard++
	}
	if c.late {
		c.next, c.missed = c.heard, c.gaps
	}
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// until waits until so many numbers were heard or told to be missing.
func (c *counting) until(t *testing.T, count int) {
	t.Helper()
	deadline := time.After(patience)
	for {
		c.mu.Lock()
		got, wrong := c.next+c.missed, c.wrong
		c.mu.Unlock()
		switch {
		case len(wrong) > 0:
			t.Fatal(wrong[0])
		case got == count:
			return
		}
		select {
		case <-c.changed:
		case <-deadline:
			t.Fatalf("%d of %d", got, count)
		}
	}
}

// send triggers the numbers from one to before another; the function it returns waits for their answers.
func (n *network) send(g *hub.Signal, from, to int) (answered func()) {
	n.t.Helper()
	var wait sync.WaitGroup
	for i := from; i < to; i++ {
		wait.Add(1)
		if err := g.TriggerAsync(n.ctx, i, func(err error) {
			defer wait.Done()
			if err != nil {
				n.t.Errorf("event %d: %v", i, err)
			}
		}); err != nil {
			n.t.Fatal(err)
		}
	}
	return wait.Wait
}

// TestStreamToMany: all events reach listeners of every kind, in each codec, in order.
func TestStreamToMany(t *testing.T) {
	const count = 10_000
	for _, from := range []carrier.Codec{carrier.CBOR, carrier.JSON} {
		t.Run(from.Name(), func(t *testing.T) {
			n := serveNetwork(t, hub.ServerOptions{})
			var counts []*counting
			for _, codec := range []carrier.Codec{carrier.CBOR, carrier.JSON, carrier.CBORText} {
				for _, at := range [][2]string{{"light", "n"}, {"light", ""}, {"", ""}} {
					r, _ := n.client(codec)
					c := newCounting()
					counts = append(counts, c)
					if _, err := r.AddRemoteListener(n.ctx, at[0], at[1], c.hear); err != nil {
						t.Fatal(err)
					}
				}
			}
			r, _ := n.client(from)
			n.send(n.signal(r, "light"), 0, count)()
			for _, c := range counts {
				if c.until(t, count); c.gaps > 0 {
					t.Errorf("%d events were lost", c.gaps)
				}
			}
		})
	}
}

// TestStreamOfManySenders: more routes than a connection has numbers for, from senders that come and go.
func TestStreamOfManySenders(t *testing.T) {
	const senders, rounds = carrier.MaxRoutes + 200, 3
	n := serveNetwork(t, hub.ServerOptions{MaxSenders: senders})
	to, _ := n.client(carrier.CBOR)
	var mu sync.Mutex
	heard := make(map[string]int)
	all := make(chan struct{})
	if _, err := to.AddRemoteListener(n.ctx, "", "", func(ev hub.Event) {
		mu.Lock()
		defer mu.Unlock()
		var i int
		if ev.Name != "n" {
			return
		}
		if err := ev.Data.Decode(&i); err != nil || i != heard[ev.Sender] {
			t.Errorf("%s: %s, %v", ev.Sender, ev.Data, err)
		}
		if heard[ev.Sender]++; heard[ev.Sender] == rounds && ev.Sender == fmt.Sprint("s", senders-1) {
			close(all)
		}
	}); err != nil {
		t.Fatal(err)
	}
	from, _ := n.client(carrier.CBOR)
	signals := make([]*hub.Signal, senders)
	for i := range signals {
		signals[i] = n.signal(from, fmt.Sprint("s", i))
	}
	var answered []func()
	for round := range rounds {
		for _, g := range signals {
			answered = append(answered, n.send(g, round, round+1))
		}
	}
	for _, wait := range answered {
		wait()
	}
	<-all
	mu.Lock()
	defer mu.Unlock()
	for sender, got := range heard {
		if got != rounds {
			t.Errorf("%s was heard %d times", sender, got)
		}
	}
	if len(heard) != senders {
		t.Errorf("%d senders were heard", len(heard))
	}
}

// TestStreamWaits: a sender that is faster than a listener is slowed down, and nothing is lost, however small the
// outbox; others are not slowed down by it, and neither are the sender's other messages.
func TestStreamWaits(t *testing.T) {
	const count = 100_000 // more than the windows of both connections
	n := serveNetwork(t, hub.ServerOptions{Outbox: hub.OutboxOptions{Limit: 16, Deadline: patience}})
	slow, _ := n.client(carrier.CBOR)
	c, free := newCounting(), make(chan struct{})
	if _, err := slow.AddRemoteListener(n.ctx, "light", "n", func(ev hub.Event) { <-free; c.hear(ev) }); err != nil {
		t.Fatal(err)
	}
	from, _ := n.client(carrier.CBOR)
	g := n.signal(from, "light")
	sent := make(chan func())
	go func() { sent <- n.send(g, 0, count) }()
	other, _ := n.client(carrier.CBOR)
	o := newCounting()
	if _, err := other.AddRemoteListener(n.ctx, "warmth", "", o.hear); err != nil {
		t.Fatal(err)
	}
	mine, _ := n.client(carrier.CBOR)
	n.send(n.signal(mine, "warmth"), 0, 1000)()
	o.until(t, 1000)
	if _, err := from.RemoteSenders(n.ctx); err != nil {
		t.Error(err)
	}
	select {
	case <-sent:
		close(free)
		t.Fatal("the sender was not slowed down")
	default:
	}
	close(free)
	(<-sent)()
	if c.until(t, count); c.gaps > 0 {
		t.Errorf("%d events were lost", c.gaps)
	}
}

// TestStreamHearsItself: a client that hears what it sends, in callbacks that take their time and ask the hub.
func TestStreamHearsItself(t *testing.T) {
	const count = 5000
	n := serveNetwork(t, hub.ServerOptions{Outbox: hub.OutboxOptions{Limit: 8, Deadline: patience}})
	r, _ := n.client(carrier.CBOR)
	c := newCounting()
	if _, err := r.AddRemoteListener(n.ctx, "light", "n", func(ev hub.Event) {
		if ev.Seq%1000 == 0 {
			if _, err := r.RemoteSenders(n.ctx); err != nil {
				t.Error(err)
			}
		}
		c.hear(ev)
	}); err != nil {
		t.Fatal(err)
	}
	n.send(n.signal(r, "light"), 0, count)()
	c.until(t, count)
}

// TestStreamToStuckListener: by each policy, one that stops reading hears exactly how much it has missed, or is
// disconnected; others hear all of it.
func TestStreamToStuckListener(t *testing.T) {
	const count = 60_000
	for i, policy := range hub.Policies() {
		t.Run(string(policy), func(t *testing.T) {
			// Asked for by the listener, against the hub's own default.
			n := serveNetwork(t, hub.ServerOptions{Outbox: hub.OutboxOptions{Policy: hub.Policies()[(i+1)%3], Limit: 64}})
			stuck, _ := n.client(carrier.CBOR)
			c, free := newCounting(), make(chan struct{})
			c.late = policy == hub.Latest
			o := hub.ListenerOptions{Policy: policy, Deadline: 10 * time.Millisecond}
			if _, err := stuck.AddRemoteListenerWith(n.ctx, "light", "", o, func(ev hub.Event) { <-free; c.hear(ev) }); err != nil {
				t.Fatal(err)
			}
			well, _ := n.client(carrier.CBOR)
			w := newCounting()
			patient := hub.ListenerOptions{Policy: hub.Block, Deadline: 5 * time.Second} // if the machine stands still
			if _, err := well.AddRemoteListenerWith(n.ctx, "light", "", patient, w.hear); err != nil {
				t.Fatal(err)
			}
			from, _ := n.client(carrier.CBOR)
			g := n.signal(from, "light")
			for i := 0; i < count; i += 1000 { // the one that is well keeps up
				n.send(g, i, i+1000)()
				w.until(t, i+1000)
			}
			if w.gaps > 0 {
				t.Errorf("the other has lost %d", w.gaps)
			}
			close(free)
			if policy == hub.Hangup {
				awaitClients(t, n, 3) // it comes back by itself
				return
			}
			n.send(g, count, count+1)()
			c.until(t, count+1)
			if c.gaps == 0 {
				t.Error("the stuck one has lost nothing: the test proves nothing")
			}
		})
	}
}

func awaitClients(t *testing.T, n *network, want int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) { // sockets are involved
		list := n.Clients()
		if len(list) == want && list[want-1].ID > uint64(want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v", list)
		}
	}
}

// TestBadListenerOptions: what no hub can do is refused, with what it could.
func TestBadListenerOptions(t *testing.T) {
	n := serveNetwork(t, hub.ServerOptions{})
	r, _ := n.client(carrier.CBOR)
	for _, o := range []hub.ListenerOptions{{Policy: "hope"}, {Deadline: time.Hour}} {
		if _, err := r.AddRemoteListenerWith(n.ctx, "light", "", o, func(hub.Event) {}); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

// TestStreamAfterRemoval: what was sent before a sender was removed is heard before its #disconnect, and what is sent
// afterwards is refused; one that was added again is found.
func TestStreamAfterRemoval(t *testing.T) {
	n := serveNetwork(t, hub.ServerOptions{Outbox: hub.OutboxOptions{Limit: 4, Deadline: patience}})
	r, _ := n.client(carrier.CBOR)
	var mu sync.Mutex
	var heard []string
	ended := make(chan struct{}, 2)
	if _, err := r.AddRemoteListener(n.ctx, "light", "", func(ev hub.Event) {
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, ev.Name)
		if ev.Name == hub.Disconnect {
			ended <- struct{}{}
		}
	}); err != nil {
		t.Fatal(err)
	}
	from, _ := n.client(carrier.CBOR)
	for round := range 2 {
		s, err := from.AddRemoteSender(n.ctx, "light", hub.SenderOptions{Events: []string{"n"}})
		if err != nil {
			t.Fatal(err)
		}
		g, err := s.Signal("n")
		if err != nil {
			t.Fatal(err)
		}
		answered := n.send(g, 0, 500)
		if err := from.RemoveRemoteSender(n.ctx, s); err != nil {
			t.Fatal(err)
		}
		answered()
		if err := g.Trigger(n.ctx, 1); !errors.Is(err, hub.ErrNotConnected) {
			t.Error(err)
		}
		<-ended
		mu.Lock()
		if len(heard) != 502 || heard[0] != hub.Connect || heard[501] != hub.Disconnect {
			t.Errorf("round %d: %d events", round, len(heard))
		}
		heard = nil
		mu.Unlock()
	}
}

// TestStreamWithCallbacks: a hub with callbacks of its own, which may ask the very client that sends.
func TestStreamWithCallbacks(t *testing.T) {
	const count = 2000
	n := serveNetwork(t, hub.ServerOptions{})
	from, _ := n.client(carrier.CBOR)
	s, err := from.AddRemoteSender(n.ctx, "light", hub.SenderOptions{
		Events: []string{"n"}, Requests: map[string]hub.RequestHandler{
			"double": func(_ context.Context, _ string, v carrier.Value) (any, error) {
				var i int
				err := v.Decode(&i)
				return 2 * i, err
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := newCounting()
	if _, err := n.AddListener("light", "n", func(ev hub.Event) {
		var i, doubled int
		if err := ev.Data.Decode(&i); err == nil && i%100 == 0 {
			v, err := n.Request(n.ctx, "light", "double", i)
			if err != nil || v.Decode(&doubled) != nil || doubled != 2*i {
				t.Error(v, err)
			}
		}
		c.hear(ev)
	}); err != nil {
		t.Fatal(err)
	}
	g, err := s.Signal("n")
	if err != nil {
		t.Fatal(err)
	}
	n.send(g, 0, count)()
	c.until(t, count)
}

// TestStreamIsCut: of what is on its way when the hub goes, each event ends once: done, or with an error.
func TestStreamIsCut(t *testing.T) {
	n := serveNetwork(t, hub.ServerOptions{})
	from, stopClient := n.client(carrier.CBOR)
	g := n.signal(from, "light")
	var mu sync.Mutex
	ends := make(map[int][]error) // of each event
	first := make(chan struct{})
	sent := make(chan int)
	go func() {
		for i := 0; ; i++ {
			if err := g.TriggerAsync(n.ctx, i, func(err error) {
				mu.Lock()
				defer mu.Unlock()
				ends[i] = append(ends[i], err)
				if i == 0 {
					close(first)
				}
			}); err != nil {
				sent <- i
				return
			}
		}
	}()
	<-first
	n.stop()
	count, failed := <-sent, 0
	stopClient() // what has not ended by then never does
	mu.Lock()
	defer mu.Unlock()
	for i := range count {
		switch got := ends[i]; {
		case len(got) != 1:
			t.Fatalf("event %d ends %d times: %v", i, len(got), got)
		case got[0] != nil:
			failed++
		}
	}
	if failed == 0 {
		t.Log("nothing was on its way")
	}
}
