package hub_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/hub"
)

// TestMessagesAndStreams runs one random program in four houses that differ in nothing but what their clients agree to
// in hello: signals as messages or as streams, on the way to the hub and on the way from it. What is answered, in which
// order, and what each listener hears must be the same in all of them.
func TestMessagesAndStreams(t *testing.T) {
	seeds, steps := uint64(12), 40
	if testing.Short() {
		seeds = 3
	}
	for seed := range seeds {
		if t.Failed() {
			return // what goes wrong takes its time, and one report is enough
		}
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			program := newProgram(seed)
			var houses []*house
			for _, streams := range [][2]bool{{false, false}, {true, true}, {false, true}, {true, false}} {
				houses = append(houses, program.build(t, streams))
			}
			for range steps {
				program.step(t, houses)
			}
			outcomes := make([]string, len(houses))
			for i, h := range houses {
				outcomes[i] = h.end()
			}
			program.compare(t, "the end", outcomes)
		})
	}
}

// A program draws steps, and remembers them for its report.
type program struct {
	*rand.Rand
	drawn  []string
	codecs [5]carrier.Codec // of the clients
	marks  int
}

func newProgram(seed uint64) *program {
	p := &program{Rand: rand.New(rand.NewPCG(seed, 0))}
	for i := range p.codecs {
		p.codecs[i] = []carrier.Codec{carrier.CBOR, carrier.CBORText, carrier.JSON}[p.IntN(3)]
	}
	return p
}

func (p *program) oneOf(names ...string) string { return names[p.IntN(len(names))] }

// step draws one step, takes it in every house at once, and compares what came of it.
func (p *program) step(t *testing.T, houses []*house) {
	t.Helper()
	name, take := p.draw()
	p.drawn = append(p.drawn, name)
	p.marks++
	outcomes := make([]string, len(houses))
	var all sync.WaitGroup
	for i, h := range houses {
		all.Go(func() { outcomes[i] = take(h) + "\n" + h.heard(p.marks) })
	}
	all.Wait()
	p.compare(t, name, outcomes)
}

func (p *program) compare(t *testing.T, step string, outcomes []string) {
	t.Helper()
	if t.Failed() {
		t.Fatalf("in %q, after\n%s", step, strings.Join(p.drawn, "\n"))
	}
	for i, got := range outcomes[1:] {
		if got != outcomes[0] {
			t.Fatalf("house %d differs from house 0 after\n%s\n--- house 0:\n%s\n--- house %d:\n%s",
				i+1, strings.Join(p.drawn, "\n"), outcomes[0], i+1, got)
		}
	}
}

// A house is a hub with two clients that send and two that listen, each behind a cable of its own.
type house struct {
	t       *testing.T
	ctx     context.Context
	hub     *hub.ServerRouter
	addr    string
	streams [2]bool       // signals are streams on the way to the hub, and from there
	end     func() string // stops the hub
	senders [2]*tenant
	hearers [2]*tenant
	slow    *tenant // which listens to nothing but what it is to be slow for
	mark    *hub.Signal
	local   *hub.Listener // in the hub's own process; nil: none
}

// A tenant is a client of a house.
type tenant struct {
	*hub.ClientRouter
	cable     *cable
	connected chan struct{} // filled each time everything is registered again
	lost      chan struct{} // filled when the hub is lost
	marks     chan int
	handles   map[string]*hub.Sender // of senders that were added, the latest of each name
	owned     map[string]bool        // those that were not removed
	listeners []*hub.Listener

	mu    sync.Mutex
	lines []string
}

// withoutStreams hides from a carrier that its handler takes streams.
type withoutStreams struct{ carrier.Carrier }

func (c withoutStreams) Serve(ctx context.Context, h carrier.Handler) error {
	return c.Carrier.Serve(ctx, struct{ carrier.Handler }{h})
}

// Few events are in flight to a listener, the same number with both: a message may take three quarters of a window.
const (
	houseWindow   = 8
	houseInFlight = 6
	houseOutbox   = 4
)

