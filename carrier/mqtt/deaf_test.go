package mqtt_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"sighub/hub"
)

// TestDeafToOthers: a client that answers nothing holds nobody up whose topics it has not asked for, although the hub passes it every event
// for a filter such as few/#. When it answers again, it is told all that it has asked for.
func TestDeafToOthers(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		w := newWorld(t, worldOptions{hub: hub.ServerOptions{Outbox: hub.OutboxOptions{Limit: 4, Deadline: time.Hour}}})
		p, _ := w.connect(v, hello{id: "deaf"})
		p.subscribe(1, "few/#")
		signals := map[string]*hub.Signal{}
		for _, name := range []string{"few", "many"} {
			s, err := w.router.AddSender(name, hub.SenderOptions{Events: []string{"e"}})
			if err != nil {
				t.Fatal(err)
			}
			if signals[name], err = s.Signal("e"); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		trigger := func(name string, n int) {
			if err := signals[name].Trigger(ctx, n); err != nil {
				t.Error(err)
			}
		}
		const told = 4
		trigger("few", 0) // everything after it waits for its answer
		for n := 1; n < told; n++ {
			for range 2000 {
				trigger("many", n)
			}
			trigger("few", n)
		}
		if ctx.Err() != nil {
			t.Fatal("a sender waits for a client that has not asked for its events")
		}
		for n := range told {
			if got := p.event(); got.topic != "few/e" || got.payload != fmt.Sprint(n) {
				t.Fatalf("told: %s, not few/e %d", got, n)
			}
		}
	})
}
