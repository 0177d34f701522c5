package hub_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/hub"
	"sighub/journal"
	"sighub/journal/journaltest"
)

// A consumer stores what it does about events together with their positions, and is ended at any point.
type consumer struct {
	name string
	o    hub.ListenerOptions

	mu    sync.Mutex
	at    hub.Position
	done  []int // numbers, in order
	twice int   // events that were heard again, which their positions show
	gaps  int
}

// hear is the consumer's callback. The position is stored with the effect.
func (c *consumer) hear(ev hub.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var n int
	switch {
	case !ev.Position.IsZero() && !c.at.Before(ev.Position) && ev.Name != hub.Gap:
		c.twice++
		return
	case !ev.Position.IsZero():
		c.at = ev.Position
	}
	if ev.Name == hub.Gap { // of what was never acknowledged: a hub whose disk fails gives it up when it ends
		c.gaps++
		return
	}
	if err := ev.Data.Decode(&n); err != nil {
		panic(err)
	}
	c.done = append(c.done, n)
}

func (c *consumer) options() hub.ListenerOptions {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.o
	if o.Cursor == "" {
		o.After = c.at
	}
	return o
}

// TestOnceAcrossCuts: whenever the power of the hub is cut, a client ends or a connection is lost, each event that was acknowledged is
// heard once and in order: by a listener that stores positions beside its effects, by one with a cursor but for what positions show
// to be double, and by one that hears events at once.
func TestOnceAcrossCuts(t *testing.T) {
	rounds := 25
	if testing.Short() {
		rounds = 5
	}
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { onceAcrossCuts(t, seed, rounds) })
	}
}

func onceAcrossCuts(t *testing.T, seed uint64, rounds int) {
	rnd := rand.New(rand.NewPCG(seed, 7))
	disk := journaltest.NewFolder(seed)
	path := "unix://" + t.TempDir() + "/hub"
	way, lineAddr := newLine(t, path)
	backoff := carrier.Backoff{Min: time.Millisecond, Max: 5 * time.Millisecond}
	client := func(addr string) (*hub.ClientRouter, func()) {
		r := hub.NewClientRouter(hub.ClientOptions{RequestTimeout: patience})
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { defer close(ended); _ = r.Serve(ctx, tcp.NewClient(addr, tcp.ClientOptions{Backoff: backoff})) }()
		stop := sync.OnceFunc(func() { cancel(); <-ended })
		t.Cleanup(stop)
		return r, stop
	}
	boot := func() (stop func()) {
		j, err := journal.OpenFolder(disk, journal.Options{Segment: 256 << 10, Size: 64 << 20})
		if err != nil {
			t.Fatal(err)
		}
		server, err := tcp.Listen(path, tcp.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s := hub.NewServerRouter(hub.ServerOptions{Journal: j, Grace: time.Millisecond})
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { defer close(ended); _ = s.Serve(ctx, server) }()
		return func() { cancel(); <-ended }
	}
	down := boot()
	sender, _ := client(path)
	lasting, _ := client(lineAddr)
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	g := func() *hub.Signal {
		s, err := sender.AddRemoteSender(ctx, "s", hub.SenderOptions{Events: []string{"n"}})
		if err != nil {
			t.Fatal(err)
		}
		g, err := s.Signal("n")
		if err != nil {
			t.Fatal(err)
		}
		return g
	}()
	live := &consumer{name: "live"}
	if _, err := lasting.AddRemoteListener(ctx, "s", "n", live.hear); err != nil {
		t.Fatal(err)
	}
	stored := &consumer{name: "stored", o: hub.ListenerOptions{From: "start"}}
	named := &consumer{name: "named", o: hub.ListenerOptions{Cursor: "named", From: "start"}}

	var mu sync.Mutex
	var acked []int
	next := 0
	trigger := func(n int) {
		for range n {
			i := next
			next++
			_ = g.TriggerAsync(ctx, i, func(err error) {
				if err == nil {
					mu.Lock()
					defer mu.Unlock()
					acked = append(acked, i)
				}
			})
		}
	}
	listen := func(r *hub.ClientRouter, c *consumer) {
		until(t, func() bool { // the hub may not have noticed yet that the former client is gone
			_, err := r.AddRemoteListenerWith(ctx, "s", "n", c.options(), c.hear)
			if err != nil && !errors.Is(err, hub.ErrCursor) {
				t.Fatalf("%s: %v", c.name, err)
			}
			return err == nil
		})
	}
	for range rounds {
		if err := sender.WaitConnected(ctx); err != nil {
			t.Fatal(err)
		}
		r, stop := client(path)
		for _, c := range []*consumer{stored, named} {
			listen(r, c)
		}
		faults := journaltest.None()
		powerCut := rnd.IntN(2) == 0
		if powerCut {
			faults.CutIn = rnd.IntN(12)
			disk.SetFaults(faults)
		}
		trigger(rnd.IntN(300))
		if rnd.IntN(2) == 0 {
			way.set(true)
			trigger(rnd.IntN(300))
			way.set(false)
		}
		time.Sleep(time.Duration(rnd.IntN(20)) * time.Millisecond) // so that the end comes at any point
		if powerCut {
			disk.Cut()
			down()
			stop()
			disk.Restore()
			down = boot()
			continue
		}
		stop()
	}
	r, _ := client(path)
	for _, c := range []*consumer{stored, named} {
		listen(r, c)
	}
	until(t, func() bool { return g.Trigger(ctx, next) == nil })
	defer func() { down() }()
	for _, c := range []*consumer{stored, named, live} {
		until(t, func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return slices.Contains(c.done, next)
		})
		c.mu.Lock()
		mu.Lock()
		if !slices.IsSorted(c.done) || len(slices.Compact(slices.Clone(c.done))) != len(c.done) {
			t.Errorf("%s: not each once and in order: %v", c.name, disorder(c.done))
		}
		for _, n := range acked {
			if _, found := slices.BinarySearch(c.done, n); !found {
				t.Errorf("%s has not heard %d, which was acknowledged", c.name, n)
				break
			}
		}
		mu.Unlock()
		t.Logf("%s: %d events, %d of %d acknowledged, %d twice, %d gaps", c.name, len(c.done), len(acked), next, c.twice, c.gaps)
		c.mu.Unlock()
	}
}

// disorder returns where a list is not strictly ascending.
func disorder(list []int) (around []int) {
	for i := range list[1:] {
		if list[i+1] <= list[i] {
			around = append(around, list[max(0, i-2):min(len(list), i+4)]...)
		}
	}
	return around
}
