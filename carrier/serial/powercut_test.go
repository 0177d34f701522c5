//go:build linux || darwin

package serial

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/device"
	"sighub/carrier/serial/port"
)

// A disk is what lasts when a hub is killed.
type disk struct {
	mu     sync.Mutex
	marks  map[string][]byte
	events []string
	within []time.Duration // of the states of devices
}

func newDisk() *disk { return &disk{marks: make(map[string][]byte)} }

func (d *disk) commit(g group) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range g.marks {
		if strings.HasPrefix(m.Key, "link/") {
			d.within = append(d.within, m.Within)
		}
		if len(m.State) == 0 {
			delete(d.marks, m.Key)
			continue
		}
		d.marks[m.Key] = bytes.Clone(m.State)
	}
	d.events = append(d.events, g.events...)
}

// A group is committed whole or not at all.
type group struct {
	events []string
	marks  []carrier.Mark
	then   func()
}

// A keepingHub is a handler that commits what it is told, and answers after that: one group after the other, on a goroutine of its
// own. It may be killed before any step of that.
type keepingHub struct {
	disk   *disk
	refuse func(event string) error
	work   chan func() (group, bool)
	killed chan struct{}
	once   sync.Once

	mu    sync.Mutex
	steps int // until it is killed; negative: never
}

func newKeepingHub(d *disk, steps int) *keepingHub {
	h := &keepingHub{disk: d, steps: steps, work: make(chan func() (group, bool), 1000), killed: make(chan struct{}),
		refuse: func(string) error { return nil }}
	return h
}

// run commits until the hub is killed or ctx is done.
func (h *keepingHub) run(ctx context.Context) {
	for {
		select {
		case <-h.killed:
			return
		case <-ctx.Done():
			return
		case next := <-h.work:
			g, ok := next()
			if !ok {
				continue
			}
			if h.step() {
				return
			}
			h.disk.commit(g)
			if h.step() {
				return
			}
			if g.then != nil {
				g.then()
			}
		}
	}
}

// step reports whether the hub is killed before its next step.
func (h *keepingHub) step() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.steps == 0 {
		h.once.Do(func() { close(h.killed) })
		return true
	}
	h.steps--
	return false
}

func (h *keepingHub) do(f func() (group, bool)) {
	select {
	case h.work <- f:
	case <-h.killed:
	}
}

func (h *keepingHub) ClientConnected(carrier.Client)                        {}
func (h *keepingHub) ClientDisconnected(carrier.ClientID, error)            {}
func (h *keepingHub) AllClientsDisconnected(error)                          {}
func (h *keepingHub) SignalsAnswered(carrier.ClientID, int, *carrier.Reply) {}

func (h *keepingHub) HandleMessage(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
	h.do(func() (group, bool) {
		var g group
		if m.Mark != nil {
			g.marks = append(g.marks, *m.Mark)
		}
		if m.Method != methodAddSender {
			g.events = append(g.events, m.Method+" "+m.Params.String())
		}
		reply := carrier.Done(nil)
		if m.Method == "ask" {
			reply = carrier.Done("answer")
		}
		g.then = func() { respond(reply) }
		return g, true
	})
}

func (h *keepingHub) HandleSignals(_ carrier.ClientID, list []carrier.Signal, answers carrier.Answers) {
	list = carrier.CloneSignals(nil, list)
	h.do(func() (group, bool) {
		var g group
		var given []func()
		for _, s := range list {
			event := s.Route.Sender + " " + s.Route.Event + " " + s.Data.String()
			err := s.Err
			if err == nil {
				err = h.refuse(event)
			}
			if err != nil {
				event = s.Route.Sender + " " + s.Route.Event + " refused"
				given = append(given, func() { answers.Fail(carrier.Failed(err)) })
			} else {
				given = append(given, func() { answers.Done(1) })
			}
			g.events = append(g.events, event)
		}
		if m, ok := answers.(carrier.Marked); ok {
			g.marks = append(g.marks, m.Mark())
		}
		g.then = func() {
			for _, give := range given {
				give()
			}
		}
		return g, true
	})
}

// State implements [carrier.Keeper].
func (h *keepingHub) State(key string) []byte {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	return h.disk.marks[key]
}

// Keep implements [carrier.Keeper].
func (h *keepingHub) Keep(_ carrier.ClientID, m carrier.Mark, then func()) {
	h.do(func() (group, bool) { return group{marks: []carrier.Mark{m}, then: then}, true })
}

