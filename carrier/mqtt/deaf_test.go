package mqtt_test

import (
	"context"
	"testing"
	"time"

	"sighub/hub"
)

// TestDeafToOthers: a client that answers nothing holds nobody up whose topics it has not asked for, although it hears every event in the
// hub for a filter such as few/#.
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
		trigger := func(name string) {
			if err := signals[name].Trigger(ctx, 1); err != nil {
				t.Error(err)
			}
		}
		trigger("few") // everything after it waits for its answer
		for range 5000 {
			trigger("many")
		}
		if ctx.Err() != nil {
			t.Fatal("a sender waits for a client that has not asked for its events")
		}
	})
}
