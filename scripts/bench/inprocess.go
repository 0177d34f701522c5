package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"sighub/hub"
	"sighub/scripts/bench/peers"
)

// inProcess measures the cost of an event when sender and listeners are in one program.
func inProcess(context.Context, *env, peers.Peer) ([]figure, error) {
	var figures []figure
	for _, n := range []int{1, 10} {
		var failed error
		r := testing.Benchmark(func(b *testing.B) {
			if err := triggerLocally(b, n); err != nil {
				failed = err
				b.FailNow()
			}
		})
		if failed != nil || r.N == 0 {
			return nil, errors.Join(errors.New("the benchmark failed"), failed)
		}
		figures = append(figures,
			figure{fmt.Sprintf("ns/listener, of %d", n), float64(r.NsPerOp()) / float64(n)},
			figure{fmt.Sprintf("allocations, %d listeners", n), float64(r.AllocsPerOp())})
	}
	return figures, nil
}

func triggerLocally(b *testing.B, listeners int) error {
	r := hub.NewRouter(hub.Options{})
	heard := 0
	for range listeners {
		if _, err := r.AddListener("light", "lux", func(hub.Event) { heard++ }); err != nil {
			return err
		}
	}
	s, err := r.AddSender("light", hub.SenderOptions{Events: []string{"lux"}})
	if err != nil {
		return err
	}
	lux, err := s.Signal("lux")
	if err != nil {
		return err
	}
	ctx, data := context.Background(), any(512)
	b.ReportAllocs()
	for b.Loop() {
		if err := lux.Trigger(ctx, data); err != nil {
			return err
		}
	}
	if heard != listeners*b.N {
		return fmt.Errorf("%d listeners heard %d of %d events", listeners, heard, listeners*b.N)
	}
	return nil
}