// A cutBench is a device on a line of which the hub is killed.
type cutBench struct {
	t       *testing.T
	disk    *disk
	lines   chan net.Conn
	device  *device.Device
	log     logBuffer
	refuse  func(event string) error
	current net.Conn // the device's end
	mu      sync.Mutex
}

func newCutBench(t *testing.T, o device.Options) *cutBench {
	b := &cutBench{t: t, disk: newDisk(), lines: make(chan net.Conn), refuse: func(string) error { return nil }}
	o.UID, o.Name, o.Boot, o.Timeout = []byte{0xa1, 0xb2}, "porch", 7, watchdog
	if o.Senders == nil {
		o.Senders = []device.Sender{{Name: "light", Events: []device.Event{{Name: "lux"}}}, {Name: "warmth", Events: []device.Event{{Name: "celsius"}}}}
	}
	var err error
	b.device, err = device.New(func(ctx context.Context) (port.Port, error) {
		ours, theirs := net.Pipe()
		select {
		case b.lines <- theirs:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		b.mu.Lock()
		b.current = ours
		b.mu.Unlock()
		return ours, nil
	}, o)
	must(t, err)
	serve(t, b.device, newRecorder())
	return b
}

// hub serves the device until the hub has taken so many steps, and is killed; or until while returns, if steps is negative.
func (b *cutBench) hub(steps int, while func()) {
	b.t.Helper()
	done := make(chan struct{})
	if steps < 0 {
		go func() {
			defer close(done)
			while()
		}()
	}
	if !b.hubUntil(steps, done) && steps >= 0 {
		b.t.Errorf("the hub takes less than %d steps", steps)
	}
}

// hubUntil serves the device until the hub is killed or done is closed. It reports whether the hub was killed.
func (b *cutBench) hubUntil(steps int, done <-chan struct{}) (killed bool) {
	h := newKeepingHub(b.disk, steps)
	h.refuse = b.refuse
	ctx, cancel := context.WithCancel(b.t.Context())
	s := b.listen(ctx)
	var all sync.WaitGroup
	all.Go(func() { h.run(ctx) })
	all.Go(func() { must(b.t, s.Serve(ctx, h)) })
	select {
	case <-h.killed:
		killed = true
	case <-done:
	case <-time.After(watchdog):
		b.t.Errorf("nothing happens; on record are %q", b.disk.events)
	}
	h.once.Do(func() { close(h.killed) })
	b.unplug()
	cancel()
	all.Wait()
	if said := b.log.String(); strings.Contains(said, "cannot be used") {
		b.t.Errorf("the hub says: %s", said)
	}
	return killed
}

// listen returns a server of the device's line.
func (b *cutBench) listen(ctx context.Context) *Server {
	opener := port.OpenerFunc(func(string, int) (port.Port, error) {
		select {
		case c := <-b.lines:
			return c, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Millisecond):
			return nil, fs.ErrNotExist
		}
	})
	s, err := Listen(Options{Ports: []PortOptions{{Port: "wire", Opener: opener}}, Timeout: watchdog,
		Backoff: carrier.Backoff{Min: time.Millisecond, Max: 2 * time.Millisecond}, Logger: slog.New(slog.NewTextHandler(&b.log, nil))})
	must(b.t, err)
	return s
}

// unplug ends the line, if there is one, so that the device need not find out that its hub has gone.
func (b *cutBench) unplug() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.current != nil {
		_ = b.current.Close()
	}
}

func (b *cutBench) report(from, to int) <-chan error {
	ended := make(chan error, to-from)
	for n := from; n < to; n++ {
		must(b.t, b.device.Report(b.t.Context(), "light", "lux", n, func(err error) { ended <- err }))
	}
	return ended
}

// readings returns the readings 0 to n-1 as they are to be on record.
func recordOf(n int) (events []string) {
	for i := range n {
		events = append(events, fmt.Sprint("light lux ", i))
	}
	return events
}

// TestKilledAtEachStep: a hub is killed before each of its steps in turn, and the next one goes on. Each reading is on record once
// and in order, and each is acknowledged.
func TestKilledAtEachStep(t *testing.T) {
	for _, o := range []device.Options{{Window: 1, Batch: 1}, {Window: 8, Batch: 1}, {Window: 4, Batch: 3}} {
		t.Run(fmt.Sprintf("window %d, batch %d", o.Window, o.Batch), func(t *testing.T) {
			for steps := range 24 {
				t.Run(fmt.Sprint("step ", steps), func(t *testing.T) {
					t.Parallel()
					b := newCutBench(t, o)
					const n = 40 // numbers wrap
					ended := b.report(0, n)
					b.hub(steps, nil)
					b.hub(steps/2, nil)
					b.hub(-1, func() { acknowledged(t, ended) })
					if !slices.Equal(b.disk.events, recordOf(n)) {
						t.Errorf("on record are %q", b.disk.events)
					}
					if s := b.device.Stats(); s.Refused > 0 || s.Acknowledged != n {
						t.Errorf("%+v", s)
					}
				})
			}
		})
	}
}

