package hub_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/hub"
)

// everyCarrier runs a test with a hub behind each medium and codec. connect returns a new client of the hub.
func everyCarrier(t *testing.T, o hub.ServerOptions, test func(t *testing.T, connect func() *hub.ClientRouter)) {
	for _, codec := range []carrier.Codec{carrier.CBOR, carrier.CBORText, carrier.JSON} {
		t.Run("tcp, "+fmt.Sprintf("%T", codec)+" "+codec.Name(), func(t *testing.T) {
			n := serveNetwork(t, o)
			test(t, func() *hub.ClientRouter {
				r, _ := n.clientWith(tcp.ClientOptions{Codec: codec})
				return r
			})
		})
	}
	t.Run("local", func(t *testing.T) {
		w := serve(t, o)
		test(t, func() *hub.ClientRouter {
			r, _, _ := w.client(t, "any", hub.ClientOptions{})
			return r
		})
	})
}

// TestErrorsOverTheWire: what the hub, or a sender there, refuses is the same error here, with every codec and carrier.
func TestErrorsOverTheWire(t *testing.T) {
	o := hub.ServerOptions{MaxSenders: 2, MaxListeners: 2, RequestTimeout: 2 * time.Second}
	everyCarrier(t, o, func(t *testing.T, connect func() *hub.ClientRouter) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		owner, other := connect(), connect()
		asleep := make(chan struct{})
		t.Cleanup(func() { close(asleep) })
		fails := func(err error) hub.RequestHandler {
			return func(context.Context, string, carrier.Value) (any, error) { return nil, err }
		}
		light, err := owner.AddRemoteSender(ctx, "light", hub.SenderOptions{Events: []string{"lux"}, Requests: map[string]hub.RequestHandler{
			"sleep": func(context.Context, string, carrier.Value) (any, error) { <-asleep; return nil, nil },
			"fail":  fails(errors.New("the lamp is broken")),
		}})
		if err != nil {
			t.Fatal(err)
		}
		hear := func(hub.Event) {}
		if _, err := other.AddRemoteListener(ctx, "absent", "", hear); err != nil {
			t.Fatal(err)
		}
		lux, err := light.Signal("lux")
		if err != nil {
			t.Fatal(err)
		}
		call := func(r *hub.ClientRouter, method string, params any) error {
			_, err := r.Call(ctx, method, params)
			return err
		}
		add := func(r *hub.ClientRouter, name string) error {
			_, err := r.AddRemoteSender(ctx, name, hub.SenderOptions{})
			return err
		}
		listen := func(r *hub.ClientRouter, sender, event string) error {
			_, err := r.AddRemoteListener(ctx, sender, event, hear)
			return err
		}
		ask := func(sender, method string) error {
			_, err := other.RemoteRequest(ctx, sender, method, nil)
			return err
		}
		signal := map[string]any{"info": map[string]any{"sender": "light", "event": "lux"}, "data": 1}
		for _, c := range []struct {
			what string
			err  error
			want error
		}{
			{"a sender that nobody has heard of", ask("nobody", "x"), hub.ErrNoSender},
			{"a sender whose name is the text of another error", ask(hub.ErrBusy.Error(), "x"), hub.ErrNoSender},
			{"a sender that is awaited", ask("absent", "x"), hub.ErrNotConnected},
			{"a request that it does not answer", ask("light", "dance"), hub.ErrNoRequest},
			{"an answer that does not come", ask("light", "sleep"), context.DeadlineExceeded},
			{"an event that it does not have", listen(other, "light", "heat"), hub.ErrNoEvent},
			{"a name that is taken", add(other, "light"), hub.ErrExists},
			{"a name that nothing can have", call(other, "add_sender", map[string]any{"sender": "a\nb", "events": []string{}, "requests": nil}), hub.ErrName},
			{"an argument that is missing", call(other, "add_sender", map[string]any{}), hub.ErrArguments},
			{"a sender of another client's", call(other, "signal", signal), hub.ErrNotYours},
			{"a listener that is not there", call(other, "remove_listener", map[string]any{"listener_id": 4711}), hub.ErrNoListener},
			{"more senders than a client may have", errors.Join(add(other, "one"), add(other, "two"), add(other, "three")), carrier.ErrLimit},
			{"more listeners than a client may have", errors.Join(listen(other, "", ""), listen(other, "", "#x")), carrier.ErrLimit},
		} {
			if !errors.Is(c.err, c.want) {
				t.Errorf("%s: the error is %v, want %v", c.what, c.err, c.want)
			}
			for _, different := range []error{hub.ErrNoSender, hub.ErrBusy, hub.ErrNoEvent, carrier.ErrTooLarge, carrier.ErrGone} {
				if !errors.Is(c.want, different) && errors.Is(c.err, different) {
					t.Errorf("%s: the error %v is %v as well", c.what, c.err, different)
				}
			}
		}
		if err := ask("light", "fail"); err == nil || err.Error() != "the lamp is broken" {
			t.Errorf("a sender's own error is %v", err)
		}
		refusal, ok := errors.AsType[*carrier.StatusError](ask("nobody", "x"))
		if !ok || refusal.Status != carrier.StatusFailed {
			t.Errorf("the status is lost: %+v", refusal)
		}
		if err := owner.RemoveRemoteSender(ctx, light); err != nil {
			t.Fatal(err)
		}
		if err := lux.Trigger(ctx, 1); !errors.Is(err, hub.ErrNotConnected) {
			t.Errorf("an event of a sender that was removed: %v", err)
		}
	})
}

