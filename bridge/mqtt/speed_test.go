package mqtt

import (
	"testing"
	"time"

	"sighub/hub"
)

// BenchmarkDrain: how fast a backlog goes to a broker, to which a listener has subscribed.
func BenchmarkDrain(b *testing.B) {
	broker := startBroker(b)
	h := newHouse(b, b.TempDir())
	bridge := h.bridge(Options{Addr: broker.addr})
	s := h.sender("light", hub.SenderOptions{Events: []string{"lux"}})
	g, err := s.Signal("lux")
	if err != nil {
		b.Fatal(err)
	}
	l := listen(b, broker.addr, "sighub/light/lux")
	h.serve(bridge)
	b.ResetTimer()
	for i := range b.N {
		if err := g.Trigger(b.Context(), i); err != nil {
			b.Fatal(err)
		}
		if room := h.journal.Room(); room != nil {
			<-room
		}
	}
	for len(l.heard("")) < b.N {
		time.Sleep(time.Millisecond)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
