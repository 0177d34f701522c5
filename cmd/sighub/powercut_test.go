package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial"
	"sighub/carrier/serial/device"
	"sighub/carrier/serial/port"
	"sighub/hub"
	"sighub/journal"
	"sighub/journal/journaltest"
)

var smallJournal = journal.Options{Segment: 256 << 10, Size: 8 << 20, GiveUp: -1}

// A cutBench is a device on a line whose hub loses its power.
type cutBench struct {
	t      *testing.T
	lines  chan net.Conn
	device *device.Device

	mu  sync.Mutex
	end net.Conn // the device's
}

func newCutBench(t *testing.T, o device.Options) *cutBench {
	b := &cutBench{t: t, lines: make(chan net.Conn)}
	o.UID, o.Boot, o.Timeout = []byte{0xa1, 0xb2}, 7, time.Minute
	o.Senders = []device.Sender{{Name: "light", Events: []device.Event{{Name: "lux"}}}}
	var err error
	b.device, err = device.New(func(ctx context.Context) (port.Port, error) {
		ours, theirs := net.Pipe()
		select {
		case b.lines <- theirs:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		b.mu.Lock()
		b.end = ours
		b.mu.Unlock()
		return ours, nil
	}, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() { _ = b.device.Serve(ctx, nobody{}) })
	t.Cleanup(func() { cancel(); serving.Wait() })
	return b
}

// nobody is the handler of a device that answers nothing.
type nobody struct{}

func (nobody) ClientConnected(carrier.Client) {}
func (nobody) HandleMessage(_ carrier.ClientID, _ *carrier.Message, respond func(carrier.Reply)) {
	respond(carrier.Done(nil))
}
func (nobody) ClientDisconnected(carrier.ClientID, error) {}
func (nobody) AllClientsDisconnected(error)               {}

// listen returns a server of the device's line.
func (b *cutBench) listen(ctx context.Context) *serial.Server {
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
	s, err := serial.Listen(serial.Options{Ports: []serial.PortOptions{{Port: "wire", Opener: opener}}, Timeout: time.Minute,
		Backoff: carrier.Backoff{Min: time.Millisecond, Max: 2 * time.Millisecond}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.t.Error(err)
	}
	return s
}

// unplug ends the line, so that the device need not find out that its hub has gone.
func (b *cutBench) unplug() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.end != nil {
		_ = b.end.Close()
	}
}

func recordOf(n int) (readings []string) {
	for i := range n {
		readings = append(readings, fmt.Sprint("light lux ", i))
	}
	return readings
}

// TestPowerCutOfTheJournal: the power of a real hub is cut at any operation of its disk, again and again, while a device reports. In
// its journal each reading is there once and in order, and what was acknowledged is there.
func TestPowerCutOfTheJournal(t *testing.T) {
	for _, o := range []device.Options{{Window: 1, Batch: 2}, {Window: 8, Batch: 1}} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("window %d, seed %d", o.Window, seed), func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewPCG(seed, 3))
				dir := journaltest.NewFolder(seed)
				b := newCutBench(t, o)
				const n = 300
				ended, done := make(chan error, n), make(chan struct{})
				go func() {
					defer close(done)
					for i := range n {
						if err := b.device.Report(t.Context(), "light", "lux", i, func(err error) { ended <- err }); err != nil {
							ended <- err
						}
						if i%10 == 9 {
							time.Sleep(10 * time.Millisecond) // as long as readings take
						}
					}
					for range n {
						if err := <-ended; err != nil {
							t.Errorf("a reading ends with %v", err)
						}
					}
				}()
				cuts := 0
				for running := true; running; cuts++ {
					faults := journaltest.None()
					faults.CutIn = 5 + rng.IntN(40)
					dir.SetFaults(faults)
					running = b.journalHub(dir, done)
					acknowledgedBefore := int(b.device.Stats().Acknowledged)
					dir.Restore()
					if got := lightOnRecord(t, dir); !slices.Equal(got, recordOf(len(got))) || len(got) < acknowledgedBefore {
						t.Fatalf("after %d cuts %d readings are acknowledged, on record are %q", cuts, acknowledgedBefore, got)
					}
				}
				if got := lightOnRecord(t, dir); !slices.Equal(got, recordOf(n)) {
					t.Errorf("on record are %q", got)
				}
				t.Logf("%d cuts", cuts)
			})
		}
	}
}

// journalHub serves the device with a hub that keeps a journal, until its power is cut, or done is closed. It reports whether the
// power was cut.
func (b *cutBench) journalHub(dir *journaltest.Folder, done <-chan struct{}) (cut bool) {
	j, err := journal.OpenFolder(dir, smallJournal)
	if err != nil {
		if !errors.Is(err, journaltest.ErrCut) {
			b.t.Errorf("the journal cannot be opened: %v", err)
		}
		return true
	}
	ctx, cancel := context.WithCancel(b.t.Context())
	s := b.listen(ctx)
	router := hub.NewServerRouter(hub.ServerOptions{Journal: j, Grace: time.Millisecond})
	var all sync.WaitGroup
	all.Go(func() { _ = router.Serve(ctx, s) }) // which fails without power
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-poll.C:
			cut = dir.Faults().CutIn == 0
			running = !cut
		}
	}
	if cut {
		b.unplug()
	}
	cancel()
	all.Wait()
	_ = j.Close()
	return cut
}

// lightOnRecord returns the readings of light that are on record.
func lightOnRecord(t *testing.T, dir *journaltest.Folder) (list []string) {
	t.Helper()
	j, err := journal.OpenFolder(dir, smallJournal)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	r := j.Read(journal.Query{Bounded: true})
	defer func() { _ = r.Close() }()
	entries := make([]journal.Entry, 64)
	for {
		n, err := r.Next(t.Context(), entries)
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries[:n] {
			switch {
			case e.Lost > 0 || e.Back > 0:
				list = append(list, "a hole")
			case strings.HasPrefix(e.Event.Event, "#gap"):
				list = append(list, "a gap: "+string(e.Data))
			case e.Event.Event == "lux":
				list = append(list, "light lux "+carrier.RawValue(carrier.CBOR, e.Data).String())
			}
		}
	}
}
