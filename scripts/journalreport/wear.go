//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/device"
	"sighub/carrier/serial/port"
	"sighub/hub"
)

// A worn disk has a hub's state, and nothing else.
type worn struct {
	*disk
	hub *hubProcess
}

// wearOf starts a hub on a disk of its own and calls use with it.
func wearOf(ctx context.Context, b *bench, o hubOptions, use func(*worn) error) (err error) {
	dir, remove, err := b.temp()
	if err != nil {
		return err
	}
	defer remove()
	d, err := newDisk(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	o.state = filepath.Join(d.dir, "state")
	h, err := b.startHub(ctx, o)
	if err != nil {
		return err
	}
	defer h.stop()
	return use(&worn{d, h})
}

// perDay returns how many MB are written in a day, if it goes on as it does in this span.
func (w *worn) perDay(ctx context.Context, log io.Writer, span time.Duration) (float64, error) {
	before, err := w.written(ctx)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	if err := pause(ctx, span); err != nil {
		return 0, err
	}
	after, err := w.written(ctx)
	took := time.Since(start)
	fmt.Fprintf(log, "  %d KB in %s\n", (after-before)/1000, took.Round(time.Second))
	return float64(after-before) / 1e6 * float64(24*time.Hour) / float64(took), err
}

// burstMB is what small commits may write before they have to wait, which a day may begin with: see journal.PaceOptions.
const burstMB = 16.8

// wearOfDevices measures what ten devices with one reading a second wear.
func wearOfDevices(ctx context.Context, b *bench, t *table) error {
	const devices = 10
	crowd, paths, err := newDevices(devices)
	if err != nil {
		return err
	}
	defer crowd.close()
	return wearOf(ctx, b, hubOptions{serial: paths}, func(w *worn) error {
		ears, err := w.hub.client(ctx)
		if err != nil {
			return err
		}
		defer ears.Close()
		if _, err := ears.AddRemoteListener(ctx, "", "", crowd.hear); err != nil {
			return err
		}
		if err := crowd.start(ctx, time.Second); err != nil {
			return err
		}
		if err := w.hub.useUp(ctx); err != nil {
			return err
		}
		before := crowd.heard.Load()
		day, err := w.perDay(ctx, b.log, b.span(90*time.Second, 10*time.Minute))
		if err != nil {
			return err
		}
		if heard := crowd.heard.Load() - before; heard < 10 {
			return fmt.Errorf("only %d readings were heard", heard)
		}
		t.row("written for ten devices with one reading a second, with what the file system writes", day+burstMB, "MB a day", 700)
		t.row("readings of these that were lost", float64(crowd.lost.Load()), "", 0)
		return nil
	})
}

// devices are simulated: they speak the serial protocol on pseudo terminals.
type devices struct {
	ptys []*port.PTY
	all  []*device.Device
	dir  func()
	stop context.CancelFunc
	work sync.WaitGroup

	heard, lost, connected atomic.Int64
}

func newDevices(n int) (*devices, []string, error) {
	path, remove, err := sock()
	if err != nil {
		return nil, nil, err
	}
	c := &devices{dir: remove, stop: func() {}}
	var paths []string
	for i := range n {
		p, err := port.NewPTY(fmt.Sprintf("%s.tty%d", path, i))
		if err != nil {
			c.close()
			return nil, nil, err
		}
		c.ptys, paths = append(c.ptys, p), append(paths, p.Path())
		name := fmt.Sprintf("device%d", i)
		d, err := device.New(p.Open, device.Options{
			Name: name, Window: 1, Senders: []device.Sender{{Name: name, Events: []device.Event{{Name: "value"}}}},
		})
		if err != nil {
			c.close()
			return nil, nil, err
		}
		c.all = append(c.all, d)
	}
	return c, paths, nil
}

func (c *devices) hear(ev hub.Event) {
	switch ev.Name {
	case "value":
		c.heard.Add(1)
	case hub.Connect:
		c.connected.Add(1)
	case hub.Gap:
		c.lost.Add(1)
	}
}

// start connects the devices. Each has one reading each period, at a time of its own.
func (c *devices) start(ctx context.Context, period time.Duration) error {
	var serving context.Context
	serving, c.stop = context.WithCancel(context.Background())
	for i, d := range c.all {
		name := fmt.Sprintf("device%d", i)
		c.work.Go(func() { _ = d.Serve(serving, noRequests{}) }) // a device never fails for good
		c.work.Go(func() {
			next := time.Now().Add(period * time.Duration(i) / time.Duration(len(c.all)))
			for n := 0; pause(serving, time.Until(next)) == nil; n++ {
				if d.Report(serving, name, "value", n, func(err error) {
					if err != nil && serving.Err() == nil {
						c.lost.Add(1)
					}
				}) != nil {
					return
				}
				next = next.Add(period)
			}
		})
	}
	for end := time.Now().Add(patience); c.connected.Load() < int64(len(c.all)); {
		if time.Now().After(end) {
			return fmt.Errorf("%d of %d devices are connected after %s", c.connected.Load(), len(c.all), patience)
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func (c *devices) close() {
	c.stop()
	c.work.Wait()
	for _, p := range c.ptys {
		_ = p.Close() // closing it ends everything that uses it
	}
	c.dir()
}

// noRequests is the handler of a device without requests.
type noRequests struct{}

func (noRequests) ClientConnected(carrier.Client)             {}
func (noRequests) ClientDisconnected(carrier.ClientID, error) {}
func (noRequests) AllClientsDisconnected(error)               {}
func (noRequests) HandleMessage(_ carrier.ClientID, _ *carrier.Message, respond func(carrier.Reply)) {
	respond(carrier.Reply{Status: carrier.StatusNoSuchMethod})
}

// fill has the hub keep so many bytes.
func (w *worn) fill(ctx context.Context, bytes int) error {
	c, err := w.hub.client(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	s, err := c.Signal(ctx, "filler", "bytes")
	if err != nil {
		return err
	}
	data := make([]byte, 32<<10)
	for range bytes / len(data) {
		if err := s.Trigger(ctx, data); err != nil {
			return err
		}
	}
	return nil
}

// wearOfReadings measures what 4,000 readings of 14 bytes each second wear. The journal is the smallest one, so that its files are
// used again as they are later; the first time, each byte is written twice.
func wearOfReadings(ctx context.Context, b *bench, t *table) error {
	const clients, each = 10, 400 // readings a second
	const size = 64 << 20
	return wearOf(ctx, b, hubOptions{config: fmt.Sprintf("journal: {size: %d}\n", size)}, func(w *worn) error {
		if err := w.fill(ctx, 2*size); err != nil {
			return err
		}
		if err := w.hub.useUp(ctx); err != nil { // while nothing else makes it commit
			return err
		}
		// 14 bytes: the head of a text, and its 13 characters.
		reading := carrier.RawValue(carrier.CBOR, []byte("\x6d+23.456789012"))
		sending, stop := context.WithCancel(ctx)
		var work sync.WaitGroup
		defer work.Wait()
		defer stop()
		var sent, acknowledged atomic.Int64
		failed := make(chan error, clients)
		var all []*client
		defer func() {
			for _, c := range all {
				c.Close()
			}
		}()
		for i := range clients {
			c, err := w.hub.client(ctx)
			if err != nil {
				return err
			}
			all = append(all, c)
			s, err := c.Signal(ctx, fmt.Sprintf("sensor%d", i), "value")
			if err != nil {
				return err
			}
			work.Go(func() {
				next := time.Now()
				for pause(sending, time.Until(next)) == nil {
					err := s.TriggerAsync(sending, &reading, func(err error) {
						if err == nil {
							acknowledged.Add(1)
						}
					})
					if err != nil && sending.Err() == nil {
						failed <- err
						return
					}
					sent.Add(1)
					next = next.Add(time.Second / each)
				}
			})
		}
		before, start := acknowledged.Load(), time.Now()
		day, err := w.perDay(ctx, b.log, b.span(30*time.Second, 3*time.Minute))
		if err != nil {
			return err
		}
		rate := float64(acknowledged.Load()-before) / time.Since(start).Seconds()
		select {
		case err := <-failed:
			return err
		default:
		}
		t.row("written for 4,000 readings of 14 bytes each second", day/1000, "GB a day", 10)
		t.least("of these, acknowledged", rate, "a second", 0.95*clients*each)
		return nil
	})
}
