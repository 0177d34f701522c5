package hub_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"sighub/carrier/tcp"
	"sighub/hub"
)

// A strictClient reads as the original does: what one recv of 4,096 bytes returns is one message.
type strictClient struct {
	net.Conn
	mu      sync.Mutex
	waiting map[int]chan map[string]any
	next    int
	heard   []float64
	failed  error
	done    chan struct{}
}

func dialStrict(t *testing.T, addr string) *strictClient {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c := &strictClient{Conn: conn, waiting: map[int]chan map[string]any{}, done: make(chan struct{})}
	go c.read()
	t.Cleanup(func() { _ = conn.Close(); <-c.done })
	return c
}

func (c *strictClient) read() {
	defer close(c.done)
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		if err != nil {
			if !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.EOF) {
				c.fail(err)
			}
			return
		}
		var m map[string]any
		if err := json.Unmarshal(buf[:n], &m); err != nil {
			c.fail(fmt.Errorf("one recv is not one message: %q: %w", buf[:n], err))
			return
		}
		if m["method"] == nil {
			id, _ := m["id"].(float64)
			c.mu.Lock()
			ch := c.waiting[int(id)]
			delete(c.waiting, int(id))
			c.mu.Unlock()
			ch <- m
			continue
		}
		if data, ok := m["params"].(map[string]any)["data"].(float64); ok {
			c.mu.Lock()
			c.heard = append(c.heard, data)
			c.mu.Unlock()
		}
		if _, err := fmt.Fprintf(c, `{"id":%v,"status":0,"response":null}`, m["id"]); err != nil {
			c.fail(err)
			return
		}
	}
}

func (c *strictClient) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = err
	for id, ch := range c.waiting {
		delete(c.waiting, id)
		close(ch)
	}
}

func (c *strictClient) call(method, params string) (map[string]any, error) {
	ch := make(chan map[string]any, 1)
	c.mu.Lock()
	if c.failed != nil {
		defer c.mu.Unlock()
		return nil, c.failed
	}
	c.next++
	id := c.next
	c.waiting[id] = ch
	c.mu.Unlock()
	if _, err := fmt.Fprintf(c, `{"id":%d,"method":%q,"params":%s}`, id, method, params); err != nil {
		return nil, err
	}
	m, ok := <-ch
	if !ok {
		return nil, c.failed
	}
	return m, nil
}

// A legacy client gets 10,000 signals while it makes calls of its own: none is lost, none is glued.
func TestLegacyClient(t *testing.T) {
	const signals = 10_000
	// Both are long enough for a busy machine to read in time.
	s := hub.NewServerRouter(hub.ServerOptions{Outbox: hub.OutboxOptions{Deadline: patience}})
	addr := serveTCP(t, s, tcp.Options{Limits: tcp.Limits{LegacyGap: 100 * time.Millisecond}})
	c := dialStrict(t, addr)
	if m, err := c.call("add_listener", `{"sender":"light","event":"lux"}`); err != nil || m["status"] != 0.0 {
		t.Fatal(m, err)
	}
	light := addSender(t, s.Router, "light", "lux")
	sig, err := light.Signal("lux")
	if err != nil {
		t.Fatal(err)
	}
	var sending sync.WaitGroup
	sending.Go(func() {
		for i := range signals {
			if err := sig.Trigger(context.Background(), i); err != nil {
				t.Error(err)
				return
			}
		}
	})
	calls := 0
	for ; calls < 50; calls++ { // spread over all the signals: each costs a gap
		until(t, func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return len(c.heard) >= calls*signals/50 || c.failed != nil
		})
		if m, err := c.call("list_senders", `{"list_events":true}`); err != nil || m["status"] != 0.0 {
			t.Fatal(m, err)
		}
	}
	sending.Wait()
	until(t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.heard) >= signals || c.failed != nil
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed != nil {
		t.Fatal(c.failed)
	}
	for i, data := range c.heard {
		if data != float64(i) {
			t.Fatalf("signal %d carries %v", i, data)
		}
	}
	t.Logf("%d signals and %d calls", len(c.heard), calls)
}

// until waits for something that another process or the kernel brings about, where no channel tells of it.
func until(t *testing.T, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
		<-tick.C
	}
}

// A tally counts the connections and disconnections that one listener hears, by sender.
type tally struct {
	mu            sync.Mutex
	connects      map[string]int
	disconnects   map[string]int
	disconnectsIn int
}

func newTally() *tally { return &tally{connects: map[string]int{}, disconnects: map[string]int{}} }

func (a *tally) hear(ev hub.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch ev.Name {
	case hub.Connect:
		a.connects[ev.Sender]++
	case hub.Disconnect:
		a.disconnects[ev.Sender]++
		a.disconnectsIn++
	}
}

