package hub_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"sighub/carrier"
	"sighub/hub"
)

// TestLastUnderFire: behind a last value comes the very next event, while a sender does not stop: none is missing, none comes twice.
func TestLastUnderFire(t *testing.T) {
	k := newKeeper(t, hub.ServerOptions{})
	sender, _ := k.client(carrier.CBOR)
	g := k.signal(sender, "s")
	k.trigger(g, 0, 1)
	var stop atomic.Bool
	var sending sync.WaitGroup
	sending.Go(func() {
		for i := 1; !stop.Load(); i += 20 {
			k.trigger(g, i, i+20)
		}
	})
	r, _ := k.client(carrier.CBOR)
	for range 30 {
		h, l := k.listen(r, "s", "n", hub.ListenerOptions{Last: true})
		h.wait(4)
		h.mu.Lock()
		for i, ev := range h.events[:4] {
			if ev.Last != (i == 0) || ev.Seq != h.events[0].Seq+uint64(i) {
				t.Errorf("event %d has the number %d, the first has %d; last: %t", i, ev.Seq, h.events[0].Seq, ev.Last)
			}
		}
		h.mu.Unlock()
		if err := r.RemoveRemoteListener(k.ctx, l); err != nil {
			t.Fatal(err)
		}
	}
	stop.Store(true)
	sending.Wait()
	h, _ := k.listen(r, "s", "n", hub.ListenerOptions{From: "start", Last: true})
	h.wait(4)
	if h.mu.Lock(); h.events[0].Last {
		t.Error("a last value is told that is told anyway")
	}
	h.mu.Unlock()
}

// TestCursorIsKept: when the hub ends in order, it remembers all that was answered.
func TestCursorIsKept(t *testing.T) {
	for range 5 {
		k := newKeeper(t, hub.ServerOptions{})
		sender, stopSender := k.client(carrier.CBOR)
		g := k.signal(sender, "s")
		r, stop := k.client(carrier.CBOR)
		o := hub.ListenerOptions{Cursor: "c", From: "start"}
		h, _ := k.listen(r, "s", "n", o)
		k.trigger(g, 0, 30)
		h.wait(30)
		// What was answered is known when a later call is.
		if _, err := r.Cursors(k.ctx); err != nil {
			t.Fatal(err)
		}
		until(t, func() bool {
			list, err := r.Cursors(k.ctx)
			return err == nil && len(list) == 1 && list[0].Position == h.events[29].Position
		})
		k.stop()
		stop()
		stopSender()
		k.start()
		r, _ = k.client(carrier.CBOR)
		h, _ = k.listen(r, "s", "n", o)
		other, _ := k.client(carrier.CBOR)
		k.trigger(k.signal(other, "s"), 30, 31)
		wantLines(t, h.wait(1), "s n 30")
	}
}
