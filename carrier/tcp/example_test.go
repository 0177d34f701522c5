package tcp_test

import (
	"context"
	"fmt"

	"sighub/carrier"
	"sighub/carrier/tcp"
)

// An end answers "greet", and tells of those it is connected to.
type end struct{ connected chan carrier.Client }

func (e end) ClientConnected(c carrier.Client)               { e.connected <- c }
func (e end) ClientDisconnected(_ carrier.ClientID, _ error) {}
func (e end) AllClientsDisconnected(error)                   {}

func (e end) HandleMessage(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
	var name string
	if err := m.Params.Decode(&name); err != nil {
		respond(carrier.Failed(err))
		return
	}
	respond(carrier.Done("hello, " + name))
}

func Example() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	hub, err := tcp.Listen("tcp://127.0.0.1:0", tcp.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	client := tcp.NewClient(hub.Addr(), tcp.ClientOptions{Name: "example"})

	atHub, atClient := end{make(chan carrier.Client, 1)}, end{make(chan carrier.Client, 1)}
	served := make(chan error, 2)
	go func() { served <- hub.Serve(ctx, atHub) }()
	go func() { served <- client.Serve(ctx, atClient) }()
	fmt.Println("the hub knows", (<-atHub.connected).Name)

	replied := make(chan string)
	m := &carrier.Message{Method: "greet", Params: carrier.ValueOf("world")}
	err = client.Transmit(ctx, (<-atClient.connected).ID, m, func(r carrier.Reply, err error) {
		replied <- fmt.Sprint(r.Response, err)
	})
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(<-replied)

	stop()
	fmt.Println(<-served, <-served)
	// Output:
	// the hub knows example
	// "hello, world" <nil>
	// <nil> <nil>
}
