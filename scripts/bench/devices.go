package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/device"
	"sighub/carrier/serial/port"
	"sighub/hub"
	"sighub/scripts/bench/costs"
	"sighub/scripts/bench/message"
	"sighub/scripts/bench/peers"
)

const (
	deviceCount  = 200
	devicePeriod = 50 * time.Millisecond // 20 readings/s
	deviceEvent  = "count"
)

// devices measures a hub with a PTY for each of many devices, and one listener on TCP that hears all of them. A reading is a small number
// that counts up. The time at which it was taken is kept here.
func devices(ctx context.Context, e *env, _ peers.Peer) ([]figure, error) {
	all := &deviceCrowd{clock: message.NewClock(), announced: make(chan struct{}, 1)}
	defer all.close()
	for i := range deviceCount {
		if err := all.add(filepath.Join(e.Tmp, fmt.Sprintf("tty%d", i))); err != nil {
			return nil, err
		}
	}
	p := &peers.Sighub{Serial: all.paths}
	return withPeer(ctx, e, p, func() ([]figure, error) {
		c, err := p.Connect(ctx, func(c *peers.Client) error {
			_, err := c.AddRemoteListener(ctx, "", "", all.hear)
			return err
		})
		if err != nil {
			return nil, err
		}
		defer c.Close()
		if err := all.serve(ctx); err != nil {
			return nil, err
		}
		if _, err := all.report(ctx, int(time.Second/devicePeriod)); err != nil {
			return nil, err
		}
		before, err := costs.CPU(p.Pid())
		if err != nil {
			return nil, err
		}
		start := time.Now()
		delays, err := all.report(ctx, max(40, int(2*e.span/devicePeriod)))
		if err != nil {
			return nil, err
		}
		after, err := costs.CPU(p.Pid())
		took := time.Since(start)
		return append([]figure{
			{"readings/s", float64(len(delays)) / took.Seconds()},
			{"hub's CPU, % of a core", 100 * float64(after-before) / float64(took)},
		}, percentiles(delays)...), err
	})
}

// A deviceCrowd has the devices and their listener.
type deviceCrowd struct {
	clock   *message.Clock
	paths   []string
	ptys    []*port.PTY
	devices []*countingDevice
	stop    context.CancelFunc
	serving sync.WaitGroup

	announced chan struct{} // closed when all are connected
	connected atomic.Int64
	heard     atomic.Int64
	failed    atomic.Pointer[error]
	delays    []time.Duration // of one report; used by the listener
}

// A countingDevice reports its own count.
type countingDevice struct {
	*device.Device
	name   string
	number int            // of its next reading
	taken  []atomic.Int64 // when each reading of this report was taken, on our clock
	first  int            // the number of the first of them
	next   int            // the number that the listener should hear next
}

func (a *deviceCrowd) add(path string) error {
	pty, err := port.NewPTY(path)
	if err != nil {
		return err
	}
	a.paths, a.ptys = append(a.paths, path), append(a.ptys, pty)
	d := &countingDevice{name: fmt.Sprintf("d%d", len(a.devices))}
	d.Device, err = device.New(pty.Open, device.Options{
		Name: d.name, Senders: []device.Sender{{Name: d.name, Events: []device.Event{{Name: deviceEvent}}}},
	})
	a.devices = append(a.devices, d)
	return err
}

func (a *deviceCrowd) close() {
	if a.stop != nil {
		a.stop()
		a.serving.Wait()
	}
	for _, p := range a.ptys {
		_ = p.Close() // closing it ends everything that uses it
	}
}

// serve connects the devices to the hub.
func (a *deviceCrowd) serve(ctx context.Context) error {
	serving, stop := context.WithCancel(context.Background())
	a.stop = stop
	for _, d := range a.devices {
		a.serving.Go(func() { _ = d.Serve(serving, deviceHandler{}) }) // a device never fails for good
	}
	select {
	case <-a.announced:
		return nil
	case <-time.After(peers.Patience):
		return fmt.Errorf("%d of %d devices are connected after %s", a.connected.Load(), deviceCount, peers.Patience)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// report lets each device report n readings periodically, and returns how long each took to the listener.
func (a *deviceCrowd) report(ctx context.Context, n int) ([]time.Duration, error) {
	a.delays = make([]time.Duration, 0, n*deviceCount)
	a.heard.Store(0)
	for _, d := range a.devices {
		d.first, d.taken = d.number, make([]atomic.Int64, n)
	}
	start, errs := a.clock.Now(), make([]error, deviceCount)
	var all sync.WaitGroup
	for i, d := range a.devices {
		all.Go(func() {
			begin := start + time.Duration(i)*devicePeriod/deviceCount // not all at once
			for k := range n {
				time.Sleep(begin + time.Duration(k)*devicePeriod - a.clock.Now())
				d.taken[k].Store(int64(a.clock.Now()))
				errs[i] = d.Report(ctx, d.name, deviceEvent, d.number, nil)
				if errs[i] != nil {
					return
				}
				d.number++
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for end := time.Now().Add(10 * time.Second); a.heard.Load() < int64(n)*deviceCount; {
		if time.Now().After(end) {
			return nil, fmt.Errorf("%d readings of %d were heard", a.heard.Load(), n*deviceCount)
		}
		if err := pause(ctx, time.Millisecond); err != nil {
			return nil, err
		}
	}
	if err := a.failed.Load(); err != nil {
		return nil, *err
	}
	return a.delays, nil
}

// hear is the listener.
func (a *deviceCrowd) hear(ev hub.Event) {
	now := a.clock.Now()
	if err := a.note(&ev, now); err != nil {
		a.failed.CompareAndSwap(nil, &err)
	}
}

func (a *deviceCrowd) note(ev *hub.Event, now time.Duration) error {
	switch ev.Name {
	case hub.Connect:
		if a.connected.Add(1) == deviceCount {
			a.announced <- struct{}{}
		}
		return nil
	case deviceEvent:
	default:
		return fmt.Errorf("%s of %s was heard", ev.Name, ev.Sender)
	}
	var i, number int
	if _, err := fmt.Sscanf(ev.Sender, "d%d", &i); err != nil || i < 0 || i >= deviceCount {
		return fmt.Errorf("sender %s was heard", ev.Sender)
	}
	if err := ev.Data.Decode(&number); err != nil {
		return err
	}
	d := a.devices[i]
	if number != d.next || number-d.first >= len(d.taken) {
		return fmt.Errorf("%s: reading %d was heard instead of %d", ev.Sender, number, d.next)
	}
	d.next++
	a.delays = append(a.delays, now-time.Duration(d.taken[number-d.first].Load()))
	a.heard.Add(1)
	return nil
}

// deviceHandler is the handler of a device without requests.
type deviceHandler struct{}

func (deviceHandler) ClientConnected(carrier.Client)             {}
func (deviceHandler) ClientDisconnected(carrier.ClientID, error) {}
func (deviceHandler) AllClientsDisconnected(error)               {}
func (deviceHandler) HandleMessage(_ carrier.ClientID, _ *carrier.Message, respond func(carrier.Reply)) {
	respond(carrier.Reply{Status: carrier.StatusNoSuchMethod})
}
