//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/hub"
)

// The well-behaved clients: one sends an event every few milliseconds to another. A third, the prey, has a sender that attackers may
// listen to and ask: it may be held up, but not for long.
const (
	goodSender = "well"
	preySender = "prey"
	tick       = "tick"

	goodPeriod = 4 * time.Millisecond
	preyPeriod = 2 * time.Millisecond
	// preyQuick is how long an event of the prey may take without counting as held up.
	preyQuick = 10 * time.Millisecond

	doorPeriod   = 3 * time.Second // each visitor may be two lines of log
	doorPatience = 2 * time.Second
)

// A report is what the well-behaved clients have noticed.
type report struct {
	Sent, Lost, Doubled, Refused int
	Late                         time.Duration // 99th percentile until an event is heard and acknowledged
	Worst                        time.Duration
	Held                         time.Duration // how long the prey was held up, in total
	Cut                          int           // lost connections
	Doors, Shut                  int           // new connections that were tried, and those that were not served
}

// A watch collects what happens to the well-behaved clients while it runs.
type watch struct {
	mu      sync.Mutex
	running bool
	report  report
	planned map[int]time.Time // events that were sent, and neither heard nor refused
	next    int               // number of the next event
	heard   int               // the highest number that was heard
	prey    time.Time         // since when an event of the prey waits; zero: none does
	knocks  bool              // a visitor is at the door
	late    []time.Duration
}

// What the well-behaved clients are told, a line each.
const (
	measure = "measure"
	tell    = "tell" // what was noticed since measure
)

// behave is the role of well-behaved clients, which begin with start. It prints a line when they are connected, obeys the lines on
// in, and stays until in ends.
func behave(ctx context.Context, addr string, in io.Reader, out io.Writer, start func(*watch, *clients) error) error {
	ctx, stop := context.WithCancel(ctx)
	c := &clients{ctx: ctx, addr: addr}
	defer c.Wait()
	defer stop()
	w := &watch{planned: make(map[int]time.Time), heard: -1}
	if err := start(w, c); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, "ready"); err != nil {
		return err
	}
	return w.obey(in, out)
}

// clients are those of one process.
type clients struct {
	sync.WaitGroup // of all that they do until ctx is done

	ctx  context.Context //nolint:containedctx // of the process
	addr string
}

// connect connects one more.
func (c *clients) connect(w *watch) (*hub.ClientRouter, error) {
	r := hub.NewClientRouter(hub.ClientOptions{RequestTimeout: time.Minute, Disconnected: func(error) { w.cut(c.ctx) }})
	to := tcp.NewClient("tcp://"+c.addr, tcp.ClientOptions{Name: "well", Codec: carrier.CBOR, Token: os.Getenv(tokenVariable)})
	c.Go(func() { _ = r.Serve(c.ctx, to) }) // it never fails for good
	return r, r.WaitConnected(c.ctx)
}

// pair begins with the pair and the visitors.
func (w *watch) pair(c *clients) error {
	from, err := c.connect(w)
	if err != nil {
		return err
	}
	to, err := c.connect(w)
	if err != nil {
		return err
	}
	good, err := add(c.ctx, from, goodSender)
	if err != nil {
		return err
	}
	if _, err := to.AddRemoteListener(c.ctx, goodSender, tick, w.hear); err != nil {
		return err
	}
	c.Go(func() { w.send(c.ctx, good) })
	c.Go(func() { w.knock(c.ctx, c.addr) })
	return nil
}

// bait begins with the prey.
func (w *watch) bait(c *clients) error {
	r, err := c.connect(w)
	if err != nil {
		return err
	}
	prey, err := add(c.ctx, r, preySender)
	if err != nil {
		return err
	}
	c.Go(func() { w.hold(c.ctx, prey) })
	return nil
}

// add adds a sender that also answers requests, with what they ask.
func add(ctx context.Context, r *hub.ClientRouter, name string) (*hub.Signal, error) {
	s, err := r.AddRemoteSender(ctx, name, hub.SenderOptions{
		Events:  []string{tick},
		Default: func(context.Context, string, carrier.Value) (any, error) { return true, nil },
	})
	if err != nil {
		return nil, err
	}
	return s.Signal(tick)
}

