// Linkspeed measures how many acknowledged readings per second go from a device over a serial line of 115200 bits per second
// and through the hub to a listener on TCP, and how many bytes each takes on the line. With -device, the device is that program,
// run with the remaining arguments and the path of its end of the line. Without it, the device is the one in Go, which reports
// in batches and alone.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"sighub/carrier/serial"
	"sighub/carrier/serial/device"
	"sighub/carrier/serial/fault"
	"sighub/carrier/serial/port"
	"sighub/carrier/tcp"
	"sighub/hub"
)

func main() {
	device := flag.String("device", "", "program that is the device; its arguments follow the flags")
	baud := flag.Int("baud", 115200, "of the line, in bits per second")
	span := flag.Duration("for", 10*time.Second, "how long to measure")
	flag.Parse()
	runs := []run{{name: "Go device, batches"}, {name: "Go device, alone", batch: 1}}
	if *device != "" {
		runs = []run{{name: filepath.Base(*device), program: append([]string{*device}, flag.Args()...)}}
	}
	for _, r := range runs {
		r.baud, r.span = *baud, *span
		if err := r.measure(os.Stdout); err != nil {
			fmt.Fprintf(os.Stderr, "linkspeed: %s: %v\n", r.name, err)
			os.Exit(1)
		}
	}
}

// A run is one device on one line.
type run struct {
	name    string
	program []string
	batch   int // largest number of readings in a frame; 0: as many as fit
	baud    int
	span    time.Duration
}

func (r run) measure(out io.Writer) (err error) {
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	dir, err := os.MkdirTemp("", "linkspeed")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	pty, err := port.NewPTY(filepath.Join(dir, "line"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pty.Close()) }()
	harm := fault.Harm{Baud: r.baud}
	cable, err := fault.New(fault.Options{ToHub: harm, ToDevice: harm})
	if err != nil {
		return err
	}
	var received atomic.Int64 // bytes from the device
	// The hub has the terminal's master, so that the device opens a path as it would a port's.
	open := port.OpenerFunc(func(string, int) (port.Port, error) {
		return cable.Open(fault.HubEnd, func() (io.ReadWriteCloser, error) {
			port, err := pty.Open(ctx)
			return counted{port, &received}, err
		})
	})
	line, err := serial.Listen(serial.Options{Ports: []serial.PortOptions{{Port: pty.Path(), Baud: r.baud, Opener: open}}})
	if err != nil {
		return err
	}
	listen, err := tcp.Listen("tcp://127.0.0.1:0", tcp.Options{})
	if err != nil {
		return err
	}
	router := hub.NewServerRouter(hub.ServerOptions{})
	running.Go(func() { _ = router.Serve(ctx, listen, line) })

	var heard, gaps, strange atomic.Int64
	next := int64(0)
	listener := hub.NewClientRouter(hub.ClientOptions{})
	running.Go(func() { _ = listener.Serve(ctx, tcp.NewClient(listen.Addr(), tcp.ClientOptions{})) })
	if _, err := listener.AddRemoteListener(ctx, "", "", func(ev hub.Event) {
		var n int64
		switch {
		case ev.Name == hub.Gap:
			gaps.Add(1)
		case ev.Name != "counter":
		case ev.Data.Decode(&n) != nil || n != next:
			strange.Add(1)
			next = n + 1
		default:
			next++
			heard.Add(1)
		}
	}); err != nil {
		return err
	}
	if err := r.device(ctx, &running, pty.Path()); err != nil {
		return err
	}
	for deadline := time.Now().Add(10 * time.Second); heard.Load() == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("no reading has come within 10 s")
		}
	}
	before, sent, begin := heard.Load(), received.Load(), time.Now()
	time.Sleep(r.span)
	n, bytes, took := heard.Load()-before, received.Load()-sent, time.Since(begin)
	_, err = fmt.Fprintf(out, "%-22s %6.0f readings/s at %d baud, %5.2f bytes each on the line, %d out of order, %d gaps\n",
		r.name, float64(n)/took.Seconds(), r.baud, float64(bytes)/float64(n), strange.Load(), gaps.Load())
	return err
}

// device starts the device.
func (r run) device(ctx context.Context, running *sync.WaitGroup, path string) error {
	if r.program != nil {
		cmd := exec.CommandContext(ctx, r.program[0], append(r.program[1:], path)...)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			return err
		}
		running.Go(func() { _ = cmd.Wait() })
		return nil
	}
	opener, err := port.NewOpener(port.OpenerNative)
	if err != nil {
		return err
	}
	d, err := device.New(func(context.Context) (port.Port, error) { return opener.Open(path, r.baud) }, device.Options{
		Name: "linkspeed", Window: 8, Batch: r.batch, Baud: r.baud,
		Senders: []device.Sender{{Name: "linkspeed", Events: []device.Event{{Name: "counter"}}}},
	})
	if err != nil {
		return err
	}
	running.Go(func() { _ = d.Serve(ctx, ignore{}) })
	running.Go(func() {
		var err error
		for n := 0; err == nil; n++ {
			err = d.Report(ctx, "linkspeed", "counter", n, nil)
		}
	})
	return nil
}
