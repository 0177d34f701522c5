package main

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"sighub/carrier"
	serialdevice "sighub/carrier/serial/device"
	"sighub/carrier/serial/port"
)

// A device is at the other end of an adapter. It has one sender, named like the device, that counts. It has its own power supply,
// so it continues when its adapter comes back.
type device struct {
	*serialdevice.Device
	name   string
	asked  chan string  // receives the names of requests, if there is room
	period atomic.Int64 // between readings, in ns
	taken  atomic.Int64 // the number of readings so far
	stop   func()       // switches it off
}

// The device answers the request "read" with the latest value, and never answers "never".
const (
	readRequest  = "read"
	neverRequest = "never"
	countEvent   = "count"
)

// usualPeriod is the default time between readings.
const usualPeriod = 50 * time.Millisecond

// deviceOptions describe a device; the zero value of each field but the name stands for its default.
type deviceOptions struct {
	name    string
	uid     string        // at most 12 bytes; default: the name
	period  time.Duration // between readings; default: usualPeriod
	fastest int           // the fastest rate that it supports
}

// newDevice switches a device on, whose port is what open returns.
func newDevice(open func(context.Context) (port.Port, error), o deviceOptions) (*device, error) {
	inner, err := serialdevice.New(open, serialdevice.Options{
		UID: []byte(cmp.Or(o.uid, o.name)), Name: o.name, Firmware: "1.0", FastestBaud: o.fastest,
		Senders: []serialdevice.Sender{{Name: o.name, Events: []serialdevice.Event{{Name: countEvent}}, Requests: []string{readRequest, neverRequest}}},
		Backoff: carrier.Backoff{Min: time.Millisecond, Max: 10 * time.Millisecond},
	})
	if err != nil {
		return nil, err
	}
	d := &device{Device: inner, name: o.name, asked: make(chan string, 64)}
	d.period.Store(int64(cmp.Or(o.period, usualPeriod)))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	d.stop = func() { cancel(); running.Wait() }
	running.Go(func() { _ = d.Serve(ctx, deviceHandler{d}) }) // it never fails
	running.Go(func() { d.count(ctx) })
	return d, nil
}

// count takes readings: 0, 1, 2 and so on.
func (d *device) count(ctx context.Context) {
	for n := int64(0); ; n++ {
		select {
		case <-time.After(time.Duration(d.period.Load())):
		case <-ctx.Done():
			return
		}
		if err := d.Report(ctx, d.name, countEvent, n, nil); err != nil {
			return // ctx is done
		}
		d.taken.Store(n + 1)
	}
}

// deviceHandler answers requests of the hub.
type deviceHandler struct{ *device }

func (deviceHandler) ClientConnected(carrier.Client)             {}
func (deviceHandler) ClientDisconnected(carrier.ClientID, error) {}
func (deviceHandler) AllClientsDisconnected(error)               {}
func (h deviceHandler) HandleMessage(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
	if m.Method != "request" {
		respond(carrier.Reply{Status: carrier.StatusNoSuchMethod})
		return
	}
	var ask struct {
		Method string `json:"method"`
	}
	if err := m.Params.Decode(&ask); err != nil {
		respond(carrier.Failed(err))
		return
	}
	select {
	case h.asked <- ask.Method:
	default:
	}
	if ask.Method == readRequest {
		respond(carrier.Done(h.Stats().Sent))
	}
}
