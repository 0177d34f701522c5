package main

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

// idleListeners is the number of idle listeners.
const idleListeners = 10_000

// idle measures the memory of a peer with many idle listeners, and how long they take to connect.
func idle(ctx context.Context, e *env, p peer) ([]figure, error) {
	// With a crowd, so that the peer has done everything once.
	return withCrowd(ctx, e, p, fan{senders: 1, listeners: 1}, func(c *crowd) ([]figure, error) {
		if _, err := c.paced(ctx, 10, time.Millisecond); err != nil {
			return nil, err
		}
		before, _, err := p.running().resident()
		if err != nil {
			return nil, err
		}
		start := time.Now()
		subs, err := openAll(idleListeners, func(int) (closer, error) { return p.subscribe(ctx, 0, ignore) })
		if err != nil {
			return nil, err
		}
		defer closeAll(subs)
		took := time.Since(start)
		if err := pause(ctx, time.Second); err != nil { // the peer may release what it needed for connecting
			return nil, err
		}
		after, _, err := p.running().resident()
		return []figure{{"KB/connection", (after - before) / idleListeners / 1024}, {"connecting all, s", took.Seconds()}}, err
	})
}

// allowFiles lets this process and its children open as many files as the system allows.
func allowFiles() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	const needed = idleListeners + 500
	if limit.Max < needed {
		return fmt.Errorf("a process may open %d files, and the idle case needs %d: raise the hard limit (ulimit -Hn)", limit.Max, needed)
	}
	limit.Cur = limit.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}

// startup measures how soon a program accepts a connection, and its memory then. One measurement is the median of several starts: a
// start is short, and easily disturbed.
func startup(ctx context.Context, e *env, p peer) ([]figure, error) {
	var took, memory []float64
	for range 5 {
		_, err := withPeer(ctx, e, p, func() ([]figure, error) {
			took = append(took, micros(p.running().started)/1000)
			if err := pause(ctx, 300*time.Millisecond); err != nil {
				return nil, err
			}
			now, _, err := p.running().resident()
			memory = append(memory, now/(1<<20))
			return nil, err
		})
		if err != nil {
			return nil, err
		}
	}
	return []figure{{"first connection, ms", median(took)}, {"resident, MB", median(memory)}}, nil
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
