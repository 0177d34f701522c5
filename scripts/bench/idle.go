package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"sighub/scripts/bench/costs"
	"sighub/scripts/bench/peers"
	"sighub/scripts/bench/results"
)

// idleListeners is the number of idle listeners.
const idleListeners = 10_000

// idle measures the memory of a peer with many idle listeners, and how long they take to connect.
func idle(ctx context.Context, e *env, p peers.Peer) ([]figure, error) {
	// With a crowd, so that the peer has done everything once.
	return withCrowd(ctx, e, p, fan{senders: 1, listeners: 1}, func(c *crowd) ([]figure, error) {
		if _, err := c.paced(ctx, 10, time.Millisecond); err != nil {
			return nil, err
		}
		before, _, err := p.Running().Resident()
		if err != nil {
			return nil, err
		}
		start := time.Now()
		subs, err := openAll(idleListeners, func(int) (peers.Closer, error) { return p.Subscribe(ctx, 0, peers.Ignore) })
		if err != nil {
			return nil, err
		}
		defer closeAll(subs)
		took := time.Since(start)
		if err := pause(ctx, time.Second); err != nil { // the peer may release what it needed for connecting
			return nil, err
		}
		after, _, err := p.Running().Resident()
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
func startup(ctx context.Context, e *env, p peers.Peer) ([]figure, error) {
	var took, memory []float64
	for range 5 {
		_, err := withPeer(ctx, e, p, func() ([]figure, error) {
			took = append(took, micros(p.Running().Started())/1000)
			if err := pause(ctx, 300*time.Millisecond); err != nil {
				return nil, err
			}
			now, _, err := p.Running().Resident()
			memory = append(memory, now/(1<<20))
			return nil, err
		})
		if err != nil {
			return nil, err
		}
	}
	return []figure{{"first connection, ms", results.Median(took)}, {"resident, MB", results.Median(memory)}}, nil
}

// rest measures what a program does that nobody is connected to: how often the kernel switches from one of its threads, which each
// wake-up ends with, and its system calls.
func rest(ctx context.Context, e *env, p peers.Peer) ([]figure, error) {
	return withPeer(ctx, e, p, func() ([]figure, error) {
		if err := pause(ctx, 3*time.Second); err != nil { // it may finish its start
			return nil, err
		}
		spans := 4 * e.span
		running := p.Running()
		before, err := costs.CPU(running.Pid())
		if err != nil {
			return nil, err
		}
		perMinute := float64(time.Minute) / float64(spans)
		var figures []figure
		if e.counted {
			counted, err := countsOf([]consumer{{"", running.Pid()}}, "min", func() (float64, error) { return 1 / perMinute, pause(ctx, spans) })
			if err != nil {
				return nil, err
			}
			figures = []figure{{"wake-ups/min", counted[1].Value}, {"system calls/min", counted[0].Value}}
		} else if err := pause(ctx, spans); err != nil {
			return nil, err
		}
		after, err := costs.CPU(running.Pid())
		if err != nil {
			return nil, err
		}
		now, _, err := running.Resident()
		return append([]figure{
			{"resident, MB", now / (1 << 20)}, {"CPU, ms/min", micros(after-before) / 1000 * perMinute},
		}, figures...), err
	})
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
