package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial"
	"sighub/carrier/tcp"
	"sighub/hub"
	"sighub/internal/address"
	"sighub/internal/simulator"
	"sighub/internal/terminal"
	"sighub/web"
	"sighub/web/page"
)

type demoCommand struct {
	For time.Duration `default:"20s" placeholder:"D" help:"How long the demo takes. Default: 20s."`
}

// Help is what --help says in full.
func (*demoCommand) Help() string {
	return `A simulated device reports light and temperature over a pseudo terminal, the hub passes the readings on, and a listener
that is connected to the hub over TCP prints them. A browser shows them as well, at the address that is printed: --for 10m gives
you time to look. After a third of the time the line is cut; after another third it is
repaired. The demo needs no hardware and no other program, and leaves no files behind.`
}

// Run runs the demo.
func (c *demoCommand) Run(ctx context.Context, s *streams) error {
	if c.For < time.Second {
		return usageError{fmt.Errorf("--for %s is too short to see anything: it must be 1s or more", c.For)}
	}
	d := &demo{out: s.out, printer: terminal.NewPrinter(s.out, "text"), length: c.For, change: make(chan struct{})}
	return d.run(ctx)
}

// A demo is a hub, a device on a line and a listener, in one process.
type demo struct {
	length time.Duration

	mu      sync.Mutex
	out     io.Writer
	printer *terminal.Printer // to out
	heard   int               // readings
	late    int               // readings that arrived long after they were taken
	failure error             // the first error of the output
	change  chan struct{}     // closed and replaced at each event
}

// late is the delay from which a reading counts as late: it was taken while the line was cut.
const late = 500 * time.Millisecond

// demoRate is how many readings each of the two senders reports per second.
const demoRate = 2

func (d *demo) run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "sighub-demo-")
	if err != nil {
		return fmt.Errorf("cannot make a folder for the device: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	line, err := simulator.NewPTY(filepath.Join(dir, "device"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, line.Close()) }()
	o := simulator.Options{Name: "greenhouse", Rate: demoRate, Day: 4 * d.length}
	for _, text := range []string{"light:lux", "temperature:celsius"} {
		if err := o.AddSender(text); err != nil {
			return err
		}
	}
	sim, err := simulator.New(o, line.Open)
	if err != nil {
		return err
	}
	site := web.New(web.Options{Page: page.New(), Version: version()})
	listeners, err := address.Listen([]address.Address{{Network: "tcp", Addr: "127.0.0.1:0"}}, address.Options{Version: version(), HTTP: site})
	if err != nil {
		return err
	}
	carriers, addr := []carrier.Carrier{site}, ""
	for _, l := range listeners {
		carriers = append(carriers, l)
		for _, a := range l.Addrs() {
			addr = cmp.Or(addr, a)
		}
	}
	ports, err := serial.Listen(serial.Options{
		Ports:   []serial.PortOptions{{Port: line.Path()}},
		Backoff: carrier.Backoff{Min: 50 * time.Millisecond, Max: 250 * time.Millisecond},
	})
	if err != nil {
		for _, l := range listeners {
			err = errors.Join(err, l.Close())
		}
		return err
	}

	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	var hubs sync.WaitGroup
	hubs.Go(func() {
		router := hub.NewServerRouter(hub.ServerOptions{Options: hub.Options{Logger: slog.New(slog.DiscardHandler)}, Methods: portMethods(ports)})
		_ = router.Serve(serving, append(carriers, ports)...) // if it failed, the listener would notice
	})
	defer hubs.Wait()
	defer stop()
	d.say("a hub listens at %s, a simulated device is on %s", addr, line.Path())
	d.say("its page is at http://%s/ for as long as the demo takes", strings.TrimPrefix(addr, "tcp://"))
	return d.listen(ctx, addr, func(ctx context.Context) error { return d.play(ctx, line, sim) })
}

// listen runs f while a listener over TCP prints what it hears.
func (d *demo) listen(ctx context.Context, addr string, f func(context.Context) error) error {
	router := hub.NewClientRouter(hub.ClientOptions{})
	// It continues after an interruption, so that everything measured before that is heard.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	var clients sync.WaitGroup
	clients.Go(func() { _ = router.Serve(serving, tcp.NewClient(addr, tcp.ClientOptions{Name: "demo"})) })
	defer clients.Wait()
	defer stop()
	if _, err := router.AddRemoteListener(ctx, "", "", d.hear); err != nil {
		return err
	}
	return f(ctx)
}

func (d *demo) hear(ev hub.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.printer.Print(ev); err != nil && d.failure == nil {
		d.failure = err
	}
	if !strings.HasPrefix(ev.Name, "#") {
		d.heard++
		if time.Since(ev.Time) > late {
			d.late++
		}
	}
	close(d.change)
	d.change = make(chan struct{})
}

// play lets the device report, cuts and repairs its line, and compares what was reported with what was heard.
func (d *demo) play(ctx context.Context, line simulator.PTY, sim *simulator.Simulator) error {
	reporting, stop := context.WithCancel(ctx)
	defer stop()
	result := make(chan error, 1)
	var device sync.WaitGroup
	device.Go(func() { result <- sim.Run(reporting) })
	defer device.Wait()
	defer stop()

	third := d.length / 3
	if pause(ctx, third) {
		d.say("the cable is pulled: the hub tells every listener, and the device goes on measuring")
		line.Cut()
		whole := pause(ctx, third)
		if whole {
			d.say("the cable is back: nothing else is touched, and what was measured meanwhile arrives with its own times")
		}
		if err := line.Restore(); err != nil {
			return err
		}
		if whole {
			pause(ctx, third)
		}
	}
	stop()
	if err := <-result; err != nil {
		return err
	}
	sent, _ := sim.Counts()
	return d.conclude(sent)
}

// conclude waits until everything that was sent is heard, and prints a summary.
func (d *demo) conclude(sent int) error {
	d.awaitHeard(sent)
	d.mu.Lock()
	heard, delayed, failure := d.heard, d.late, d.failure
	d.mu.Unlock()
	if failure != nil {
		return failure
	}
	d.say("%d readings heard, %d lost; %d of them arrived late", heard, sent-heard, delayed)
	if heard != sent {
		return fmt.Errorf("%d readings were sent and %d heard: please report this, with the output above", sent, heard)
	}
	return nil
}

// awaitHeard waits until so many readings are heard, for 5 s at most: the hub already has them, so this takes milliseconds.
func (d *demo) awaitHeard(sent int) {
	timeout := time.After(5 * time.Second)
	for {
		d.mu.Lock()
		heard, change := d.heard, d.change
		d.mu.Unlock()
		if heard >= sent {
			return
		}
		select {
		case <-change:
		case <-timeout:
			return
		}
	}
}

func (d *demo) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = terminal.Line(d.out, "-- "+format, args...) // if nobody reads the output any more, the listener notices
}

// pause waits, and reports whether it did so without ctx being done.
func pause(ctx context.Context, t time.Duration) bool {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
