package hub_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/carrier/local"
	"sighub/hub"
)

// A tardy client answers each event some time after the one before, and counts what it hears.
type tardy struct {
	*slowClient
	pause func(n int) time.Duration // before the answer to event n
	queue chan func(carrier.Reply)
}

func (c *tardy) HandleMessage(id carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
	c.slowClient.HandleMessage(id, m, func(carrier.Reply) {})
	c.queue <- respond
}

// tardy connects a client with so many equal listeners to everything, from a place of its own.
func (w *world) tardy(t *testing.T, listeners int, pause func(n int) time.Duration) *tardy {
	t.Helper()
	return serveTardy(t, w.local.NewPeer("tardy"), listeners, pause)
}

func serveTardy(t *testing.T, peer *local.Peer, listeners int, pause func(n int) time.Duration) *tardy {
	t.Helper()
	c := &tardy{
		pause: pause, queue: make(chan func(carrier.Reply), 1<<16),
		slowClient: &slowClient{gone: make(chan struct{}), rawClient: &rawClient{
			t: t, peer: peer, id: make(chan carrier.ClientID, 1)}},
	}
	ended, stopped := make(chan struct{}), make(chan struct{})
	go func() { defer close(stopped); _ = c.peer.Serve(t.Context(), c) }()
	go func() {
		defer close(ended)
		n := 0
		for respond := range c.queue {
			time.Sleep(c.pause(n))
			respond(carrier.Done(nil))
			n++
		}
	}()
	t.Cleanup(func() { <-stopped; close(c.queue); <-ended })
	c.hub = <-c.id
	c.listen(listeners)
	return c
}

func (c *tardy) listen(listeners int) {
	for range listeners {
		if r := c.call("add_listener", `{"sender":"s","event":"e","policy":"block","deadline":60000}`); r.Status != 0 {
			c.t.Error(r)
		}
	}
}

// report triggers so many events, with a pause between them, and returns how long the sender was held up, in all and at the most.
func report(t *testing.T, s *hub.Sender, events int, pause time.Duration) (all, most time.Duration) {
	t.Helper()
	g, err := s.Signal("e")
	if err != nil {
		t.Fatal(err)
	}
	for i := range events {
		began := time.Now()
		if err := g.Trigger(t.Context(), i); err != nil {
			t.Fatal(err)
		}
		took := time.Since(began)
		all, most = all+took, max(most, took)
		time.Sleep(pause)
	}
	return all, most
}

// TestPatienceIsForAllListeners: a client with many listeners that lets a deadline pass, catches up, and does so again, holds
// its senders up for one deadline and not for one after the other.
func TestPatienceIsForAllListeners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const deadline = 5 * time.Second // is granted at the most
		w := serve(t, hub.ServerOptions{Outbox: hub.OutboxOptions{Limit: 16, Deadline: time.Second}})
		w.tardy(t, 64, func(n int) time.Duration {
			if n%64 == 0 {
				return deadline + deadline/100
			}
			return 0
		})
		s := addSender(t, w.Router, "s", "e")
		const events, grace = 30, 100 * time.Microsecond // for each event
		if all, most := report(t, s, events, 1500*time.Millisecond); all > deadline+events*grace || most < deadline/2 {
			t.Errorf("%d events were held up for %s, one of them for %s", events, all, most)
		}
	})
}

// TestEqualListenersCountOnce: a client is not faster because it hears each event many times.
func TestEqualListenersCountOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const deadline, listeners, events = 5 * time.Second, 64, 4000
		w := serve(t, hub.ServerOptions{Outbox: hub.OutboxOptions{Limit: 64, Deadline: deadline}})
		w.tardy(t, listeners, func(int) time.Duration { return 6 * time.Millisecond / listeners })
		s := addSender(t, w.Router, "s", "e")
		if all, _ := report(t, s, events, 0); all > deadline+deadline/10 || all < deadline/2 {
			t.Errorf("the sender was held up for %s", all)
		}
	})
}

