//go:build linux && (amd64 || arm64)

package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/hub"
	"sighub/scripts/lab/wire"
)

// hubAddress is where the hub listens by default.
const hubAddress = "tcp://127.0.0.1:3000"

// patience is how long the hub may take for anything.
const patience = 60 * time.Second

// connect returns a connected client of the hub, and a function that ends it.
func connect(name string, limits tcp.Limits) (*hub.ClientRouter, func(), error) {
	ctx, stop := context.WithCancel(context.Background())
	router := hub.NewClientRouter(hub.ClientOptions{RequestTimeout: patience})
	client := tcp.NewClient(hubAddress, tcp.ClientOptions{
		Name:    name,
		Limits:  limits,
		Backoff: carrier.Backoff{Min: 10 * time.Millisecond, Max: 50 * time.Millisecond},
	})
	var serving sync.WaitGroup
	serving.Go(func() { _ = router.Serve(ctx, client) }) // it never fails for good
	end := func() {
		stop()
		serving.Wait()
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := router.WaitConnected(wait); err != nil {
		end()
		return nil, nil, fmt.Errorf("the hub at %s cannot be reached: %w", hubAddress, err)
	}
	return router, end, nil
}

// listen reports every event, under the name of the target, until unlisten. A slow listener reports one event and accepts no
// more.
func (a *agent) listen(t wire.Target) error {
	var limits tcp.Limits
	if t.Slow {
		limits.Signals = 256 // so that events wait in the hub and not here
	}
	router, end, err := connect(t.Name, limits)
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	unlisten := func() { close(stop); end() }
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err = router.AddRemoteListener(ctx, "", "", func(ev hub.Event) {
		at := monotonic()
		data, err := ev.Data.MarshalJSON()
		if err != nil {
			data = []byte(fmt.Sprintf("%q", err))
		}
		a.tell(wire.Sight{At: at, Kind: wire.Heard, By: t.Name, Sender: ev.Sender, Event: ev.Name, Data: data})
		if t.Slow {
			<-stop
		}
	})
	if err != nil {
		unlisten()
		return err
	}
	a.listeners.put(t.Name, unlisten)
	return nil
}

func (a *agent) unlisten(t wire.Target) error {
	end, err := a.listeners.take(t.Name)
	if err != nil {
		return err
	}
	end()
	return nil
}

// request sends a request to a sender. An error in the answer is a result too.
func request(t wire.Target) (wire.Reply, error) {
	router, end, err := connect("request", tcp.Limits{})
	if err != nil {
		return wire.Reply{}, err
	}
	defer end()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	value, err := router.RemoteRequest(ctx, t.Sender, t.Method, carrier.Value{})
	r := wire.Reply{At: monotonic()}
	if err != nil {
		r.Text = err.Error()
		return r, nil
	}
	r.Data, err = value.MarshalJSON()
	return r, err
}
