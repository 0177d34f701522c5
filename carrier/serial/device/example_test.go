//go:build linux || darwin

package device_test

import (
	"context"
	"fmt"
	"sync"

	"sighub/carrier"
	"sighub/carrier/serial"
	"sighub/carrier/serial/device"
	"sighub/carrier/serial/port"
)

// answering is a handler that answers every message.
type answering struct{}

func (answering) ClientConnected(carrier.Client) {}
func (answering) HandleMessage(_ carrier.ClientID, _ *carrier.Message, respond func(carrier.Reply)) {
	respond(carrier.Done(nil))
}
func (answering) ClientDisconnected(carrier.ClientID, error) {}
func (answering) AllClientsDisconnected(error)               {}

// A device on a pseudo terminal reports a reading before a hub is there.
func Example() {
	pty, err := port.NewPTY("")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pty.Close()
	porch, err := device.New(pty.Open, device.Options{
		Name:    "porch",
		Senders: []device.Sender{{Name: "light", Events: []device.Event{{Name: "lux", Unit: "lx"}}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	acknowledged := make(chan error, 1)
	err = porch.Report(context.Background(), "light", "lux", 512, func(err error) { acknowledged <- err })
	fmt.Println("reported:", err)

	hub, err := serial.Listen(serial.Options{Ports: []serial.PortOptions{{Port: pty.Path()}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	var served sync.WaitGroup
	served.Go(func() { _ = porch.Serve(ctx, answering{}) })
	served.Go(func() { _ = hub.Serve(ctx, answering{}) })
	fmt.Println("acknowledged:", <-acknowledged)
	stop()
	served.Wait()
	fmt.Println("sent:", porch.Stats().Sent)
	// Output:
	// reported: <nil>
	// acknowledged: <nil>
	// sent: 1
}
