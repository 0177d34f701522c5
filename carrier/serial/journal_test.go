package serial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/device"
	"sighub/hub"
	"sighub/journal"
	"sighub/journal/journaltest"
)

var journalOptions = journal.Options{Segment: 256 << 10, Size: 8 << 20, GiveUp: -1}

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
					acknowledged(t, ended)
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
	j, err := journal.OpenFolder(dir, journalOptions)
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
	j, err := journal.OpenFolder(dir, journalOptions)
	must(t, err)
	defer func() { _ = j.Close() }()
	r := j.Read(journal.Query{Bounded: true})
	defer func() { _ = r.Close() }()
	entries := make([]journal.Entry, 64)
	for {
		n, err := r.Next(t.Context(), entries)
		if errors.Is(err, io.EOF) {
			return list
		}
		must(t, err)
		for _, e := range entries[:n] {
			switch {
			case e.Lost > 0 || e.Back > 0:
				list = append(list, "a hole")
			case e.Event.Event == gapEvent:
				list = append(list, "a gap: "+string(e.Data))
			case e.Event.Event == "lux":
				list = append(list, "light lux "+carrier.RawValue(carrier.CBOR, e.Data).String())
			}
		}
	}
}