// TestBusyListener: a client that answers all the time, but slowly, holds its senders up for one deadline in all. Who keeps up
// hears everything, and the slow one is told what it has missed.
func TestBusyListener(t *testing.T) {
	for _, senders := range []int{1, 4} {
		synctest.Test(t, func(t *testing.T) {
			const deadline, events = 2 * time.Second, 3000
			w := serve(t, hub.ServerOptions{Outbox: hub.OutboxOptions{Limit: 64, Deadline: deadline}})
			c := w.tardy(t, 0, func(int) time.Duration { return 18 * time.Millisecond })
			if r := c.call("add_listener", `{"sender":"s","event":"e"}`); r.Status != 0 {
				t.Fatal(r)
			}
			s := addSender(t, w.Router, "s", "e")
			heard := 0
			if _, err := w.AddListener("s", "e", func(hub.Event) { heard++ }); err != nil {
				t.Fatal(err)
			}
			var reporting sync.WaitGroup
			began := time.Now()
			for range senders {
				reporting.Go(func() { report(t, s, events/senders, 0) })
			}
			reporting.Wait()
			if all := time.Since(began); all > deadline+deadline/4 || all < deadline/2 {
				t.Errorf("%d senders were held up for %s", senders, all)
			}
			time.Sleep(10 * time.Minute)
			if heard != events {
				t.Errorf("%d of %d were heard", heard, events)
			}
			if _, most := report(t, s, 1, 0); most > 0 {
				t.Errorf("an event is held up for %s, though there is room", most)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			told := len(c.seen)
			for _, gap := range c.gaps {
				told += int(gap.Count)
			}
			if told != events+1 || len(c.gaps) == 0 {
				t.Errorf("of %d the slow one heard %d and of gaps %+v", events+1, len(c.seen), c.gaps)
			}
		})
	}
}

// TestFastListenersAreWaitedFor: listeners that are only a little slower than their sender lose nothing, however long it takes, also if
// many of them are at one place.
func TestFastListenersAreWaitedFor(t *testing.T) {
	for clients, events := range map[int]int{1: 200_000, 4: 70_000} {
		synctest.Test(t, func(t *testing.T) {
			const each, deadline = 90 * time.Microsecond, time.Second
			w := serve(t, hub.ServerOptions{Outbox: hub.OutboxOptions{Limit: 64, Deadline: deadline}})
			var all []*tardy
			for i := range clients {
				peer := w.local.NewPeerAs(carrier.Client{Name: "tardy", Addr: fmt.Sprint("tcp://10.0.0.1:", i+1)})
				all = append(all, serveTardy(t, peer, 1, func(n int) time.Duration {
					if n%100 == 0 {
						return 100 * each
					}
					return 0
				}))
			}
			s := addSender(t, w.Router, "s", "e")
			if held, _ := report(t, s, events, 0); held < 5*deadline {
				t.Errorf("the sender was held up for %s only: the test proves nothing", held)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			for i, c := range all {
				if len(c.seen) != events || len(c.gaps) > 0 {
					t.Errorf("client %d of %d heard %d of %d, and of gaps %+v", i+1, clients, len(c.seen), events, c.gaps)
				}
			}
		})
	}
}

// TestMemoryHoldsSendersUp: listeners lose nothing if the memory for what waits is short, and not the limit of their outboxes.
func TestMemoryHoldsSendersUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients, senders, events = 4, 8, 20_000
		w := serve(t, hub.ServerOptions{Memory: carrier.NewBudget(8 << 20), Outbox: hub.OutboxOptions{Limit: events}})
		var all []*tardy
		for i := range clients {
			peer := w.local.NewPeerAs(carrier.Client{Name: "tardy", Addr: fmt.Sprint("tcp://10.0.0.1:", i+1)})
			all = append(all, serveTardy(t, peer, 1, func(n int) time.Duration { return time.Duration(n%100/99) * time.Millisecond }))
		}
		var reporting sync.WaitGroup
		for i := range senders {
			s := addSender(t, w.Router, fmt.Sprint("s", i), "e")
			for _, c := range all {
				if r := c.call("add_listener", fmt.Sprintf(`{"sender":%q,"event":"e"}`, s.Name())); r.Status != 0 {
					t.Fatal(r)
				}
			}
			reporting.Go(func() { report(t, s, events/senders, 0) })
		}
		reporting.Wait()
		time.Sleep(time.Minute)
		synctest.Wait()
		for i, c := range all {
			if len(c.seen) != events || len(c.gaps) > 0 {
				t.Errorf("client %d heard %d of %d, and of gaps %+v", i+1, len(c.seen), events, c.gaps)
			}
		}
	})
}

// TestPatienceWithOthers: the patience with one client is not that with another one.
func TestPatienceWithOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const deadline = 2 * time.Second
		w := serve(t, hub.ServerOptions{Outbox: hub.OutboxOptions{Limit: 64, Deadline: deadline}})
		never := func(int) time.Duration { return 24 * time.Hour }
		s := addSender(t, w.Router, "s", "e")
		for i := range 3 {
			c := w.tardy(t, 0, never)
			if r := c.call("add_listener", fmt.Sprintf(`{"sender":"s","event":"e","deadline":%d}`, deadline.Milliseconds())); r.Status != 0 {
				t.Fatal(r)
			}
			if all, _ := report(t, s, 200, 0); all != deadline {
				t.Errorf("client %d: the sender was held up for %s", i, all)
			}
		}
	})
}
