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
func idle(ctx context.Context, e *env, name string) ([]figure, error) {
	p, err := newPeer(name)
	if err != nil {
		return nil, err
	}
	var figures []figure
	err = withPeer(ctx, e, p, func() error {
		c, err := newCrowd(ctx, p, 1, 1, 0) // so that the peer has done everything once
		if err != nil {
			return err
		}
		defer c.close()
		if _, err := c.paced(ctx, 10, time.Millisecond); err != nil {
			return err
		}
		before, _, err := p.process().resident()
		if err != nil {
			return err
		}
		start := time.Now()
		subs := make([]closer, idleListeners)
		defer func() {
			_ = inParallel(len(subs), func(i int) error { // it does not fail
				if subs[i] != nil {
					subs[i].close()
				}
				return nil
			})
		}()
		err = inParallel(idleListeners, func(i int) (err error) {
			subs[i], err = p.subscribe(ctx, 0, func([]byte) {})
			return err
		})
		if err != nil {
			return err
		}
		took := time.Since(start)
		if err := pause(ctx, time.Second); err != nil { // the peer may release what it needed for connecting
			return err
		}
		after, _, err := p.process().resident()
		figures = []figure{{"KB/connection", (after - before) / idleListeners / 1024}, {"connecting all, s", took.Seconds()}}
		return err
	})
	return figures, err
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
func startup(ctx context.Context, e *env, name string) ([]figure, error) {
	var took, memory []float64
	for range 5 {
		p, err := newPeer(name)
		if err != nil {
			return nil, err
		}
		err = withPeer(ctx, e, p, func() error {
			took = append(took, micros(p.process().started)/1000)
			if err := pause(ctx, 300*time.Millisecond); err != nil {
				return err
			}
			now, _, err := p.process().resident()
			memory = append(memory, now/(1<<20))
			return err
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