func (p *program) build(t *testing.T, streams [2]bool) *house {
	t.Helper()
	server, err := tcp.Listen("unix://"+t.TempDir()+"/hub", tcp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	h := &house{t: t, ctx: ctx, addr: server.Addr(), streams: streams}
	h.hub = hub.NewServerRouter(hub.ServerOptions{
		Options: hub.Options{Times: hub.TimeRange{Any: true}}, Outbox: hub.OutboxOptions{Limit: houseOutbox, Deadline: patience},
	})
	serving, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.hub.Serve(serving, server) }()
	stopHub := sync.OnceFunc(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stopHub)
	marker, err := h.hub.AddSender("mark", hub.SenderOptions{Events: []string{"m"}})
	if err != nil {
		t.Fatal(err)
	}
	if h.mark, err = marker.Signal("m"); err != nil {
		t.Fatal(err)
	}
	limits := tcp.Limits{Window: houseWindow, Signals: houseInFlight}
	h.slow = h.moveIn("slow", p.codecs[4], streams[1], limits)
	for i := range 2 {
		h.senders[i] = h.moveIn(fmt.Sprint("sender ", i), p.codecs[i], streams[0], tcp.Limits{Window: 64, Signals: 48})
		h.hearers[i] = h.moveIn(fmt.Sprint("hearer ", i), p.codecs[2+i], streams[1], limits)
		k := h.hearers[i]
		if _, err := k.AddRemoteListener(ctx, "mark", "m", k.marked); err != nil {
			t.Fatal(err)
		}
	}
	h.end = func() string {
		stopHub()
		var lines []string
		for _, k := range h.hearers {
			for deadline := time.Now().Add(patience); k.WaitConnected(done) == nil && time.Now().Before(deadline); {
				time.Sleep(time.Millisecond) // until it has noticed
			}
			lines = append(lines, k.take()...)
		}
		return strings.Join(lines, "\n")
	}
	return h
}

// done is a context that is done: who waits with it does not wait.
var done = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

func (h *house) moveIn(name string, codec carrier.Codec, streams bool, limits tcp.Limits) *tenant {
	h.t.Helper()
	k := &tenant{
		cable: newCable(h.t, h.addr), connected: make(chan struct{}, 1), lost: make(chan struct{}, 1), marks: make(chan int, 1),
		handles: make(map[string]*hub.Sender), owned: make(map[string]bool),
	}
	k.ClientRouter = hub.NewClientRouter(hub.ClientOptions{
		Connected: func() { k.connected <- struct{}{} },
		Disconnected: func(error) {
			select {
			case k.lost <- struct{}{}:
			default: // nobody has asked for the last time
			}
		},
	})
	var c carrier.Carrier = tcp.NewClient(k.cable.addr, tcp.ClientOptions{
		Name: name, Codec: codec, Limits: limits, Backoff: carrier.Backoff{Min: time.Millisecond, Max: 5 * time.Millisecond},
	})
	if !streams {
		c = withoutStreams{c}
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = k.Serve(ctx, c) }()
	h.t.Cleanup(func() { stop(); <-ended })
	h.await(k.connected, name)
	return k
}

func (h *house) await(what <-chan struct{}, name string) {
	select {
	case <-what:
	case <-h.ctx.Done():
		h.t.Errorf("waited in vain for %s", name)
	}
}

// ended returns a channel that is closed when all have ended.
func ended(all *sync.WaitGroup) <-chan struct{} {
	c := make(chan struct{})
	go func() { defer close(c); all.Wait() }()
	return c
}

