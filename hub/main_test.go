package hub_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sighub/carrier"
	"sighub/carrier/local"
	"sighub/hub"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait for something that is to happen: long, because machines may be busy.
const patience = 2 * time.Minute

// A diary notes what listeners hear, in order.
type diary struct {
	mu      sync.Mutex
	lines   []string
	changed chan struct{}
}

func newDiary() *diary { return &diary{changed: make(chan struct{})} }

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
	close(d.changed)
	d.changed = make(chan struct{})
}

// listener returns a callback that notes "who sender event data".
func (d *diary) listener(who string) func(hub.Event) {
	return func(ev hub.Event) {
		switch ev.Name {
		case hub.Connect, hub.Disconnect:
			var c hub.Connection
			if err := ev.Data.Decode(&c); err != nil {
				d.note("%s: %v", who, err)
				return
			}
			d.note("%s", strings.TrimSpace(fmt.Sprintf("%s %s %s %s", who, ev.Sender, ev.Name, c.Reason)))
		default:
			d.note("%s %s %s %s", who, ev.Sender, ev.Name, ev.Data)
		}
	}
}

func (d *diary) take() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	lines := d.lines
	d.lines = nil
	return lines
}

// expect waits until as many lines are there as are wanted, and compares.
func (d *diary) expect(t *testing.T, want ...string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		d.mu.Lock()
		n, changed := len(d.lines), d.changed
		d.mu.Unlock()
		if n >= len(want) {
			break
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("heard only\n%s\nwant\n%s", strings.Join(d.take(), "\n"), strings.Join(want, "\n"))
		}
	}
	if got := d.take(); !slices.Equal(got, want) {
		t.Errorf("heard\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func listen(t *testing.T, r *hub.Router, d *diary, who, sender, event string) *hub.Listener {
	t.Helper()
	l, err := r.AddListener(sender, event, d.listener(who))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func addSender(t *testing.T, r *hub.Router, name string, events ...string) *hub.Sender {
	t.Helper()
	s, err := r.AddSender(name, hub.SenderOptions{Events: events})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func trigger(t *testing.T, s *hub.Sender, event string, data any) {
	t.Helper()
	sig, err := s.Signal(event)
	if err != nil {
		t.Fatal(err)
	}
	if err := sig.Trigger(t.Context(), data); err != nil {
		t.Fatal(err)
	}
}

// A world is a ServerRouter that is reached in process.
type world struct {
	*hub.ServerRouter
	local *local.Hub
	stop  func() // ends Serve and waits for it
}

func serve(t *testing.T, o hub.ServerOptions) *world {
	t.Helper()
	w := &world{ServerRouter: hub.NewServerRouter(o), local: local.NewHub(local.Options{})}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Serve(ctx, w.local) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(w.stop)
	return w
}

// client connects a ClientRouter to the world.
func (w *world) client(t *testing.T, name string, o hub.ClientOptions) (*hub.ClientRouter, *local.Peer, func()) {
	t.Helper()
	r, p := hub.NewClientRouter(o), w.local.NewPeer(name)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := r.Serve(ctx, p); err != nil {
			t.Errorf("Serve: %v", err)
		}
	}()
	stop := sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	ready, end := context.WithTimeout(context.Background(), patience)
	defer end()
	if err := r.WaitConnected(ready); err != nil {
		t.Fatal(err)
	}
	return r, p, stop
}

// A rawClient speaks to a ServerRouter message by message.
type rawClient struct {
	t    *testing.T
	peer *local.Peer
	id   chan carrier.ClientID
	hub  carrier.ClientID
	got  chan *carrier.Message
}

func (w *world) raw(t *testing.T, name string) *rawClient {
	t.Helper()
	c := &rawClient{t: t, peer: w.local.NewPeer(name), id: make(chan carrier.ClientID, 1), got: make(chan *carrier.Message, 1024)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = c.peer.Serve(ctx, c) }()
	t.Cleanup(func() { cancel(); <-done })
	c.hub = <-c.id
	return c
}

func (c *rawClient) ClientConnected(cl carrier.Client) {
	select {
	case c.id <- cl.ID:
	default:
	}
}
func (c *rawClient) HandleMessage(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
	c.got <- m
	respond(carrier.Done(nil))
}
func (c *rawClient) ClientDisconnected(carrier.ClientID, error) {}
func (c *rawClient) AllClientsDisconnected(error)               {}

// call sends a message whose params are JSON, and returns the reply.
func (c *rawClient) call(method, params string) carrier.Reply {
	c.t.Helper()
	replies := make(chan carrier.Reply, 1)
	m := &carrier.Message{Method: method}
	if params != "" {
		m.Params = carrier.RawValue(carrier.JSON, []byte(params))
	}
	err := c.peer.Transmit(context.Background(), c.hub, m, func(r carrier.Reply, err error) {
		if err != nil {
			r = carrier.Failed(err)
		}
		replies <- r
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return <-replies
}
