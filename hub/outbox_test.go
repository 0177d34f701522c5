package hub_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/carrier/local"
	"sighub/hub"
)

// A slowClient listens to everything and acknowledges nothing until it is released.
type slowClient struct {
	*rawClient
	mu   sync.Mutex
	held []func(carrier.Reply) // nil once released
	open bool
	seen []string
	gaps []hub.Loss
	once sync.Once
	gone chan struct{}
}

func (c *slowClient) HandleMessage(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
	var event string
	var data carrier.Value
	_ = m.Params.Fields(func(key string, v carrier.Value) error {
		switch key {
		case "data":
			data = v
		case "info":
			return v.Fields(func(key string, v carrier.Value) error {
				if key == "event" {
					return v.Decode(&event)
				}
				return nil
			})
		}
		return nil
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if event == hub.Gap {
		var loss hub.Loss
		_ = data.Decode(&loss)
		c.gaps = append(c.gaps, loss)
	} else {
		c.seen = append(c.seen, event+data.String())
	}
	if !c.open {
		c.held = append(c.held, respond)
		return
	}
	respond(carrier.Done(nil))
}

func (c *slowClient) ClientDisconnected(carrier.ClientID, error) {
	c.once.Do(func() { close(c.gone) })
}

func (c *slowClient) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = true
	for _, respond := range c.held {
		respond(carrier.Done(nil))
	}
	c.held = nil
}

func (w *world) slow(t *testing.T) *slowClient {
	t.Helper()
	c := &slowClient{gone: make(chan struct{}), rawClient: &rawClient{
		t: t, peer: w.local.NewPeer("slow"), id: make(chan carrier.ClientID, 1)}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = c.peer.Serve(ctx, c) }()
	t.Cleanup(func() { c.release(); cancel(); <-done })
	c.hub = <-c.id
	if r := c.call("add_listener", `{"sender":null,"event":null}`); r.Status != 0 {
		t.Fatal(r)
	}
	return c
}

// slowWorld serves a hub with one slow client that listens to everything, and one listener that is quick.
func slowWorld(t *testing.T, o hub.OutboxOptions) (w *world, slow *slowClient, quick *diary, s *hub.Sender) {
	t.Helper()
	w = &world{ServerRouter: hub.NewServerRouter(hub.ServerOptions{Outbox: o}), local: local.NewHub(local.Options{Window: 4})}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { _ = w.Serve(ctx, w.local) })
	t.Cleanup(func() { cancel(); serving.Wait() })
	s = addSender(t, w.Router, "s", "e", "f")
	slow = w.slow(t)
	quick = newDiary()
	listen(t, w.Router, quick, "quick", "s", "e")
	return w, slow, quick, s
}

// loss is a gap whose first and last events happened so long after start.
func loss(start time.Time, count uint64, first, last time.Duration, cause string) hub.Loss {
	start = start.UTC().Round(0)
	return hub.Loss{Count: count, First: start.Add(first), Last: start.Add(last), Cause: cause}
}

// With a window of 4, 3 of which are for events, and room for 8, the 12th event fills the outbox: the sender is
// held up once, for the deadline, and never again; what does not fit is counted and told.
func TestOutboxBlocksForADeadlineOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, slow, quick, s := slowWorld(t, hub.OutboxOptions{Limit: 8, Deadline: 2 * time.Second})
		start := time.Now()
		want := []string{}
		for i := range 30 {
			trigger(t, s, "e", i)
			synctest.Wait() // what can be in flight is
			want = append(want, fmt.Sprintf("quick s e %d", i))
		}
		if held := time.Since(start); held != 2*time.Second {
			t.Errorf("the sender was held up for %s, want the deadline once", held)
		}
		quick.expect(t, want...)
		slow.release()
		synctest.Wait()
		trigger(t, s, "e", 30)
		synctest.Wait()
		seen := []string{}
		for i := range 12 {
			seen = append(seen, fmt.Sprint("e", i))
		}
		seen = append(seen, "e30")
		if got := strings.Join(slow.seen, " "); got != strings.Join(seen, " ") {
			t.Errorf("the slow client heard %s", got)
		}
		if want := loss(start, 18, 2*time.Second, 2*time.Second, "slow"); len(slow.gaps) != 1 || slow.gaps[0] != want {
			t.Errorf("it was told of the gaps %+v", slow.gaps)
		}
	})
}

