package nats_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"sighub/bridge/nats"
	"sighub/hub"
)

// BenchmarkUp is what passes from a journal into a stream on disk, in events a second. The events were reported before, as after an
// outage.
func BenchmarkUp(b *testing.B) {
	for _, senders := range []int{1, 100} {
		b.Run(fmt.Sprintf("senders=%d", senders), func(b *testing.B) {
			server := newBroker(b, "")
			server.kill()
			h := openHouse(b, b.TempDir(), nats.Options{URL: server.url(), Hub: "kitchen", Stream: nats.Stream{MaxBytes: -1}})
			var all []*hub.Sender
			for i := range senders {
				all = append(all, h.sender(fmt.Sprint("s", i), hub.SenderOptions{Events: []string{"temperature"}}))
			}
			for i := range b.N {
				g, err := all[i%senders].Signal("temperature")
				if err != nil {
					b.Fatal(err)
				}
				if err := g.Trigger(b.Context(), 21.5); err != nil {
					b.Fatal(err)
				}
				if room := h.kept.Room(); room != nil {
					<-room
				}
			}
			if err := h.kept.Sync(b.Context()); err != nil {
				b.Fatal(err)
			}
			server.start()
			until(b, "the bridge is connected", func() bool { return h.bridge.Status().Sent > 0 })
			before, begun, used := h.bridge.Status().Sent, time.Now(), processorTime(b)
			b.ResetTimer()
			for h.bridge.Status().Lag > 0 {
				time.Sleep(time.Millisecond)
			}
			n := float64(h.bridge.Status().Sent - before)
			b.ReportMetric(n/time.Since(begun).Seconds(), "events/s")
			b.ReportMetric(float64(processorTime(b)-used)/n, "hub-cpu-ns/event")
			server.kill()
			b.ReportMetric(float64(server.used)/n, "server-cpu-ns/event")
		})
	}
}

// processorTime returns how much time of processors this process has used.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