// TestTriggerAsyncAt: an event that is not waited for carries the time it happened, on every medium; and the outcome
// comes once.
func TestTriggerAsyncAt(t *testing.T) {
	happened := time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	check := func(t *testing.T, g *hub.Signal, heard <-chan hub.Event) {
		t.Helper()
		outcome := make(chan error, 2)
		if err := g.TriggerAsyncAt(t.Context(), 7, happened, time.Millisecond, func(err error) { outcome <- err }); err != nil {
			t.Fatal(err)
		}
		select {
		case ev := <-heard:
			if !ev.Time.Equal(happened) || ev.Uncertainty != time.Millisecond {
				t.Errorf("heard at %v ± %v", ev.Time, ev.Uncertainty)
			}
		case <-time.After(patience):
			t.Fatal("nothing is heard")
		}
		select {
		case err := <-outcome:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Fatal("no outcome")
		}
		if err := g.TriggerAsyncAt(t.Context(), 8, happened, 0, nil); err != nil {
			t.Error(err)
		}
		<-heard
		if len(outcome) > 0 {
			t.Error("a second outcome")
		}
	}
	everyCarrier(t, hub.ServerOptions{}, func(t *testing.T, connect func() *hub.ClientRouter) {
		heard := make(chan hub.Event, 2)
		if _, err := connect().AddRemoteListener(t.Context(), "light", "lux", func(ev hub.Event) { heard <- ev }); err != nil {
			t.Fatal(err)
		}
		s, err := connect().AddRemoteSender(t.Context(), "light", hub.SenderOptions{Events: []string{"lux"}})
		if err != nil {
			t.Fatal(err)
		}
		g, err := s.Signal("lux")
		if err != nil {
			t.Fatal(err)
		}
		check(t, g, heard)
	})
	t.Run("in process", func(t *testing.T) {
		r, heard := hub.NewRouter(hub.Options{}), make(chan hub.Event, 2)
		if _, err := r.AddListener("light", "lux", func(ev hub.Event) { heard <- ev }); err != nil {
			t.Fatal(err)
		}
		g, err := addSender(t, r, "light", "lux").Signal("lux")
		if err != nil {
			t.Fatal(err)
		}
		check(t, g, heard)
	})
}
