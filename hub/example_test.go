package hub_test

import (
	"context"
	"fmt"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/hub"
)

func Example() {
	r := hub.NewRouter(hub.Options{})
	if _, err := r.AddListener("light", "lux", func(ev hub.Event) { fmt.Println(ev.Sender, ev.Name, ev.Data) }); err != nil {
		panic(err)
	}
	light, err := r.AddSender("light", hub.SenderOptions{
		Events: []string{"lux"},
		Requests: map[string]hub.RequestHandler{
			"range": func(context.Context, string, carrier.Value) (any, error) { return []int{0, 65535}, nil },
		},
	})
	if err != nil {
		panic(err)
	}
	lux, err := light.Signal("lux")
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	if err := lux.Trigger(ctx, 512); err != nil {
		panic(err)
	}
	limits, err := r.Request(ctx, "light", "range", nil)
	fmt.Println(limits, err)
	// Output:
	// light lux 512
	// [0,65535] <nil>
}

// A hub, a sender that reaches it over TCP, and a listener that does: in a real program, three processes.
func ExampleServerRouter() {
	ctx, stop := context.WithCancel(context.Background())
	server, _ := tcp.Listen("tcp://127.0.0.1:0", tcp.Options{})
	router := hub.NewServerRouter(hub.ServerOptions{})
	served := make(chan error, 3)
	go func() { served <- router.Serve(ctx, server) }()

	listener := hub.NewClientRouter(hub.ClientOptions{})
	go func() { served <- listener.Serve(ctx, tcp.NewClient(server.Addr(), tcp.ClientOptions{})) }()
	heard := make(chan hub.Event)
	_, _ = listener.AddRemoteListener(ctx, "light", "lux", func(ev hub.Event) { heard <- ev })

	sensor := hub.NewClientRouter(hub.ClientOptions{})
	go func() { served <- sensor.Serve(ctx, tcp.NewClient(server.Addr(), tcp.ClientOptions{})) }()
	light, _ := sensor.AddRemoteSender(ctx, "light", hub.SenderOptions{Events: []string{"lux"}})
	lux, _ := light.Signal("lux")
	go func() { _ = lux.Trigger(ctx, 512) }() // returns when the hub has acknowledged it

	ev := <-heard
	fmt.Println(ev.Sender, ev.Name, ev.Data)
	stop()
	for range 3 {
		if err := <-served; err != nil {
			fmt.Println(err)
		}
	}
	// Output: light lux 512
}