func (w *watch) obey(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if lines.Text() == measure {
			w.start()
			continue
		}
		if err := json.NewEncoder(out).Encode(w.end()); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (w *watch) start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.report, w.late = report{}, nil
	w.running = true
}

// end waits until everything that was sent is heard, and the visitor at the door is served, but not for ever, and returns the
// report. An event of the prey that still waits counts as held up until now.
func (w *watch) end() report {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running = false
	if !w.prey.IsZero() {
		w.report.Held += max(time.Since(w.prey)-preyQuick, 0)
	}
	for deadline := time.Now().Add(5 * time.Second); (len(w.planned) > 0 || w.knocks) && time.Now().Before(deadline); {
		w.mu.Unlock()
		time.Sleep(5 * time.Millisecond)
		w.mu.Lock()
	}
	w.report.Lost += len(w.planned)
	w.report.Late, w.report.Worst = percentile(w.late, 99), percentile(w.late, 100)
	return w.report
}

func percentile(all []time.Duration, n int) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(len(all)*n/100, len(all)-1)]
}

// cut counts a connection that was lost although nobody asked for that.
func (w *watch) cut(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() == nil {
		w.report.Cut++
	}
}

// send sends an event every period, on time even if those before it are not acknowledged yet.
func (w *watch) send(ctx context.Context, good *hub.Signal) {
	for at := time.Now(); ctx.Err() == nil; at = at.Add(goodPeriod) {
		wait(ctx, time.Until(at))
		w.mu.Lock()
		running, n := w.running, w.next
		if running {
			w.next++
			w.planned[n] = at
			w.report.Sent++
		}
		w.mu.Unlock()
		if !running {
			at = time.Now() // what follows is not late
			continue
		}
		if err := good.TriggerAsync(ctx, n, func(err error) { w.answered(n, at, err) }); err != nil {
			w.answered(n, at, err)
		}
	}
}

// answered records that the hub has acknowledged or refused an event.
func (w *watch) answered(n int, at time.Time, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.report.Refused++
		delete(w.planned, n)
		return
	}
	w.late = append(w.late, time.Since(at))
}

// hear records that an event was heard.
func (w *watch) hear(ev hub.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var n int
	if ev.Name != tick || ev.Data.Decode(&n) != nil {
		return // #connect and others; what is missing after a #gap is counted by its number
	}
	at, ok := w.planned[n]
	switch {
	case n <= w.heard:
		w.report.Doubled++
	case ok:
		w.late = append(w.late, time.Since(at))
	}
	delete(w.planned, n)
	for missing := w.heard + 1; missing < n; missing++ {
		if _, ok := w.planned[missing]; ok {
			w.report.Lost++
			delete(w.planned, missing)
		}
	}
	w.heard = max(w.heard, n)
}

// hold triggers events of the prey one after another, and sums up how long the hub makes it wait.
func (w *watch) hold(ctx context.Context, prey *hub.Signal) {
	for n := 0; ctx.Err() == nil; n++ {
		start := time.Now()
		w.mu.Lock()
		w.prey = start
		w.mu.Unlock()
		err := prey.Trigger(ctx, n)
		took := time.Since(start)
		w.mu.Lock()
		w.prey = time.Time{}
		if w.running && err == nil && took > preyQuick {
			w.report.Held += took - preyQuick
		}
		w.mu.Unlock()
		wait(ctx, preyPeriod)
	}
}

// knock tries again and again whether a new client is served.
func (w *watch) knock(ctx context.Context, addr string) {
	t := &target{addr: addr, source: 1, token: os.Getenv(tokenVariable)}
	for ctx.Err() == nil {
		wait(ctx, doorPeriod/10)
		w.mu.Lock()
		w.knocks = w.running
		running := w.running
		w.mu.Unlock()
		if !running {
			continue
		}
		err := t.visit(ctx)
		w.mu.Lock()
		w.knocks = false
		if ctx.Err() == nil { // a visitor who came at the end counts, too: end waits for him
			w.report.Doors++
			if err != nil {
				w.report.Shut++
			}
		}
		w.mu.Unlock()
		wait(ctx, doorPeriod)
	}
}

// visit connects, asks something and leaves.
func (t *target) visit(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, doorPatience)
	defer cancel()
	c, err := t.hello(ctx, object{"name": "visitor"})
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.call("list_clients", object{"limit": 1}) // which waits for its turn
	return err
}
