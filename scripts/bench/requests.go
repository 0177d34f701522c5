package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"sighub/scripts/bench/message"
	"sighub/scripts/bench/peers"
)

// requests is a case with this many requests at a time, from one connection to another. The answer is the request itself.
type requests struct{ slots int }

func (q requests) run(ctx context.Context, e *env, p peers.Peer) ([]figure, error) {
	return withPeer(ctx, e, e.profiled(p), func() ([]figure, error) {
		responder, err := startSide(ctx, e, "responder")
		if err != nil {
			return nil, err
		}
		defer responder.close()
		requester, err := startSide(ctx, e, "requester")
		if err != nil {
			return nil, err
		}
		defer requester.close()
		if err := errors.Join(responder.call("Respond", e.job(p), nil), requester.call("Request", e.job(p), nil)); err != nil {
			return nil, err
		}
		var asked Asked
		ask := func(span time.Duration) error {
			asked = Asked{} // a decoder would add to it
			return requester.call("Ask", Asking{q.slots, span}, &asked)
		}
		if err := ask(e.warm); err != nil {
			return nil, err
		}
		done := e.startProfile(e.span)
		var first Asked // the others are for the counts
		costs, err := costsOf(e, []consumer{
			{"peer's", p.Running().Pid()}, {"requester's", requester.pid()}, {"responder's", responder.pid()},
		}, "request", func(span time.Duration) (float64, error) {
			err := ask(span)
			if first.Each == nil {
				first = asked
			}
			return float64(len(asked.Each)), err
		})
		if err != nil {
			return nil, err
		}
		figures := append([]figure{{"requests/s", float64(len(first.Each)) / first.All.Seconds()}}, percentiles(first.Each)...)
		return append(figures, costs...), done()
	})
}

// Asked is how long each request took, and all of them together.
type Asked struct {
	Each []time.Duration
	All  time.Duration
}

// ask keeps every slot busy for a while, and returns how long each request took.
func ask(ctx context.Context, r peers.Requester, slots int, span time.Duration) (Asked, error) {
	ctx, cancel := context.WithTimeout(ctx, span+peers.Patience)
	defer cancel()
	clock := message.NewClock()
	began := clock.Now()
	took, errs := make([][]time.Duration, slots), make([]error, slots)
	var all sync.WaitGroup
	for slot := range slots {
		all.Go(func() {
			payload := make([]byte, message.Size)
			for seq := uint32(0); errs[slot] == nil; seq++ {
				start := clock.Now()
				if start >= began+span {
					return
				}
				message.Write(payload, uint32(slot), seq, start)
				answer, err := r.Request(ctx, slot, payload)
				if err == nil && !bytes.Equal(answer, payload) {
					err = fmt.Errorf("%q was answered with %q", payload, answer)
				}
				errs[slot] = err
				took[slot] = append(took[slot], clock.Now()-start)
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return Asked{}, fmt.Errorf("a request failed: %w", err)
	}
	return Asked{slices.Concat(took...), clock.Now() - began}, nil
}
