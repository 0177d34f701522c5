package hub_test

import (
	"context"
	"fmt"

	"sighub/carrier"
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
