package hub_test

import (
	"context"
	"testing"
	"testing/synctest"

	"sighub/carrier"
	"sighub/hub"
)

// TestBackBeforeItIsGone: a client whose sender is still being taken back, because the hub is busy with what it said
// before, is not refused that sender when it returns.
func TestBackBeforeItIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := serve(t, hub.ServerOptions{}), newDiary()
		listen(t, w.Router, d, "all", "dev", "")
		busy, hold := make(chan struct{}), make(chan struct{})
		if _, err := w.AddListener("dev", "e", func(hub.Event) { close(busy); <-hold }); err != nil {
			t.Fatal(err)
		}
		const registration = `{"sender":"dev","events":["e"],"requests":null}`
		first := w.raw(t, "first")
		if r := first.call("add_sender", registration); r.Status != carrier.StatusDone {
			t.Fatal(r.Exception)
		}
		m := &carrier.Message{Method: "signal", Params: carrier.RawValue(carrier.JSON, []byte(`{"info":{"sender":"dev","event":"e"},"data":1}`))}
		if err := first.peer.Transmit(context.Background(), first.hub, m, func(carrier.Reply, error) {}); err != nil {
			t.Fatal(err)
		}
		<-busy
		first.peer.Cut()
		synctest.Wait() // the hub has noticed
		second := w.raw(t, "second")
		answer := make(chan carrier.Reply, 1)
		go func() { answer <- second.call("add_sender", registration) }()
		synctest.Wait()
		select {
		case r := <-answer:
			t.Errorf("it is answered while the first one is still there: %d %s", r.Status, r.Exception)
		default:
		}
		close(hold)
		if r := <-answer; r.Status != carrier.StatusDone {
			t.Errorf("it is refused: %s", r.Exception)
		}
		synctest.Wait()
		third := w.raw(t, "third")
		if r := third.call("add_sender", registration); r.Status != carrier.StatusFailed {
			t.Errorf("another client gets the sender of one that is there: %d", r.Status)
		}
	})
}
