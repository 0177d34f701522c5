//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/device"
	"sighub/carrier/serial/port"
	"sighub/hub"
)

const (
	perSecond = 10 // readings of a device
	mostCPU   = 1  // core, for the devices together
	mostP99   = 10 * time.Millisecond
)

// devices measures a hub with more and more simulated devices on pseudo terminals.
func devices(ctx context.Context, l *lab) error {
	for _, n := range l.sizes(100, 1000) {
		if err := measureDevices(ctx, l, n); err != nil {
			return fmt.Errorf("%d devices: %w", n, err)
		}
		fmt.Fprintf(l.log, "%d devices\n", n)
	}
	return nil
}

func measureDevices(ctx context.Context, l *lab, n int) error {
	note := func(name, unit string, must, least, value float64) {
		l.report.add(kind{"devices", name, unit, "devices", must, least}, n, value)
	}
	state, err := l.folder()
	if err != nil {
		return err
	}
	lines := filepath.Join(state, "lines")
	if err := os.Mkdir(lines, 0o700); err != nil {
		return err
	}
	h, err := l.start(ctx, state, "journal: off\n", "--serial", filepath.Join(lines, "*"))
	if err != nil {
		return err
	}
	defer h.Stop()
	b := &board{began: time.Now(), connected: make(chan struct{})}
	defer b.close()
	c, err := h.client(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.AddRemoteListener(ctx, "", "", b.hear); err != nil {
		return err
	}
	if err := errors.Join(l.settle(ctx), h.calm(ctx)); err != nil {
		return err
	}
	before, empty, began := h.used(), h.resident(), time.Now()
	if err := b.plug(ctx, lines, n); err != nil {
		return err
	}
	note("until all are recognised", "s", 1, 0.5, time.Since(began).Seconds())
	note("recognise: the hub's time for each", "ms", 0, 1, ms(h.used().since(before).cpu)/float64(n))
	if err := h.calm(ctx); err != nil {
		return err
	}
	if n >= enough {
		note("memory of each, idle", "KB", 0, 1, max(h.resident()-empty, 0)/1024/float64(n))
	}

	span := 10 * time.Second
	if l.quick {
		span = 2 * time.Second
	}
	before = h.used()
	delays, err := b.report(ctx, int(span.Seconds()*perSecond))
	if err != nil {
		return err
	}
	u := h.used().since(before)
	slices.Sort(delays)
	note("a reading, until it is heard: median", "ms", 0, 0.5, ms(delays[len(delays)/2]))
	note("a reading, until it is heard: 99th percentile", "ms", 0, 3, ms(delays[len(delays)*99/100]))
	note("the hub's time for a reading", "µs", 0, 30, us(u.cpu)/float64(len(delays)))
	note("the hub's time, of a core", "%", 1, 1, 100*u.cpu.Seconds()/span.Seconds())
	if p99 := delays[len(delays)*99/100]; !l.quick && (p99 > mostP99 || u.cpu > mostCPU*span) {
		fmt.Fprintf(l.log, "not kept: %d devices at %d readings/s: 99th percentile %s (at most %s), %.0f %% of a core\n",
			n, perSecond, p99, mostP99, 100*u.cpu.Seconds()/span.Seconds())
	}

	wall, cpu, err := h.repeat(5, func(int) error {
		v, err := c.Call(ctx, "list_ports", nil)
		if err != nil {
			return err
		}
		var list []map[string]any
		if err := v.Decode(&list); err != nil {
			return err
		}
		if len(list) != n {
			return fmt.Errorf("%d of %d ports are listed", len(list), n)
		}
		return nil
	})
	if err != nil {
		return err
	}
	note("list all ports", "ms", 1, 0.5, ms(wall))
	note("list all ports: the hub's time", "ms", 1, 0.5, ms(cpu))
	idle, err := h.idle(ctx, l.idleSpan())
	if err != nil {
		return err
	}
	note("idle: the hub's time in a second", "ms", 1, 2, ms(idle.cpu))
	note("idle: wake-ups in a second, above ten", "", 1, 10, idle.wakes-10)
	return nil
}

// A board has simulated devices and hears their readings. A reading is a number that counts up.
type board struct {
	began     time.Time
	ptys      []*port.PTY
	devices   []*countingDevice
	stop      context.CancelFunc
	serving   sync.WaitGroup
	connected chan struct{}

	mu    sync.Mutex
	known int // devices that are connected
	heard atomic.Int64
	fault error
	late  []time.Duration
}

type countingDevice struct {
	*device.Device
	next  int            // that is to be heard next; under board.mu
	taken []atomic.Int64 // when each was taken, since board.began
}

func (b *board) close() {
	if b.stop != nil {
		b.stop()
		b.serving.Wait()
	}
	for _, p := range b.ptys {
		_ = p.Close() // closing it ends everything that uses it
	}
}

func deviceName(i int) string { return fmt.Sprintf("d%d", i) }

// plug plugs in so many devices, and waits until the hub has recognised all of them.
func (b *board) plug(ctx context.Context, folder string, n int) error {
	serving, stop := context.WithCancel(context.Background())
	b.stop = stop
	for range n {
		b.devices = append(b.devices, &countingDevice{})
	}
	for i, d := range b.devices {
		pty, err := port.NewPTY(filepath.Join(folder, deviceName(i)))
		if err != nil {
			return err
		}
		b.ptys = append(b.ptys, pty)
		if d.Device, err = device.New(pty.Open, device.Options{
			Name: deviceName(i), Senders: []device.Sender{{Name: deviceName(i), Events: []device.Event{{Name: reading}}}},
		}); err != nil {
			return err
		}
		b.serving.Go(func() { _ = d.Serve(serving, deafDevice{}) }) // a device never fails for good
	}
	select {
	case <-b.connected:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(patience):
		b.mu.Lock()
		defer b.mu.Unlock()
		return fmt.Errorf("%d of %d devices are connected", b.known, n)
	}
}

// report lets each device report n readings periodically, and returns how long each took until it was heard.
func (b *board) report(ctx context.Context, n int) ([]time.Duration, error) {
	const period = time.Second / perSecond
	errs := make([]error, len(b.devices))
	for _, d := range b.devices {
		d.taken = make([]atomic.Int64, n)
	}
	start := time.Now()
	var all sync.WaitGroup
	for i, d := range b.devices {
		all.Go(func() {
			begin := start.Add(time.Duration(i) * period / time.Duration(len(b.devices))) // not all at once
			for k := range n {
				time.Sleep(time.Until(begin.Add(time.Duration(k) * period)))
				d.taken[k].Store(int64(time.Since(b.began)))
				if errs[i] = d.Report(ctx, deviceName(i), reading, k, nil); errs[i] != nil {
					return
				}
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	want := int64(n * len(b.devices))
	for end := time.Now().Add(10 * time.Second); b.heard.Load() < want && time.Now().Before(end); {
		if err := pause(ctx, time.Millisecond); err != nil {
			return nil, err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fault == nil && int64(len(b.late)) != want {
		b.fault = fmt.Errorf("%d of %d readings were heard", len(b.late), want)
	}
	return b.late, b.fault
}

// hear is the listener.
func (b *board) hear(ev hub.Event) {
	now := time.Since(b.began)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch ev.Name {
	case hub.Connect:
		if b.known++; b.known == len(b.devices) {
			close(b.connected)
		}
	case reading:
		if err := b.note(&ev, now); err != nil && b.fault == nil {
			b.fault = err
		}
		b.heard.Add(1)
	default:
		if b.fault == nil {
			b.fault = fmt.Errorf("%s of %s was heard", ev.Name, ev.Sender)
		}
	}
}

func (b *board) note(ev *hub.Event, now time.Duration) error {
	var i, number int
	if _, err := fmt.Sscanf(ev.Sender, "d%d", &i); err != nil || i < 0 || i >= len(b.devices) {
		return fmt.Errorf("sender %s was heard", ev.Sender)
	}
	if err := ev.Data.Decode(&number); err != nil {
		return err
	}
	d := b.devices[i]
	if number != d.next || number >= len(d.taken) {
		return fmt.Errorf("%s: reading %d was heard instead of %d", ev.Sender, number, d.next)
	}
	d.next++
	at := d.taken[number].Load()
	b.late = append(b.late, now-time.Duration(min(at, math.MaxInt64)))
	return nil
}

// A deafDevice is the handler of a device without requests.
type deafDevice struct{}

func (deafDevice) ClientConnected(carrier.Client)             {}
func (deafDevice) ClientDisconnected(carrier.ClientID, error) {}
func (deafDevice) AllClientsDisconnected(error)               {}
func (deafDevice) HandleMessage(_ carrier.ClientID, _ *carrier.Message, respond func(carrier.Reply)) {
	respond(carrier.Reply{Status: carrier.StatusNoSuchMethod})
}
