package main

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sighub/scripts/bench/peers"
)

// nobody needs no closing.
type nobody struct{}

func (nobody) Close() {}

// A fakePeer delivers within the process, and does harm: what becomes of message number n is up to it.
type fakePeer struct {
	peers.Peer
	acks  bool
	harm  func(n int) (copies int)
	limit int // of ahead
	mu    sync.Mutex
	hear  []func([]byte)
	n     int
}

func (p *fakePeer) Acknowledged() bool { return p.acks }
func (p *fakePeer) Ahead() int         { return p.limit }

func (p *fakePeer) Subscribe(_ context.Context, _ int, fn func([]byte)) (peers.Closer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hear = append(p.hear, fn)
	return nobody{}, nil
}

func (p *fakePeer) Publisher(context.Context, int) (peers.Publisher, error) {
	return fakePublisher{nobody{}, p}, nil
}

type fakePublisher struct {
	peers.Closer
	p *fakePeer
}

func (f fakePublisher) Publish(payload []byte) error {
	for range f.p.harm(f.p.n) {
		for _, fn := range f.p.hear {
			fn(payload)
		}
	}
	f.p.n++
	return nil
}

func (fakePublisher) Flush() error { return nil }
func (fakePublisher) Drain() error { return nil }

// A message that is lost, doubled or changed is found, whatever the case.
func TestCrowdFindsHarm(t *testing.T) {
	for name, c := range map[string]struct {
		acks  bool
		harm  func(n int) int
		lost  uint64
		fault string
	}{
		"none":         {true, func(int) int { return 1 }, 0, ""},
		"lost":         {true, func(n int) int { return min(1, n%10) }, 30, "30 messages of 300 are missing"},
		"last lost":    {true, func(n int) int { return min(1, 99-n) }, 3, "3 messages of 300 are missing"},
		"may be lost":  {false, func(n int) int { return min(1, n%10) }, 30, ""},
		"doubled":      {true, func(n int) int { return 1 + n/99 }, 0, "3 messages came twice"},
		"may not come": {false, func(n int) int { return 1 + n/99 }, 0, "3 messages came twice"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &fakePeer{acks: c.acks, harm: c.harm}
				crowd, err := newCrowd(t.Context(), p, fan{1, 3, 0})
				if err != nil {
					t.Fatal(err)
				}
				defer crowd.close()
				b, err := crowd.paced(t.Context(), 100, time.Millisecond)
				if b.lost != c.lost {
					t.Errorf("%d are lost, want %d", b.lost, c.lost)
				}
				if c.fault == "" && err != nil || c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)) {
					t.Errorf("the fault is %v, want %q", err, c.fault)
				}
			})
		})
	}
}

// Time counts from the first message to the last one heard.
func TestCrowdMeasures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakePeer{acks: true, harm: func(int) int { return 1 }}
		crowd, err := newCrowd(t.Context(), p, fan{1, 2, 0})
		if err != nil {
			t.Fatal(err)
		}
		defer crowd.close()
		if err := crowd.listen.recordLatencies(100); err != nil {
			t.Fatal(err)
		}
		b, err := crowd.paced(t.Context(), 101, 10*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		if b.heard != 202 || b.took != time.Second {
			t.Errorf("%d heard in %s, want 202 in 1s", b.heard, b.took)
		}
		if got, err := crowd.listen.latencies(); err != nil || len(got) != 100 || percentile(got, 1) != 0 {
			t.Errorf("%d latencies of up to %s, want 100 of 0", len(got), percentile(got, 1))
		}
	})
}

// A sender that may not be further ahead waits.
func TestCrowdKeepsPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakePeer{acks: true, harm: func(int) int { return 0 }, limit: 64}
		crowd, err := newCrowd(t.Context(), p, fan{1, 1, 1000})
		if err != nil {
			t.Fatal(err)
		}
		defer crowd.close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := crowd.send.pour(ctx, crowd.clock.Now()+time.Hour); err == nil {
			t.Fatal("it was not held up")
		}
		if p.n != 64+paceStep {
			t.Errorf("the sender is %d messages ahead, want %d", p.n, 64+paceStep)
		}
	})
}

type countedClient struct{ closed *atomic.Int64 }

func (c *countedClient) Close() { c.closed.Add(1) }

// If one client cannot be opened, the others are closed, and not what was returned in its place.
func TestOpenAll(t *testing.T) {
	var opened, closed atomic.Int64
	broken := errors.New("refused")
	_, err := openAll(40, func(i int) (peers.Closer, error) {
		if i == 20 {
			return (*countedClient)(nil), broken
		}
		opened.Add(1)
		return &countedClient{&closed}, nil
	})
	if !errors.Is(err, broken) || opened.Load() == 0 || closed.Load() != opened.Load() {
		t.Errorf("%v; %d clients were opened and %d closed", err, opened.Load(), closed.Load())
	}
}
