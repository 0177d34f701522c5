package hub_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/hub"
)

// TestBlockFromManyGoroutines: a listener that keeps up with the senders it slows down misses nothing, whoever delivers
// for whom.
func TestBlockFromManyGoroutines(t *testing.T) {
	const triggers, each = 4, 10_000 // as fast as they go, far more than an outbox holds
	n := serveNetwork(t, hub.ServerOptions{Outbox: hub.OutboxOptions{Deadline: patience}})
	to, _ := n.client(carrier.CBOR)
	var heard, lost atomic.Int64
	all := make(chan struct{})
	if _, err := to.AddRemoteListener(n.ctx, "light", "", func(ev hub.Event) {
		switch ev.Name {
		case "n":
			if heard.Add(1) == triggers*each {
				close(all)
			}
		case hub.Gap:
			lost.Add(1)
		}
	}); err != nil {
		t.Fatal(err)
	}
	g, err := addSender(t, n.Router, "light", "n").Signal("n")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for range triggers {
		wait.Go(func() {
			for i := range each {
				err := g.Trigger(n.ctx, i)
				for errors.Is(err, hub.ErrBusy) { // it was not taken: the machine stood still for a second
					err = g.Trigger(n.ctx, i)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
	select {
	case <-all:
	case <-time.After(patience / 2):
	}
	if heard.Load() != triggers*each || lost.Load() > 0 {
		t.Errorf("%d of %d were heard, and %d gaps", heard.Load(), triggers*each, lost.Load())
	}
}
