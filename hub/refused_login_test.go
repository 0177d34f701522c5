package hub_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/hub"
	peers "sighub/listen"
)

// TestRefusedLogin: nothing waits for a hub that does not let this client in: each call says why. Once the hub does, all goes on, with the
// identity that the hub knows the client by.
func TestRefusedLogin(t *testing.T) {
	var open atomic.Bool
	server, err := tcp.Listen("tcp://127.0.0.1:0", tcp.Options{Login: func(context.Context, peers.Peer, peers.Secret) (string, error) {
		if !open.Load() {
			return "", &peers.LoginError{Public: "nobody knows you here", Cause: "unknown"}
		}
		return "alice", nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	who := make(chan string, 1)
	router := hub.NewServerRouter(hub.ServerOptions{Methods: map[string]hub.Method{
		"who": func(ctx context.Context, _ carrier.Value) (any, error) {
			_, identity, _ := hub.Caller(ctx)
			who <- identity
			return nil, nil
		},
	}})
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	var serving sync.WaitGroup
	defer serving.Wait()
	defer stop()
	serving.Go(func() { _ = router.Serve(ctx, server) })
	client := hub.NewClientRouter(hub.ClientOptions{RequestTimeout: time.Hour})
	serving.Go(func() {
		_ = client.Serve(ctx, tcp.NewClient(server.Addr(), tcp.ClientOptions{RefusedPause: 200 * time.Millisecond}))
	})
	refused := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, carrier.ErrDenied) || !errors.Is(err, hub.ErrNotConnected) || !strings.Contains(err.Error(), "nobody knows you here") {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("waiting", client.WaitConnected(ctx)) // it has begun before the hub has refused
	_, err = client.Call(ctx, "who", nil)
	refused("a call", err)
	_, err = client.AddRemoteListener(ctx, "light", "lux", func(hub.Event) {})
	refused("a listener", err)
	_, err = client.AddRemoteSender(ctx, "door", hub.SenderOptions{Events: []string{"opened"}})
	refused("a sender", err)
	open.Store(true)
	for client.WaitConnected(ctx) != nil && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond) // until the next try
	}
	if _, err := client.Call(ctx, "who", nil); err != nil {
		t.Fatal(err)
	}
	if got := <-who; got != "alice" {
		t.Errorf("the hub knows the client as %q", got)
	}
}
