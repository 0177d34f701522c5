package journal

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// BenchmarkCommit measures commits of so many events of 64 bytes, each on disk before the next is made.
func BenchmarkCommit(b *testing.B) {
	for _, n := range []int{1, 64, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			j, err := Open(b.TempDir(), Options{Size: 64 << 20, Pace: PaceOptions{Burst: 1 << 50}})
			if err != nil {
				b.Fatal(err)
			}
			ended := make(chan Ticket, 1)
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan error)
			go func() { done <- j.Serve(ctx, func(t Ticket, _ bool) { ended <- t }) }()
			g := j.NewGroup()
			data := make([]byte, 64)
			b.ReportAllocs()
			for b.Loop() {
				for i := range n {
					g.Add(Event{Topic: Topic{"light", "lux"}, Time: int64(i), Data: data})
				}
				g.Append(false)
				<-ended
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "events/s")
			cancel()
			if err := <-done; err != nil {
				b.Error(err)
			}
		})
	}
}

// BenchmarkRead measures reading.
func BenchmarkRead(b *testing.B) {
	j, err := Open(b.TempDir(), Options{Size: 256 << 20, Pace: PaceOptions{Burst: 1 << 50}})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error)
	go func() { done <- j.Serve(ctx, func(Ticket, bool) {}) }()
	g := j.NewGroup()
	data := make([]byte, 64)
	const events = 500_000
	for i := range events {
		g.Add(Event{Topic: Topic{"light", "lux"}, Time: int64(i), Data: data})
		if i%1000 == 999 {
			g.Append(false)
		}
	}
	for j.Sync(ctx) != nil {
		time.Sleep(time.Millisecond)
	}
	some := make([]Entry, 256)
	b.ReportAllocs()
	for b.Loop() {
		r, n := j.Read(Query{}), 0
		for n < events {
			m, err := r.Next(ctx, some)
			if err != nil {
				b.Fatal(err)
			}
			n += m
		}
		_ = r.Close()
	}
	b.ReportMetric(float64(events*b.N)/b.Elapsed().Seconds(), "events/s")
	cancel()
	if err := <-done; err != nil {
		b.Error(err)
	}
}
