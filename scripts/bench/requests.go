package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// requests is a case with this many requests at a time, from one connection to another. The answer is the request itself.
type requests struct{ slots int }

func (q requests) run(ctx context.Context, e *env, p peer) ([]figure, error) {
	return withPeer(ctx, e, e.profiled(p), func() ([]figure, error) {
		responder, err := p.respond(ctx)
		if err != nil {
			return nil, err
		}
		defer responder.close()
		r, err := p.requester(ctx)
		if err != nil {
			return nil, err
		}
		defer r.close()
		if _, err := q.ask(ctx, r, e.warm); err != nil {
			return nil, err
		}
		done := e.startProfile(e.span)
		start := time.Now()
		took, err := q.ask(ctx, r, e.span)
		if err != nil {
			return nil, err
		}
		rate := figure{"requests/s", float64(len(took)) / time.Since(start).Seconds()}
		return append([]figure{rate}, percentiles(took)...), done()
	})
}

// ask keeps every slot busy for a while, and returns how long each request took.
func (q requests) ask(ctx context.Context, r requester, span time.Duration) ([]time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, span+patience)
	defer cancel()
	clock := newClock()
	took, errs := make([][]time.Duration, q.slots), make([]error, q.slots)
	var all sync.WaitGroup
	for slot := range q.slots {
		all.Go(func() {
			payload := make([]byte, payloadSize)
			for seq := uint32(0); errs[slot] == nil; seq++ {
				start := clock.now()
				if start >= span {
					return
				}
				writePayload(payload, uint32(slot), seq, start)
				answer, err := r.request(ctx, slot, payload)
				if err == nil && !bytes.Equal(answer, payload) {
					err = fmt.Errorf("%q was answered with %q", payload, answer)
				}
				errs[slot] = err
				took[slot] = append(took[slot], clock.now()-start)
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("a request failed: %w", err)
	}
	return slices.Concat(took...), nil
}
