package sensors_test

import (
	"context"
	"fmt"

	"sighub/hub"
	"sighub/sensors"
)

func Example() {
	r := sensors.Reading{Value: 21.5, Unit: sensors.Celsius}
	fmt.Println(r)
	// Output: 21.5 Cel
}

// steady is a sensor that is a program: the smallest there can be.
type steady struct{}

func (steady) Quantities() []sensors.Quantity {
	return []sensors.Quantity{{Name: "temp", Unit: sensors.Celsius, Resolution: 0.1}}
}

func (steady) Read(_ context.Context, values []float64) error { values[0] = 21.53; return nil }

func (steady) Close() error { return nil }

func ExamplePoller() {
	router := hub.NewRouter(hub.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	_, _ = router.AddListener("room", "temp", func(ev hub.Event) {
		fmt.Println(ev.Sender, ev.Name, ev.Data)
		cancel()
	})
	poller, err := sensors.NewPoller(sensors.OnRouter(router), []sensors.Source{{
		Sender: "room",
		Open:   func(context.Context) (sensors.Sensor, error) { return steady{}, nil },
		// The room's own thermometer says half a degree less.
		Outputs: []sensors.Output{{Quantity: "temp", Offset: -0.5}},
	}}, sensors.PollerOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(poller.Run(ctx))
	// Output:
	// room temp 21.03
	// <nil>
}
