package hub

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
)

// TestSignalsForCallbacks: signals that a local callback is to hear leave the goroutine that reads them, with data of their
// own, and are answered one by one in their order. What they take is given back.
func TestSignalsForCallbacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMessageWorld(t, ServerOptions{})
		defer w.end()
		id, _ := w.reporter("s")
		gate, entered := make(chan struct{}), 0
		var heard []string
		if _, err := w.AddListener("s", "x", func(ev Event) {
			entered++
			<-gate
			heard = append(heard, ev.Data.String())
		}); err != nil {
			t.Fatal(err)
		}
		x, nothing := &carrier.Route{Sender: "s", Event: "x"}, &carrier.Route{Sender: "s", Event: "nothing"}
		data := []byte("1234")
		var list []carrier.Signal
		for i, route := range []*carrier.Route{x, x, nothing, x} {
			list = append(list, carrier.Signal{Route: route, Data: carrier.RawValue(carrier.JSON, data[i:i+1])})
		}
		var answers orderedAnswers
		w.handler.HandleSignals(id, list, &answers)
		copy(data, "xxxx") // they are the carrier's again
		clear(list)
		synctest.Wait()
		if entered != 1 || w.queued.Load() == 0 {
			t.Errorf("the callback is called %d times, and %d bytes are queued", entered, w.queued.Load())
		}
		for _, want := range []string{"done", "done done failed", "done done failed done"} {
			gate <- struct{}{}
			synctest.Wait()
			if got := answers.String(); got != want {
				t.Errorf("the answers are %q, want %q", got, want)
			}
		}
		if got := strings.Join(heard, ""); got != "124" {
			t.Errorf("heard %s", got)
		}
		if own := w.handler.client(id).signals.queued; own != 0 || w.queued.Load() != 0 {
			t.Errorf("%d bytes of the client, %d of all are queued", own, w.queued.Load())
		}
	})
}

// TestSlowForWhatOthersTrigger: an event that is triggered while another one is delivered is delivered with that; whoever
// delivers it waits for the listener that has no room for it.
func TestSlowForWhatOthersTrigger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMessageWorld(t, ServerOptions{Outbox: OutboxOptions{Limit: 2, Deadline: time.Second}})
		defer w.end()
		s, err := w.AddSender("s", SenderOptions{Events: []string{"x", "y"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.AddListener("s", "x", func(Event) {
			if err := s.signals["y"].Trigger(t.Context(), 1); err != nil {
				t.Error(err)
			}
		}); err != nil {
			t.Fatal(err)
		}
		w.stuck(s, "y")
		start := time.Now()
		for range 2 {
			if err := s.signals["x"].Trigger(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took != time.Second {
				t.Errorf("whoever triggered it went on after %s", took)
			}
		}
	})
}
