package modbus_test

import (
	"context"
	"fmt"
	"net"

	"sighub/hub"
	"sighub/sensors/modbus"
	"sighub/sensors/modbus/frame"
	"sighub/sensors/modbus/profile"
	"sighub/sensors/modbus/slave"
)

// A thermometer on a bus becomes a sender. In a hub, the port is one of a serial.Server.
func Example() {
	thermometer := slave.NewBank()
	thermometer.Set(frame.ReadInput, 1, []byte{0x00, 0xd7, 0x02, 0x22})
	port, other := net.Pipe()
	go func() { _ = (&slave.Bus{Units: map[byte]slave.Unit{1: thermometer}}).ServeRTU(other) }()

	router := hub.NewRouter(hub.Options{})
	ctx, stop := context.WithCancel(context.Background())
	_, _ = router.AddListener("shed", "", func(ev hub.Event) {
		if ev.Name == "hum" {
			stop()
		}
		if ev.Name != hub.Connect && ev.Name != hub.Disconnect {
			fmt.Println(ev.Sender, ev.Name, ev.Data)
		}
	})
	p, err := profile.Library{}.Find("xy-md02")
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := modbus.New(modbus.Options{Devices: []modbus.Device{{ID: 1, Sender: "shed", Profile: *p}}},
		modbus.Place{Path: "/dev/ttyUSB0", Router: func() *hub.Router { return router }})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = s.Speak(ctx, port)
	// Output:
	// shed temp 21.5
	// shed hum 54.6
}
