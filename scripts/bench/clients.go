package main

import (
	"sync"
	"sync/atomic"

	"sighub/scripts/bench/peers"
)

// inParallel calls f for 0 to n-1, some at a time, until one fails.
func inParallel(n int, f func(i int) error) error {
	const workers = 16
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	for range min(n, workers) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && failed.Load() == nil; i = int(next.Add(1)) - 1 {
				if err := f(i); err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// openAll opens n clients, some at a time. If one fails, it closes the others.
func openAll[C peers.Closer](n int, open func(i int) (C, error)) ([]C, error) {
	clients := make([]C, n)
	err := inParallel(n, func(i int) error {
		c, err := open(i)
		if err == nil {
			clients[i] = c
		}
		return err
	})
	if err != nil {
		closeAll(clients)
		return nil, err
	}
	return clients, nil
}

// closeAll closes clients, except those that are nil.
func closeAll[C peers.Closer](clients []C) {
	_ = inParallel(len(clients), func(i int) error { // it does not fail
		if any(clients[i]) != nil {
			clients[i].Close()
		}
		return nil
	})
}
