package hub_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/carrier/local"
	"sighub/hub"
)

// A callback in the hub may ask the very sender that it hears, whose client is still waiting for its registration.
func TestACallbackMayAskItsSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := serve(t, hub.ServerOptions{}), newDiary()
		if _, err := w.AddListener("dev", "", func(ev hub.Event) {
			if ev.Name != hub.Disconnect {
				v, err := w.Request(context.Background(), ev.Sender, "read", nil)
				d.note("%s: %s, %v", ev.Name, v, err)
			}
		}); err != nil {
			t.Fatal(err)
		}
		c, _, _ := w.client(t, "c", hub.ClientOptions{})
		s, err := c.AddRemoteSender(t.Context(), "dev", hub.SenderOptions{Events: []string{"e"}, Default: echo})
		if err != nil {
			t.Fatal(err)
		}
		trigger(t, s, "e", 1)
		d.expect(t, "#connect: null, <nil>", "e: null, <nil>")
	})
}

func echo(_ context.Context, _ string, p carrier.Value) (any, error) { return p, nil }

// The end of its context is not a failure of Serve, whatever the cause of the context.
func TestServeEndsWithoutErrorWhateverTheCause(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the operator pressed the button"))
	if err := hub.NewServerRouter(hub.ServerOptions{}).Serve(ctx); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// With an error comes no sender and no listener that one could go on with by mistake.
func TestNothingComesWithAnError(t *testing.T) {
	w := serve(t, hub.ServerOptions{})
	c, _, _ := w.client(t, "c", hub.ClientOptions{})
	addSender(t, w.Router, "a", "x")
	if s, err := w.AddSender("a", hub.SenderOptions{}); s != nil || !errors.Is(err, hub.ErrExists) {
		t.Errorf("AddSender: %v, %v", s, err)
	}
	if l, err := w.AddListener("a", "y", func(hub.Event) {}); l != nil || !errors.Is(err, hub.ErrNoEvent) {
		t.Errorf("AddListener: %v, %v", l, err)
	}
	if s, err := c.AddRemoteSender(t.Context(), "a", hub.SenderOptions{}); s != nil || err == nil {
		t.Errorf("AddRemoteSender: %v, %v", s, err)
	}
	if l, err := c.AddRemoteListener(t.Context(), "a", "y", func(hub.Event) {}); l != nil || err == nil {
		t.Errorf("AddRemoteListener: %v, %v", l, err)
	}
}

// Senders that come and go, each under a name of its own, are gaps without end to a client that takes nothing: it is
// disconnected.
func TestGapsOfManySendersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, slow, _, _ := slowWorld(t, hub.OutboxOptions{Limit: 4})
		floodWithSenders(t, w)
		select {
		case <-slow.gone:
		default:
			t.Error("the client is still there")
		}
	})
}

func floodWithSenders(t *testing.T, w *world) {
	t.Helper()
	for i := range 1000 {
		addSender(t, w.Router, fmt.Sprint("sender ", i)).Remove()
	}
	synctest.Wait()
}

// A party line is a carrier that cannot disconnect a client.
type partyLine struct{ carrier.Carrier }

// Where the carrier cannot disconnect it, such a client loses its listeners; it may add others.
func TestGapsWhereNobodyCanBeDisconnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{
			ServerRouter: hub.NewServerRouter(hub.ServerOptions{Outbox: hub.OutboxOptions{Limit: 4}}),
			local:        local.NewHub(local.Options{Window: 4}),
		}
		ctx, cancel := context.WithCancel(context.Background())
		var serving sync.WaitGroup
		serving.Go(func() { _ = w.Serve(ctx, partyLine{w.local}) })
		t.Cleanup(func() { cancel(); serving.Wait() })
		slow := w.slow(t)
		floodWithSenders(t, w)
		slow.release()
		synctest.Wait()
		before := len(slow.seen)
		s := addSender(t, w.Router, "s", "e")
		trigger(t, s, "e", 1)
		synctest.Wait()
		if got := slow.seen[before:]; len(got) != 0 {
			t.Errorf("the client still hears %q", got)
		}
		if r := slow.call("add_listener", `{"sender":"s","event":"e"}`); r.Status != 0 {
			t.Fatal(r)
		}
		trigger(t, s, "e", 2)
		synctest.Wait()
		if got := strings.Join(slow.seen[before:], " "); got != "e2" {
			t.Errorf("the client heard %q, want e2", got)
		}
	})
}

// There is room for a few events again, but the client has not caught up yet: it hears of the gap before it hears the
// first event after it.
func TestAGapIsToldBeforeTheNextEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const (
			inFlight = 48 // of the window of 64
			limit    = 8
			missed   = 5
		)
		w, d, step := serve(t, hub.ServerOptions{Outbox: hub.OutboxOptions{Limit: limit}}), newDiary(), make(chan struct{})
		c, _, _ := w.client(t, "c", hub.ClientOptions{})
		addRemoteListener(t, c, "s", "e", func(ev hub.Event) {
			<-step
			if ev.Name != hub.Gap {
				d.note("%d", ev.Seq)
				return
			}
			var loss hub.Loss
			if err := ev.Data.Decode(&loss); err != nil {
				t.Error(err)
			}
			d.note("gap of %d", loss.Count)
		})
		s := addSender(t, w.Router, "s", "e")
		var want []string
		for i := range inFlight + limit + 1 + missed { // one event is let in and waited for
			trigger(t, s, "e", nil)
			synctest.Wait() // what can be in flight is
			if i <= inFlight+limit {
				want = append(want, fmt.Sprint(i+2)) // 1 was the #connect
			}
		}
		step <- struct{}{}
		step <- struct{}{}
		synctest.Wait()
		trigger(t, s, "e", nil)
		close(step)
		d.expect(t, append(want, fmt.Sprint("gap of ", missed), fmt.Sprint(inFlight+limit+1+missed+2))...)
	})
}

// Requests that nobody answers take none of the window's places for events.
func TestHungRequestsDoNotStarveEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := serve(t, hub.ServerOptions{RequestTimeout: time.Second}), newDiary()
		c, _, _ := w.client(t, "c", hub.ClientOptions{})
		addRemoteListener(t, c, "light", "lux", d.listener("c"))
		if _, err := c.AddRemoteSender(t.Context(), "dev", hub.SenderOptions{Default: func(ctx context.Context, _ string, _ carrier.Value) (any, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}); err != nil {
			t.Fatal(err)
		}
		for range 80 { // more than the window of 64
			if _, err := w.Request(t.Context(), "dev", "hang", nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("Request: %v", err)
			}
		}
		s := addSender(t, w.Router, "light", "lux")
		trigger(t, s, "lux", 1)
		d.expect(t, "c light lux 1")
	})
}
