//go:build linux || darwin

package serial_test

import (
	"context"
	"fmt"
	"sync"

	"sighub/carrier"
	"sighub/carrier/serial"
	"sighub/carrier/serial/device"
	"sighub/carrier/serial/port"
)

// printer is a handler that prints what it is told.
type printer struct{}

func (printer) ClientConnected(c carrier.Client) { fmt.Println("connected:", c.Name) }

func (printer) HandleMessage(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
	if m.Method == "signal" {
		_ = m.Params.Fields(func(key string, v carrier.Value) error {
			if key == "data" {
				fmt.Println("reading:", v)
			}
			return nil
		})
	}
	respond(carrier.Done(nil))
}

func (printer) ClientDisconnected(_ carrier.ClientID, cause error) {
	fmt.Println("disconnected:", carrier.Reason(cause))
}

func (printer) AllClientsDisconnected(error) {}

type silent struct{}

func (silent) ClientConnected(carrier.Client) {}
func (silent) HandleMessage(_ carrier.ClientID, _ *carrier.Message, respond func(carrier.Reply)) {
	respond(carrier.Done(nil))
}
func (silent) ClientDisconnected(carrier.ClientID, error) {}
func (silent) AllClientsDisconnected(error)               {}

// A hub and a simulated device on a pseudo terminal.
func Example() {
	pty, err := port.NewPTY("")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pty.Close()
	hub, err := serial.Listen(serial.Options{Ports: []serial.PortOptions{{Port: pty.Path()}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	porch, err := device.New(pty.Open, device.Options{
		Name:    "porch",
		Senders: []device.Sender{{Name: "light", Events: []device.Event{{Name: "lux", Unit: "lx"}}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx, stop := context.WithCancel(context.Background())
	var served sync.WaitGroup
	served.Go(func() { _ = hub.Serve(ctx, printer{}) })
	served.Go(func() { _ = porch.Serve(ctx, silent{}) })
	for _, lux := range []int{512, 513} {
		acknowledged := make(chan error, 1)
		_ = porch.Report(ctx, "light", "lux", lux, func(err error) { acknowledged <- err })
		if err := <-acknowledged; err != nil {
			fmt.Println(err)
		}
	}
	stop()
	served.Wait()
	// Output:
	// connected: porch
	// reading: 512
	// reading: 513
	// disconnected: shutdown
}
