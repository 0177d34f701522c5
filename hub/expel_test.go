package hub_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/carrier/local"
	"sighub/hub"
)

// A trusting carrier takes the name of a client for its identity, up to the hyphen.
type trusting struct{ *local.Hub }

func (t trusting) Serve(ctx context.Context, h carrier.Handler) error {
	return t.Hub.Serve(ctx, trustingHandler{h})
}

type trustingHandler struct{ carrier.Handler }

func (h trustingHandler) ClientConnected(c carrier.Client) {
	c.Identity, _, _ = strings.Cut(c.Name, "-")
	h.Handler.ClientConnected(c)
}

// TestExpel: the clients of one identity are disconnected, with a reason, and may come back; nobody else is.
func TestExpel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		medium := trusting{local.NewHub(local.Options{})}
		router := hub.NewServerRouter(hub.ServerOptions{})
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 5)
		go func() { served <- router.Serve(ctx, medium) }()
		var mu sync.Mutex
		lost := make(map[string][]error)
		for _, name := range []string{"alice-1", "alice-2", "bob", ""} {
			client := hub.NewClientRouter(hub.ClientOptions{Disconnected: func(err error) {
				mu.Lock()
				defer mu.Unlock()
				lost[name] = append(lost[name], err)
			}})
			go func() { served <- client.Serve(ctx, medium.NewPeer(name)) }()
		}
		connected := func() int {
			time.Sleep(time.Second) // virtual: until the peers' pauses are over
			synctest.Wait()
			return len(router.Clients())
		}
		if n := connected(); n != 4 {
			t.Fatalf("%d of 4 clients are there", n)
		}
		for who, want := range map[string]int{"carol": 0, "": 0, "alice": 2} {
			if n := router.Expel(who); n != want {
				t.Errorf("%q: %d clients are disconnected, not %d", who, n, want)
			}
		}
		synctest.Wait()
		if len(lost["alice-1"]) != 1 || len(lost["alice-2"]) != 1 || len(lost["bob"]) != 0 || len(lost[""]) != 0 {
			t.Errorf("%v", lost)
		}
		if n := connected(); n != 4 {
			t.Errorf("%d of 4 clients are there", n)
		}
		stop()
		for range 5 {
			if err := <-served; err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
	})
}
