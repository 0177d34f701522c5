package pins_test

import (
	"context"
	"fmt"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"sighub/hub"
	"sighub/sensors/pins"
)

// A door contact to ground, with a resistor to the supply: the pin is low while the door is open.
func Example() {
	router := hub.NewRouter(hub.Options{})
	ctx, stop := context.WithCancel(context.Background())
	_, _ = router.AddListener("door", "open", func(ev hub.Event) {
		fmt.Println(ev.Sender, ev.Name, ev.Data)
		stop()
	})
	// On a Raspberry Pi the pin is gpioreg.ByName("GPIO17").
	pin := &gpiotest.Pin{N: "GPIO17", L: gpio.Low, EdgesChan: make(chan gpio.Level)}
	watcher, err := pins.NewWatcher(router, []pins.Pin{{
		Sender: "door", Event: "open", ActiveLow: true,
		Open: func() (gpio.PinIn, error) { return pin, nil },
	}}, pins.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	watcher.Run(ctx)
	// Output: door open true
}
