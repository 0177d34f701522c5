package hub_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/carrier/local"
	"sighub/hub"
	"sighub/journal"
	"sighub/journal/journaltest"
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

// A prober is a hub's end that notes for whom it was to look.
type prober struct {
	*local.Hub
	probed atomic.Uint64 // the latest client; 0: none
}

func (p *prober) Probe(id carrier.ClientID) { p.probed.Store(uint64(id)) }

// TestBackUnderItsName: who wants a cursor, or to be a producer, whose owner goes within a moment, has it then; if the owner stays, it is
// refused, after the hub has had a look whether the owner is there. Others do not wait meanwhile.
func TestBackUnderItsName(t *testing.T) {
	for name, registration := range map[string][2]string{
		"cursor":   {"add_listener", `{"sender":"s","event":"e","cursor":"c","manual":true}`},
		"producer": {"add_sender", `{"sender":"s","events":["e"],"requests":[],"producer":"p"}`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j, err := journal.OpenFolder(journaltest.NewFolder(1), journal.Options{Size: 16 << 20, Segment: 1 << 20})
				if err != nil {
					t.Fatal(err)
				}
				w := &world{ServerRouter: hub.NewServerRouter(hub.ServerOptions{Journal: j}), local: local.NewHub(local.Options{})}
				p := &prober{Hub: w.local}
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- w.Serve(ctx, p) }()
				defer func() {
					stop()
					if err := <-ended; err != nil {
						t.Error(err)
					}
				}()
				first, second := w.raw(t, "first"), w.raw(t, "second")
				register := func(c *rawClient) (status carrier.Status, took time.Duration) {
					began := time.Now()
					return c.call(registration[0], registration[1]).Status, time.Since(began)
				}
				if status, took := register(first); status != carrier.StatusDone || took > 0 {
					t.Fatalf("the first one: %v after %v", status, took)
				}
				if status, took := register(first); status == carrier.StatusDone || took > 0 {
					t.Errorf("twice the same client: %v after %v", status, took)
				}
				// The owner stays, however often others want what it has.
				for range 3 {
					if status, took := register(second); status == carrier.StatusDone || took != time.Second {
						t.Errorf("while the first one is there: %v after %v", status, took)
					}
					if p.probed.Swap(0) != 1 {
						t.Error("nobody has looked whether the first one is there")
					}
				}
				if r := first.call("list_senders", `{}`); r.Status != carrier.StatusDone {
					t.Errorf("the first one is not there any more: %v", r.Exception)
				}
				// Others do not wait for those that do, nor longer because of them.
				var waiting sync.WaitGroup
				for i := range 20 {
					c := w.raw(t, fmt.Sprint("one of many ", i))
					waiting.Go(func() { register(c) })
				}
				time.Sleep(time.Second / 2)
				others := func(when string) {
					began := time.Now()
					if first.call("list_senders", `{}`); time.Since(began) > 10*time.Millisecond {
						t.Errorf("%s, another client waits for %v", when, time.Since(began))
					}
				}
				others("meanwhile")
				waiting.Wait()
				others("afterwards")
				// It goes while the second one waits.
				time.AfterFunc(900*time.Millisecond, first.peer.Cut)
				if status, took := register(second); status != carrier.StatusDone || took != 900*time.Millisecond {
					t.Errorf("as the first one goes: %v after %v", status, took)
				}
			})
		})
	}
}