// A client that was lagging is waited for again when it is slow again, if it has lost nothing for a minute.
func TestOutboxBlocksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, slow, _, s := slowWorld(t, hub.OutboxOptions{Limit: 8, Deadline: 2 * time.Second})
		for round, want := range []time.Duration{2 * time.Second, 0, 2 * time.Second} {
			slow.mu.Lock()
			slow.open = false
			slow.mu.Unlock()
			if round == 2 {
				time.Sleep(time.Minute)
			}
			start := time.Now()
			for i := range 30 {
				trigger(t, s, "e", i)
				synctest.Wait()
			}
			if held := time.Since(start).Round(time.Millisecond); held != want {
				t.Errorf("round %d: the sender was held up for %s, want %s", round, held, want)
			}
			slow.release()
			synctest.Wait()
		}
		if len(slow.gaps) != 3 {
			t.Errorf("it was told of the gaps %+v", slow.gaps)
		}
	})
}

// Many slow clients hold a sender up for no longer than one does.
func TestOutboxesBlockForOneDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, _, s := slowWorld(t, hub.OutboxOptions{Limit: 8, Deadline: 2 * time.Second})
		for range 4 {
			w.slow(t)
		}
		start := time.Now()
		for i := range 30 {
			trigger(t, s, "e", i)
			synctest.Wait()
		}
		if held := time.Since(start); held != 2*time.Second {
			t.Errorf("the sender was held up for %s, want the deadline once", held)
		}
	})
}

// A sender that is held up goes on as soon as there is room.
func TestOutboxLetsGoWhenThereIsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, slow, _, s := slowWorld(t, hub.OutboxOptions{Limit: 8, Deadline: time.Minute})
		go func() {
			time.Sleep(time.Second)
			slow.release()
		}()
		start := time.Now()
		for i := range 30 {
			trigger(t, s, "e", i)
			synctest.Wait()
		}
		if held := time.Since(start); held != time.Second {
			t.Errorf("the sender was held up for %s, want 1s", held)
		}
		synctest.Wait()
		if len(slow.seen) != 30 || len(slow.gaps) != 0 {
			t.Errorf("the slow client heard %d events and the gaps %+v", len(slow.seen), slow.gaps)
		}
	})
}

func TestOutboxKeepsTheLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, slow, _, s := slowWorld(t, hub.OutboxOptions{Limit: 4, Policy: hub.Latest})
		start := time.Now()
		for i := range 20 {
			trigger(t, s, []string{"e", "f"}[i%2], i)
			synctest.Wait()
		}
		if time.Since(start) != 0 {
			t.Error("the sender was held up")
		}
		slow.release()
		synctest.Wait()
		if got := strings.Join(slow.seen, " "); got != "e0 f1 e2 e16 f17 e18 f19" {
			t.Errorf("the slow client heard %s", got)
		}
		if len(slow.gaps) != 1 || slow.gaps[0] != loss(start, 13, 0, 0, "slow") {
			t.Errorf("it was told of the gaps %+v", slow.gaps)
		}
	})
}

func TestOutboxDisconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, slow, _, s := slowWorld(t, hub.OutboxOptions{Limit: 4, Policy: hub.Hangup})
		for i := range 20 {
			trigger(t, s, "e", i)
		}
		<-slow.gone
	})
}

// What cannot be sent to a client is a gap, too.
func TestOutboxTellsOfWhatIsTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, slow, _, s := slowWorld(t, hub.OutboxOptions{})
		slow.release()
		trigger(t, s, "e", strings.Repeat("x", 2<<20))
		trigger(t, s, "e", 1)
		synctest.Wait()
		if got := strings.Join(slow.seen, " "); got != "e1" {
			t.Errorf("the client heard %.100s", got)
		}
		if len(slow.gaps) != 1 || slow.gaps[0] != loss(time.Now(), 1, 0, 0, "size") {
			t.Errorf("it was told of the gaps %+v", slow.gaps)
		}
	})
}

// The data that waits for a client is bounded, not only the number of its events.
func TestOutboxIsBoundedInBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, slow, _, _ := slowWorld(t, hub.OutboxOptions{Bytes: 1000, Deadline: time.Second})
		c := w.raw(t, "sender")
		if r := c.call("add_sender", `{"sender":"big","events":["e"]}`); r.Status != 0 {
			t.Fatal(r)
		}
		signal := `{"info":{"sender":"big","event":"e"},"data":"` + strings.Repeat("x", 300) + `"}`
		for range 20 {
			if r := c.call("signal", signal); r.Status != 0 {
				t.Fatal(r)
			}
			synctest.Wait()
		}
		slow.release()
		synctest.Wait()
		// Its window holds the #connect and two events; four more fill the outbox, and a fifth is waited for.
		if len(slow.seen) != 8 || len(slow.gaps) != 1 || slow.gaps[0].Count != 13 {
			t.Errorf("the slow client heard %d events and was told of the gaps %+v", len(slow.seen), slow.gaps)
		}
	})
}
