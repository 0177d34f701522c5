//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"sighub/carrier/tcp"
	"sighub/scripts/internal/program"
)

// patience bounds each wait.
const patience = program.Patience

// A hubProcess is the real program.
type hubProcess struct {
	*program.Hub
	addr string // without a scheme
}

// roomy are limits that are not in the way.
const roomy = `limits: {senders: 1000000, listeners: 100000, clients: 40000, address_clients: 39000, memory: 1GiB}
log: {level: warn}
`

// folder makes a folder of its own.
func (l *lab) folder() (string, error) {
	l.folders++
	dir := filepath.Join(l.dir, strconv.Itoa(l.folders))
	return dir, os.Mkdir(dir, 0o700)
}

// start starts a hub with its state in a folder, and waits until it accepts a connection. The configuration is added to roomy.
func (l *lab) start(ctx context.Context, state, config string, args ...string) (*hubProcess, error) {
	dir, err := l.folder()
	if err != nil {
		return nil, err
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := free.Addr().String()
	file := filepath.Join(dir, "hub.yaml")
	text := fmt.Sprintf("listen: [%q]\nstate: %q\n", "tcp://"+addr, state) + roomy + config
	if err := errors.Join(free.Close(), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		return nil, err
	}
	command := append([]string{l.hub, "run", "--config", file}, args...)
	h, err := program.Start(ctx, "tcp://"+addr, filepath.Join(dir, "log"), command...)
	if err != nil {
		return nil, err
	}
	return &hubProcess{h, addr}, nil
}

// resident returns its resident memory in bytes.
func (h *hubProcess) resident() float64 {
	return 1024 * number(fmt.Sprintf("/proc/%d/status", h.PID()), "VmRSS:")
}

// number returns the number behind a word in a file; 0 if it is not there.
func number(file, word string) float64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), word)
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	n, err := strconv.ParseFloat(fields[0], 64)
	if err != nil {
		return 0
	}
	return n
}

// A used is what a process has used of the machine.
type used struct {
	cpu   time.Duration
	wakes float64 // how often one of its threads has slept
}

func (u used) since(before used) used { return used{u.cpu - before.cpu, u.wakes - before.wakes} }

// used sums what the threads have used: Documentation/scheduler/sched-stats.rst, and proc(5) of the status.
func (h *hubProcess) used() (u used) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", h.PID()))
	if err != nil {
		return u
	}
	for _, task := range tasks {
		u.cpu += time.Duration(number(filepath.Join(task, "schedstat"), ""))
		u.wakes += number(filepath.Join(task, "status"), "\nvoluntary_ctxt_switches:")
	}
	return u
}

// calm waits until the hub computes no longer, but not for ever.
func (h *hubProcess) calm(ctx context.Context) error {
	const look = 200 * time.Millisecond
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		before := h.used()
		if err := pause(ctx, look); err != nil {
			return err
		}
		if h.used().since(before).cpu < look/50 {
			return nil
		}
	}
	return nil
}

// idle measures the hub while nothing is wanted of it: per second.
func (h *hubProcess) idle(ctx context.Context, span time.Duration) (used, error) {
	if err := h.calm(ctx); err != nil {
		return used{}, err
	}
	before := h.used()
	err := pause(ctx, span)
	u := h.used().since(before)
	return used{time.Duration(float64(u.cpu) / span.Seconds()), u.wakes / span.Seconds()}, err
}

// enough is how many there must be for their memory to be told from what the hub takes by itself.
const enough = 100

// settle waits until a hub has given back what its start took.
func (l *lab) settle(ctx context.Context) error {
	d := 3 * time.Second
	if l.quick {
		d = time.Second / 2 // it does so after 200 ms
	}
	return pause(ctx, d)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

type client = program.Client

// client connects, with more options if there are any.
func (h *hubProcess) client(ctx context.Context, more ...func(*tcp.ClientOptions)) (*client, error) {
	o := tcp.ClientOptions{}
	for _, f := range more {
		f(&o)
	}
	return h.Client(ctx, o)
}

// reading is the event of most senders here.
const reading = "reading"

// each runs f for the numbers below n, several at a time, and returns the first error.
func each(n int, f func(i int) error) error {
	const workers = 8
	errs := make([]error, workers)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := w; i < n && errs[w] == nil; i += workers {
				errs[w] = f(i)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// repeat measures something several times: the median of how long it takes, and the hub's time for each.
func (h *hubProcess) repeat(n int, f func(i int) error) (wall, cpu time.Duration, err error) {
	took := make([]time.Duration, n)
	before := h.used()
	for i := range n {
		began := time.Now()
		if err := f(i); err != nil {
			return 0, 0, err
		}
		took[i] = time.Since(began)
	}
	u := h.used().since(before)
	slices.Sort(took)
	return took[n/2], u.cpu / time.Duration(n), nil
}

func us(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
