package hub_test

import (
	"testing"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/hub"
)

// TestMemoryCeiling: all outboxes together hold no more than they may, whatever each of them might; what does not fit is
// told, exactly, and who keeps up is not concerned.
func TestMemoryCeiling(t *testing.T) {
	for _, codec := range []carrier.Codec{carrier.CBOR, carrier.JSON} { // of who keeps up: in JSON more is pending
		t.Run(codec.Name(), func(t *testing.T) {
			memoryCeiling(t, codec)
		})
	}
}

func memoryCeiling(t *testing.T, codec carrier.Codec) {
	t.Helper()
	const (
		stuck   = 4
		count   = 10_000
		ceiling = 1 << 20
		window  = 1024 // of signals that a stuck client takes
		atMost  = stuck*window + ceiling/256 + stuck
	)
	n := serveNetwork(t, hub.ServerOptions{
		Memory: carrier.NewBudget(ceiling), Outbox: hub.OutboxOptions{Limit: 1 << 30, Bytes: 1 << 30},
	})
	free := make(chan struct{})
	var counts []*counting
	for range stuck {
		r, _ := n.clientWith(tcp.ClientOptions{Limits: tcp.Limits{Signals: window}})
		c := newCounting()
		counts = append(counts, c)
		if _, err := r.AddRemoteListener(n.ctx, "light", "", func(ev hub.Event) { <-free; c.hear(ev) }); err != nil {
			t.Fatal(err)
		}
	}
	well, _ := n.client(codec)
	w := newCounting()
	if _, err := well.AddRemoteListener(n.ctx, "light", "", w.hear); err != nil {
		t.Fatal(err)
	}
	from, _ := n.client(carrier.CBOR)
	g := n.signal(from, "light")
	const few = 100 // which need no memory that the others have taken, however late they are heard
	for i := 0; i < count; i += few {
		n.send(g, i, i+few)()
		w.until(t, i+few)
	}
	if w.gaps > 0 {
		t.Errorf("who keeps up has lost %d", w.gaps)
	}
	close(free)
	n.send(g, count, count+1)()
	held := 0
	for _, c := range counts {
		c.until(t, count+1)
		held += c.heard - 1
	}
	if held > atMost || held < ceiling/256/4 {
		t.Errorf("%d events were held, at most %d may be", held, atMost)
	}
	n.stop()
}
