package journal

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"sighub/journal/journaltest"
)

// served opens a journal and serves it until stop is called.
func served(b *testing.B, dir string, o Options, ended func(Ticket, bool)) (j *Journal, stop func()) {
	b.Helper()
	j, err := Open(dir, o)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error)
	go func() { done <- j.Serve(ctx, ended) }()
	return j, func() {
		b.Helper()
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	}
}

// BenchmarkCommit measures commits of so many events of 64 bytes, each on disk before the next is made.
func BenchmarkCommit(b *testing.B) {
	for _, n := range []int{1, 64, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			ended := make(chan Ticket, 1)
			o := Options{Size: 64 << 20, Pace: PaceOptions{Burst: 1 << 50}}
			j, stop := served(b, b.TempDir(), o, func(t Ticket, _ bool) { ended <- t })
			g := j.NewGroup()
			data := make([]byte, 64)
			b.ReportAllocs()
			for b.Loop() {
				for i := range n {
					g.Add(Event{Topic: Topic{"light", "lux"}, Time: int64(i), Data: data})
				}
				g.Append(0)
				<-ended
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "events/s")
			stop()
		})
	}
}

// BenchmarkRead measures reading.
func BenchmarkRead(b *testing.B) {
	j, stop := served(b, b.TempDir(), Options{Size: 256 << 20, Pace: PaceOptions{Burst: 1 << 50}}, func(Ticket, bool) {})
	g := j.NewGroup()
	data := make([]byte, 64)
	const events = 500_000
	for i := range events {
		g.Add(Event{Topic: Topic{"light", "lux"}, Time: int64(i), Data: data})
		if i%1000 == 999 {
			g.Append(0)
		}
	}
	for j.Sync(b.Context()) != nil {
		time.Sleep(time.Millisecond)
	}
	some := make([]Entry, 256)
	b.ReportAllocs()
	for b.Loop() {
		r, n := j.Read(Query{}), 0
		for n < events {
			m, err := r.Next(b.Context(), some)
			if err != nil {
				b.Fatal(err)
			}
			n += m
		}
		_ = r.Close()
	}
	b.ReportMetric(float64(events*b.N)/b.Elapsed().Seconds(), "events/s")
	stop()
}

// BenchmarkAdd measures what keeping an event costs whoever delivers it: adding 64 events of 64 bytes, and giving them to the next
// commit. There is no disk.
func BenchmarkAdd(b *testing.B) {
	for _, writers := range []int{1, 2} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			dir := journaltest.NewFolder(1)
			j, err := OpenFolder(dir, Options{})
			if err != nil {
				b.Fatal(err)
			}
			data := make([]byte, 64)
			b.ReportAllocs()
			b.SetParallelism(1)
			var n atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				if n.Add(1) > int64(writers) {
					return
				}
				g := j.NewGroup()
				events := [...]Topic{{"light", "lux"}, {"light", "temperature"}, {"light", "humidity"}}
				for i := 0; pb.Next(); i++ {
					g.Add(Event{Topic: events[i%3], Connection: 1, Seq: uint64(i), Time: int64(i) * 1000, Data: data})
					if i%64 == 63 {
						g.Append(0)
						j.drop()
					}
				}
			})
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N), "ns/event")
		})
	}
}

// drop forgets what waits, if that is much.
func (j *Journal) drop() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.queue) > 0 && len(j.queue[0].content) > 256<<10 {
		c := j.queue[0]
		j.queue, j.pending = j.queue[:0], 0
		j.recycle(c)
	}
}
