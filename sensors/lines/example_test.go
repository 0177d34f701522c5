//go:build linux || darwin

package lines_test

import (
	"context"
	"fmt"
	"io"
	"sync"

	"sighub/carrier"
	"sighub/carrier/serial"
	"sighub/carrier/serial/port"
	"sighub/carrier/serial/port/discovery"
	"sighub/hub"
	"sighub/sensors/lines"
	"sighub/sensors/lines/formats"
)

// A sketch prints its temperature on a pseudo terminal. On a real port, Port would be "/dev/ttyUSB0".
func Example() {
	pty, err := port.NewPTY("")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pty.Close()
	router := hub.NewServerRouter(hub.ServerOptions{})
	options := lines.Options{
		Options: formats.Options{Format: formats.Pairs}, Sender: "kitchen", Units: map[string]string{"temp": "Cel"}, Baud: 9600,
	}
	server, err := serial.Listen(serial.Options{Ports: []serial.PortOptions{{
		Port: pty.Path(), Baud: 9600,
		Speaker: func(p discovery.Port) serial.Speaker {
			speaker, err := lines.New(options, lines.Place{Path: p.Path, Router: func() *hub.Router { return router.Router }})
			if err != nil {
				fmt.Println(err)
			}
			return speaker
		},
	}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	var once sync.Once // it goes on printing
	_, err = router.AddListener("kitchen", "temp", func(ev hub.Event) {
		once.Do(func() { fmt.Println(ev.Sender, ev.Name, ev.Data) })
		stop()
	})
	if err != nil {
		fmt.Println(err)
	}
	go sketch(ctx, pty)
	if err := router.Serve(ctx, []carrier.Carrier{server}...); err != nil {
		fmt.Println(err)
	}
	// Output: kitchen temp 21.5
}

func sketch(ctx context.Context, pty *port.PTY) {
	device, err := pty.Open(ctx)
	for ctx.Err() == nil && err == nil {
		_, err = io.WriteString(device, "temp:21.5\r\n")
	}
}
