package local_test

import (
	"context"
	"fmt"
	"sync"

	"sighub/carrier"
	"sighub/carrier/local"
)

// A greeter answers every message, and tells of each client that connects.
type greeter struct{ connected chan carrier.Client }

func (g greeter) ClientConnected(c carrier.Client) { g.connected <- c }

func (greeter) HandleMessage(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
	var name string
	if err := m.Params.Decode(&name); err != nil {
		respond(carrier.Failed(err))
		return
	}
	respond(carrier.Done("hello, " + name))
}

func (greeter) ClientDisconnected(carrier.ClientID, error) {}
func (greeter) AllClientsDisconnected(error)               {}

func Example() {
	hub := local.NewHub(local.Options{})
	peer := hub.NewPeer("kitchen")

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	atHub, atPeer := greeter{make(chan carrier.Client, 1)}, greeter{make(chan carrier.Client, 1)}
	var serving sync.WaitGroup
	serving.Go(func() { _ = hub.Serve(ctx, atHub) })
	serving.Go(func() { _ = peer.Serve(ctx, atPeer) })

	client := <-atHub.connected
	fmt.Println(client.Name, "is at", client.Addr)

	replies := make(chan carrier.Reply, 1)
	err := peer.Transmit(ctx, (<-atPeer.connected).ID, &carrier.Message{Method: "greet", Params: carrier.ValueOf("world")},
		func(r carrier.Reply, err error) {
			if err == nil {
				replies <- r
			}
		})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println((<-replies).Response)

	stop()
	serving.Wait()
	// Output:
	// kitchen is at local://1
	// "hello, world"
}
