package hub

import (
	"strings"
	"testing"
	"testing/synctest"

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
		data := []byte("123")
		list := []carrier.Signal{
			{Route: x, Data: carrier.RawValue(carrier.JSON, data[:1])},
			{Route: nothing, Data: carrier.RawValue(carrier.JSON, data[1:2])},
			{Route: x, Data: carrier.RawValue(carrier.JSON, data[2:])},
		}
		var answers orderedAnswers
		w.handler.HandleSignals(id, list, &answers)
		copy(data, "xxx") // they are the carrier's again
		clear(list)
		synctest.Wait()
		if entered != 1 || w.queued.Load() == 0 {
			t.Errorf("the callback is called %d times, and %d bytes are queued", entered, w.queued.Load())
		}
		for _, want := range []string{"done failed", "done failed done"} {
			gate <- struct{}{}
			synctest.Wait()
			if got := answers.String(); got != want {
				t.Errorf("the answers are %q, want %q", got, want)
			}
		}
		if got := strings.Join(heard, ""); got != "13" {
			t.Errorf("heard %s", got)
		}
		if own := w.handler.client(id).signals.queued; own != 0 || w.queued.Load() != 0 {
			t.Errorf("%d bytes of the client, %d of all are queued", own, w.queued.Load())
		}
	})
}