// 1,000 clients connect, register, signal and vanish at random. Afterwards the hub holds nothing of them, and every
// listener heard one #connect and one #disconnect of each sender.
func TestAThousandClientsComeAndGo(t *testing.T) {
	const clients, workers = 1000, 20
	budget := carrier.NewBudget(1 << 30) // they come faster than the hub notices that others have gone, and all from one place
	s := hub.NewServerRouter(hub.ServerOptions{Memory: budget})
	addr := serveTCP(t, s, tcp.Options{Budget: budget})
	tallies := []*tally{newTally()}
	if _, err := s.AddListener("", "", tallies[0].hear); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		r, a := hub.NewClientRouter(hub.ClientOptions{}), newTally()
		tallies = append(tallies, a)
		serveClient(t, r, addr)
		for _, sub := range [][2]string{{"", hub.Connect}, {"", hub.Disconnect}} {
			if _, err := r.AddRemoteListener(t.Context(), sub[0], sub[1], a.hear); err != nil {
				t.Fatal(err)
			}
		}
	}
	var wg sync.WaitGroup
	jobs := make(chan int)
	for range workers {
		wg.Go(func() {
			for i := range jobs {
				vanish(t, addr, i, rand.New(rand.NewPCG(uint64(i), 1)))
			}
		})
	}
	for i := range clients {
		jobs <- i
	}
	close(jobs)
	wg.Wait()

	until(t, func() bool { return len(s.Clients()) == 3 })
	// What a client registered is taken back on its own goroutine: senders first, then listeners, which hold channels.
	until(t, func() bool { return len(s.Senders()) == 0 && len(s.Channels()) == 2 })
	truth := tallies[0]
	for i, a := range tallies {
		until(t, func() bool {
			a.mu.Lock()
			defer a.mu.Unlock()
			return a.disconnectsIn >= len(truth.connects)
		})
		a.mu.Lock()
		for name := range truth.connects {
			if a.connects[name] != 1 || a.disconnects[name] != 1 {
				t.Errorf("listener %d heard %d connects and %d disconnects of %s", i, a.connects[name], a.disconnects[name], name)
			}
		}
		if len(a.connects) != len(truth.connects) {
			t.Errorf("listener %d heard of %d senders, the hub of %d", i, len(a.connects), len(truth.connects))
		}
		a.mu.Unlock()
	}
	t.Logf("%d of %d clients got as far as a sender", len(truth.connects), clients)
}

// serveClient serves a ClientRouter until the test ends, and waits until it is connected.
func serveClient(t *testing.T, r *hub.ClientRouter, addr string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := r.Serve(ctx, tcp.NewClient("tcp://"+addr, tcp.ClientOptions{})); err != nil {
			t.Errorf("Serve: %v", err)
		}
	}()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	ready, end := context.WithTimeout(context.Background(), patience)
	defer end()
	if err := r.WaitConnected(ready); err != nil {
		t.Error(err)
	}
	return stop
}

// vanish is the life of one client, which ends in the middle of anything.
func vanish(t *testing.T, addr string, i int, rnd *rand.Rand) {
	if i%4 == 0 {
		r := hub.NewClientRouter(hub.ClientOptions{})
		stop := serveClient(t, r, addr)
		defer stop()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		sender, err := r.AddRemoteSender(ctx, fmt.Sprint("router", i), hub.SenderOptions{Events: []string{"e", "#x"}})
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := r.AddRemoteListener(ctx, fmt.Sprint("raw", i+1), "", func(hub.Event) {}); err != nil {
			t.Error(err)
		}
		for range rnd.IntN(5) {
			trigger(t, sender, "e", i)
		}
		if rnd.IntN(2) == 0 {
			if err := r.RemoveRemoteSender(ctx, sender); err != nil {
				t.Error(err)
			}
		}
		return
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = conn.Close() }()
	var script bytes.Buffer
	name := fmt.Sprint("raw", i)
	fmt.Fprintf(&script, `{"id":1,"method":"add_sender","params":{"sender":%q,"events":["e","#x"]}}`, name)
	fmt.Fprintf(&script, `{"id":2,"method":"add_listener","params":{"sender":%q,"event":null}}`, fmt.Sprint("raw", i-1))
	fmt.Fprint(&script, `{"id":3,"method":"add_listener","params":{"sender":null,"event":"#x"}}`)
	for n := range rnd.IntN(5) {
		fmt.Fprintf(&script, `{"id":%d,"method":"signal","params":{"info":{"sender":%q,"event":"#x"},"data":%d}}`, n+4, name, n)
	}
	raw := script.Bytes()
	if rnd.IntN(2) == 0 {
		raw = raw[:rnd.IntN(len(raw))] // in the middle of a message
	}
	if _, err := conn.Write(raw); err != nil {
		return // it may be closed for our own silence: nothing is read
	}
	if rnd.IntN(2) == 0 {
		buf := make([]byte, 1+rnd.IntN(200))
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		_, _ = conn.Read(buf)
	}
	if tc, ok := conn.(*net.TCPConn); ok && rnd.IntN(2) == 0 {
		_ = tc.SetLinger(0) // a reset instead of an end
	}
}