// until polls for what only the hub knows.
func (h *house) until(name string, cond func() bool) {
	for !cond() {
		if h.ctx.Err() != nil {
			h.t.Errorf("waited in vain for %s", name)
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// has reports whether a client of that name is connected.
func (h *house) has(client string) bool {
	return slices.ContainsFunc(h.hub.Clients(), func(c hub.ClientInfo) bool { return c.Name == client })
}

// heard waits until the listeners have heard everything that was triggered before, and returns what that was.
func (h *house) heard(mark int) string {
	if err := h.mark.Trigger(h.ctx, mark); err != nil {
		h.t.Error(err)
	}
	var lines []string
	for _, k := range h.hearers {
		for got := 0; got < mark; {
			select {
			case got = <-k.marks:
			case <-h.ctx.Done():
				h.t.Error("waited in vain for a mark")
				return ""
			}
		}
		lines = append(lines, k.take()...)
	}
	return strings.Join(lines, "\n")
}

// say makes an outcome of an error: the address differs from house to house.
func (h *house) say(err error) string {
	switch {
	case err == nil:
		return "done"
	case errors.Is(err, carrier.ErrTooLarge): // each path has its own overhead to tell of
		return "too large"
	default:
		return strings.ReplaceAll(err.Error(), h.addr, "HUB")
	}
}

func (k *tenant) marked(ev hub.Event) {
	var n int
	if ev.Name != "m" || ev.Data.Decode(&n) != nil {
		return
	}
	select {
	case <-k.marks: // nobody waits for an earlier one
	default:
	}
	k.marks <- n
}

// listener returns a callback that notes what it hears. What a storm left of its events is for the storm to check.
func (k *tenant) listener(number int) func(hub.Event) {
	return func(ev hub.Event) {
		what := ev.Data.String()
		switch ev.Name {
		case hub.Connect, hub.Disconnect:
			var c hub.Connection
			if err := ev.Data.Decode(&c); err != nil {
				what = err.Error()
				break
			}
			what = fmt.Sprint(c.Events, len(c.Requests), c.Units, c.Reason)
			if c.Client != nil {
				what += " " + c.Client.Name
			}
		case hub.Gap:
			var l hub.Loss
			err := ev.Data.Decode(&l)
			what = fmt.Sprint(l.Count, l.Event, err, l.First.After(l.Last))
		default:
			if ev.Time.Year() < 2001 {
				what += fmt.Sprint(" at ", ev.Time.UTC(), ev.Uncertainty)
			}
			what += fmt.Sprint(" number ", ev.Seq)
		}
		if ev.Sender == "storm" {
			return
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		k.lines = append(k.lines, fmt.Sprintf("%d: %s %s %s", number, ev.Sender, ev.Name, what))
	}
}

// take returns what was heard, the events of each sender in their order: which of a client's senders is disconnected
// first is left open.
func (k *tenant) take() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	lines := k.lines
	k.lines = nil
	slices.SortStableFunc(lines, func(a, b string) int { return strings.Compare(lineKey(a), lineKey(b)) })
	return lines
}

func lineKey(line string) string {
	words := strings.SplitN(line, " ", 3)
	return words[0] + words[1]
}

// A cable passes one client's connections on to the hub, unless it is cut.
type cable struct {
	addr string

	mu    sync.Mutex
	isCut bool
	conns []net.Conn
}

func newCable(t *testing.T, hubAddr string) *cable {
	t.Helper()
	path := t.TempDir() + "/c"
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{addr: "unix://" + path}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("unix", strings.TrimPrefix(hubAddr, "unix://"))
			if err != nil || !c.join(near, far) {
				_ = near.Close()
				continue
			}
			pass := func(to, from net.Conn) { _, _ = io.Copy(to, from); _ = to.Close() }
			all.Go(func() { pass(far, near) })
			all.Go(func() { pass(near, far) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); c.cut(); all.Wait() })
	return c
}

func (c *cable) join(near, far net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isCut {
		_ = far.Close()
		return false
	}
	c.conns = append(c.conns, near, far)
	return true
}

func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isCut = true
	for _, nc := range c.conns {
		_ = nc.Close()
	}
	c.conns = nil
}

func (c *cable) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isCut = false
}