// TestKilledOften: a hub is killed every few steps while a device reports.
func TestKilledOften(t *testing.T) {
	for _, o := range []device.Options{{Window: 1}, {Window: 8, Batch: 1}} {
		t.Run(fmt.Sprintf("window %d", o.Window), func(t *testing.T) {
			t.Parallel()
			b := newCutBench(t, o)
			const n, each = 400, 10
			ended, done := make(chan error, n), make(chan struct{})
			go func() {
				defer close(done)
				for i := range n {
					if err := b.device.Report(t.Context(), "light", "lux", i, func(err error) { ended <- err }); err != nil {
						ended <- err
					}
					if i%20 == 19 {
						time.Sleep(10 * time.Millisecond) // as long as readings take
					}
				}
				acknowledged(t, ended)
			}()
			kills := 0
			for running := true; running; kills++ {
				b.hubUntil(kills%each, done)
				select {
				case <-done:
					running = false
				default:
				}
			}
			if !slices.Equal(b.disk.events, recordOf(n)) {
				t.Errorf("on record are %q", b.disk.events)
			}
			t.Logf("%d kills", kills)
		})
	}
}

// TestKilledDuringMessages: what a device without a dictionary reports by messages is on record once, and it does not hang.
func TestKilledDuringMessages(t *testing.T) {
	for _, window := range []int{1, 8} {
		for steps := range 12 {
			t.Run(fmt.Sprintf("window %d, step %d", window, steps), func(t *testing.T) {
				t.Parallel()
				b := newCutBench(t, device.Options{Window: window, Senders: []device.Sender{}})
				b.hubWith(steps)
			})
		}
	}
}

// hubWith has the device send messages to a hub that is killed after so many steps, and to the next one.
func (b *cutBench) hubWith(steps int) {
	t := b.t
	const n = 6
	var wg sync.WaitGroup
	wg.Go(func() {
		to := carrier.ClientID(1)
		for i := 0; i < n; {
			info := carrier.Object{{Key: "sender", Value: "s"}, {Key: "event", Value: "e"}}
			method, params := methodSignal, any(carrier.Object{{Key: "info", Value: info}, {Key: "data", Value: i}})
			if i%3 == 2 {
				method, params = "ask", i
			}
			replied := make(chan error, 1)
			err := b.device.Transmit(t.Context(), to, &carrier.Message{Method: method, Params: carrier.ValueOf(params)},
				func(r carrier.Reply, err error) { replied <- errors.Join(err, r.Err()) })
			if err == nil {
				err = <-replied
			}
			switch {
			case errors.Is(err, carrier.ErrGone):
				to++ // the next connection; the library has given up the message
				i++
			case errors.Is(err, carrier.ErrNoClient):
				time.Sleep(time.Millisecond)
			default:
				i++
			}
		}
	})
	b.hub(steps, nil)
	b.hub(-1, wg.Wait)
	seen := make(map[string]bool)
	for _, e := range b.disk.events {
		if seen[e] {
			t.Errorf("%s is on record twice: %q", e, b.disk.events)
		}
		seen[e] = true
	}
}

// TestResetWhileKilled: a device that loses its memory while there is no hub has lost readings. The next hub knows that, and tells
// it once for each sender that had reported, whenever it is killed in turn.
func TestResetWhileKilled(t *testing.T) {
	for steps := range 12 {
		t.Run(fmt.Sprint("step ", steps), func(t *testing.T) {
			t.Parallel()
			b := newCutBench(t, device.Options{Window: 1, Batch: 1})
			ended := b.report(0, 3)
			b.hub(-1, func() { acknowledged(t, ended) })
			b.device.Reset(false)
			more := b.report(3, 6)
			b.hub(steps, nil)
			b.hub(-1, func() { acknowledged(t, more) })
			var got []string
			for _, e := range b.disk.events {
				if strings.Contains(e, gapEvent) {
					if !strings.HasPrefix(e, `light #gap {"count":null,`) {
						t.Errorf("the gap is %s", e)
					}
					e = "gap"
				}
				got = append(got, e)
			}
			want := slices.Insert(recordOf(6), 3, "gap")
			if !slices.Equal(got, want) {
				t.Errorf("on record are %q\n%s", b.disk.events, b.log.String())
			}
		})
	}
}
