package hub_test

import (
	"sync"
	"testing"

	"sighub/carrier"
	"sighub/hub"
)

// TestEventsLeftToTheWriter: an event that is triggered while others are being written is fetched by whoever writes. It is never forgotten
// when the writing ends, and no message that is sent after it overtakes it: the events of a sender that is removed at once are taken.
func TestEventsLeftToTheWriter(t *testing.T) {
	n := serveNetwork(t, hub.ServerOptions{})
	r, _ := n.client(carrier.CBOR)
	for round := range 300 {
		s, err := r.AddRemoteSender(n.ctx, "light", hub.SenderOptions{Events: []string{"n"}})
		if err != nil {
			t.Fatal(err)
		}
		g, err := s.Signal("n")
		if err != nil {
			t.Fatal(err)
		}
		var answered sync.WaitGroup
		for burst := range 4 {
			size := 1 + (round+7*burst)%40
			if round%10 == 0 {
				size *= 100 // so many that the writer leaves them to whoever triggers
			}
			for i := range size {
				answered.Add(1)
				if err := g.TriggerAsync(n.ctx, i, func(err error) {
					defer answered.Done()
					if err != nil {
						t.Errorf("round %d: %v", round, err)
					}
				}); err != nil {
					t.Fatal(err)
				}
			}
			if burst%2 == 0 {
				answered.Wait() // nothing else is triggered that would have it written
			}
		}
		s.Remove()
		answered.Wait()
	}
}
