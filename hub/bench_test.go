package hub_test

import (
	"context"
	"fmt"
	"testing"

	"sighub/carrier"
	"sighub/carrier/local"
	"sighub/hub"
)

// BenchmarkTrigger is the way of an event within the process.
func BenchmarkTrigger(b *testing.B) {
	for _, n := range []int{1, 10} {
		b.Run(fmt.Sprintf("listeners=%d", n), func(b *testing.B) {
			r := hub.NewRouter(hub.Options{})
			heard := 0
			for range n {
				if _, err := r.AddListener("light", "lux", func(hub.Event) { heard++ }); err != nil {
					b.Fatal(err)
				}
			}
			s, err := r.AddSender("light", hub.SenderOptions{Events: []string{"lux"}})
			if err != nil {
				b.Fatal(err)
			}
			sig, err := s.Signal("lux")
			if err != nil {
				b.Fatal(err)
			}
			ctx, data := context.Background(), any(512)
			b.ReportAllocs()
			for b.Loop() {
				if err := sig.Trigger(ctx, data); err != nil {
					b.Fatal(err)
				}
			}
			if heard != n*b.N {
				b.Fatalf("%d heard, want %d", heard, n*b.N)
			}
		})
	}
}

// BenchmarkRemoteSignal is the way of an acknowledged event from one client to another through the hub.
func BenchmarkRemoteSignal(b *testing.B) {
	s, l := hub.NewServerRouter(hub.ServerOptions{}), local.NewHub(local.Options{Window: 1024})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{}, 3)
	serve := func(f func() error) { go func() { _ = f(); done <- struct{}{} }() }
	from, to := hub.NewClientRouter(hub.ClientOptions{}), hub.NewClientRouter(hub.ClientOptions{})
	serve(func() error { return s.Serve(ctx, l) })
	serve(func() error { return from.Serve(ctx, l.NewPeer("from")) })
	serve(func() error { return to.Serve(ctx, l.NewPeer("to")) })
	defer func() {
		cancel()
		for range 3 {
			<-done
		}
	}()
	sender, err := from.AddRemoteSender(ctx, "light", hub.SenderOptions{Events: []string{"lux"}})
	if err != nil {
		b.Fatal(err)
	}
	sig, err := sender.Signal("lux")
	if err != nil {
		b.Fatal(err)
	}
	heard := make(chan struct{}, 1<<20)
	if _, err := to.AddRemoteListener(ctx, "light", "lux", func(hub.Event) { heard <- struct{}{} }); err != nil {
		b.Fatal(err)
	}
	data := carrier.ValueOf("64 bytes of payload, as the benchmarks of brokers have them ....")
	b.ReportAllocs()
	for b.Loop() {
		if err := sig.TriggerAsync(ctx, data, func(err error) {
			if err != nil {
				b.Error(err)
			}
		}); err != nil {
			b.Fatal(err)
		}
	}
	for range b.N {
		<-heard
	}
}
