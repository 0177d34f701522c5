//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"sighub/carrier"
	"sighub/carrier/serial/device"
	"sighub/carrier/serial/fault"
	"sighub/carrier/serial/port"
)

// deviceName is the name of the simulated device's sender. The data of its readings is their number.
const deviceName = "device"

// A socketLine is a serial line that ends in a socket, to which a machine connects when it is switched on.
type socketLine struct {
	listen net.Listener
	conns  chan net.Conn
}

func newSocketLine(path string) (*socketLine, error) {
	listen, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	l := &socketLine{listen: listen, conns: make(chan net.Conn, 8)}
	go func() {
		defer close(l.conns)
		for {
			c, err := listen.Accept()
			if err != nil {
				return
			}
			l.conns <- c
		}
	}()
	return l, nil
}

// open waits until a machine is there.
func (l *socketLine) open(ctx context.Context) (io.ReadWriteCloser, error) {
	select {
	case c, ok := <-l.conns:
		if !ok {
			return nil, net.ErrClosed
		}
		return c, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (l *socketLine) close() error {
	err := l.listen.Close()
	for c := range l.conns {
		_ = c.Close()
	}
	return err
}

// read has a simulated device take readings until ctx is done, or a number of them: 1, 2, 3 and so on. It has a power supply of its
// own. The line harms what it carries.
func (w *world) read(ctx context.Context, open func(context.Context) (io.ReadWriteCloser, error), harm string, most int) error {
	o, err := fault.Parse(harm)
	if err != nil {
		return err
	}
	cable, err := fault.New(o)
	if err != nil {
		return err
	}
	d, err := device.New(func(ctx context.Context) (port.Port, error) {
		return cable.Open(fault.DeviceEnd, func() (io.ReadWriteCloser, error) { return open(ctx) })
	}, device.Options{
		UID: []byte(deviceName), Name: deviceName, Ring: 256,
		Senders: []device.Sender{{Name: deviceName, Events: []device.Event{{Name: "n"}}}},
	})
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { _ = d.Serve(serving, deaf{}) }) // it never fails
	defer running.Wait()
	defer stop()
	ended := make(chan error, 1)
	for n := 1; n <= most || most == 0; n++ {
		err := d.Report(ctx, deviceName, "n", n, func(err error) {
			switch {
			case err == nil:
				w.tell(acked{deviceName, n})
			case !errors.Is(err, carrier.ErrShutdown):
				select {
				case ended <- violation{fmt.Errorf("reading %d of the device ended: %w", n, err)}:
				default:
				}
			}
			if n == most {
				stop()
			}
		})
		if err != nil {
			return err
		}
		select {
		case err := <-ended:
			return err
		default:
		}
	}
	<-serving.Done()
	return ctx.Err()
}

// A deaf device answers no requests.
type deaf struct{}

func (deaf) ClientConnected(carrier.Client)             {}
func (deaf) ClientDisconnected(carrier.ClientID, error) {}
func (deaf) AllClientsDisconnected(error)               {}
func (deaf) HandleMessage(_ carrier.ClientID, _ *carrier.Message, respond func(carrier.Reply)) {
	respond(carrier.Reply{Status: carrier.StatusNoSuchMethod})
}
