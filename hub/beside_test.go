package hub_test

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/hub"
)

// TestBeside: what happens at once is heard beside a long replay of the same client, and does not stop it either.
func TestBeside(t *testing.T) {
	const events = 3000
	k := newKeeper(t, hub.ServerOptions{})
	sender, _ := k.client(carrier.CBOR)
	g, other := k.signal(sender, "s"), k.signal(sender, "t")
	for i := 0; i < events; i += 1000 {
		k.trigger(g, i, i+1000)
	}
	for name, m := range map[string]medium{
		"stream": {ClientOptions: tcp.ClientOptions{Limits: tcp.Limits{Signals: 64}}}, "messages": {messages: true},
	} {
		r, stop := k.over(m)
		var heard, live atomic.Int64
		slow := func() {
			for began := time.Now(); time.Since(began) < 20*time.Microsecond; {
				runtime.Gosched()
			}
		}
		if _, err := r.AddRemoteListener(k.ctx, "t", "n", func(hub.Event) {
			slow()
			live.Add(1)
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.AddRemoteListenerWith(k.ctx, "s", "n", hub.ListenerOptions{From: "start"}, func(hub.Event) {
			slow()
			heard.Add(1)
		}); err != nil {
			t.Fatal(err)
		}
		until(t, func() bool { return heard.Load() > 0 })
		k.trigger(other, 0, 100)
		until(t, func() bool { return live.Load() == 100 })
		if n := heard.Load(); n == events {
			t.Errorf("%s: what happens at once waits for all of the replay", name)
		}
		// A sender that does not stop.
		began := heard.Load()
		for i := 0; heard.Load() < events; i += 200 {
			k.trigger(other, i, i+200)
			if i > 40*events {
				t.Fatalf("%s: the replay stands still at %d since %d", name, heard.Load(), began)
			}
		}
		stop()
	}
}

// TestPosition: a client is told up to where its listeners have heard everything, and never further.
func TestPosition(t *testing.T) {
	k := newKeeper(t, hub.ServerOptions{})
	sender, _ := k.client(carrier.CBOR)
	g := k.signal(sender, "s")
	for name, m := range media {
		r, stop := k.over(m)
		place := func() (at, end hub.Position) {
			v, err := r.Call(k.ctx, "get_position", nil)
			if err != nil {
				t.Fatal(err)
			}
			var answer struct {
				Position *hub.Position `json:"position"`
				End      hub.Position  `json:"end"`
			}
			if err := v.Decode(&answer); err != nil {
				t.Fatal(err)
			}
			if answer.Position != nil {
				at = *answer.Position
			}
			return at, answer.End
		}
		gate := make(chan struct{})
		h := newHearing(t)
		l, err := r.AddRemoteListener(k.ctx, "s", "n", func(ev hub.Event) {
			<-gate
			h.hear(ev)
		})
		if err != nil {
			t.Fatal(err)
		}
		before, _ := place()
		k.trigger(g, 0, 100)
		for range 3 {
			if at, end := place(); at != before || at == end {
				t.Errorf("%s: everything is heard up to %v of %v, although nothing is", name, at, end)
			}
		}
		close(gate)
		h.wait(100)
		until(t, func() bool { at, end := place(); return at == end })
		if err := r.RemoveRemoteListener(k.ctx, l); err != nil {
			t.Fatal(err)
		}
		stop()
	}
}
