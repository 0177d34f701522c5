package hub_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/hub"
	"sighub/journal"
	"sighub/journal/journaltest"
)

// A ledger notes which numbers each sender has sent, and which of them were acknowledged.
type ledger struct {
	mu    sync.Mutex
	acked map[string][]int
}

func (l *ledger) note(sender string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked[sender] = append(l.acked[sender], n)
}

// small are the options of journals in these tests: many segments are begun.
var small = journal.Options{Segment: 64 << 10, Size: 64 << 20}

// TestPowerCut: whenever the power is cut, what the hub has acknowledged is on record, once and in order, over any number of starts.
func TestPowerCut(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 7))
			disk := journaltest.NewFolder(seed)
			l := &ledger{acked: make(map[string][]int)}
			sent := make(map[string]int)
			for start := range 4 {
				live(t, disk, l, sent, rng.IntN(2) == 0, func(n *network) {
					faults := journaltest.None()
					faults.CutIn = rng.IntN(200)
					faults.SyncDelay = time.Duration(rng.IntN(3)) * time.Millisecond
					disk.SetFaults(faults)
					time.Sleep(time.Duration(1+rng.IntN(40)) * time.Millisecond)
					disk.Cut()
					n.stop()
				})
				disk.Restore()
				recorded(t, disk, l, start)
			}
		})
	}
}

// live runs a hub on a disk with four clients that send as fast as they can, until cut returns.
func live(t *testing.T, disk *journaltest.Folder, l *ledger, sent map[string]int, json bool, cut func(n *network)) {
	t.Helper()
	j, err := journal.OpenFolder(disk, small)
	if err != nil {
		t.Fatal(err)
	}
	n := serveNetwork(t, hub.ServerOptions{Journal: j, Options: hub.Options{}})
	codec := carrier.CBOR
	if json {
		codec = carrier.JSON
	}
	ctx, stop := context.WithCancel(n.ctx)
	var sending sync.WaitGroup
	var mu sync.Mutex // of sent
	for i := range 4 {
		name := fmt.Sprint("s", i)
		r, leave := n.client(codec)
		signal := n.signal(r, name)
		sending.Go(func() {
			defer leave()
			mu.Lock()
			at := sent[name]
			mu.Unlock()
			for err := error(nil); err == nil && ctx.Err() == nil; {
				at++
				number := at
				err = signal.TriggerAsync(ctx, number, func(err error) {
					if err == nil {
						l.note(name, number)
					}
				})
			}
			mu.Lock()
			sent[name] = at
			mu.Unlock()
		})
	}
	cut(n)
	stop()
	sending.Wait()
}

// recorded checks what is on record.
func recorded(t *testing.T, disk *journaltest.Folder, l *ledger, start int) {
	t.Helper()
	j, err := journal.OpenFolder(disk, small)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	r := j.Read(journal.Query{Filter: journal.Only("", "n"), Bounded: true})
	defer r.Close()
	on := make(map[string]map[int]bool)
	latest := make(map[string]int)
	entries := make([]journal.Entry, 256)
	for n := 0; err == nil; n, err = r.Next(t.Context(), entries) {
		for i := range entries[:n] {
			e := &entries[i]
			if e.Lost > 0 || e.Back > 0 {
				t.Errorf("start %d: %d are lost", start, e.Lost)
				continue
			}
			var number int
			codec := carrier.CBOR
			if e.JSON {
				codec = carrier.JSON
			}
			if err := carrier.RawValue(codec, e.Data).Decode(&number); err != nil {
				t.Fatal(err)
			}
			if number <= latest[e.Sender] {
				t.Errorf("start %d: %s has %d after %d", start, e.Sender, number, latest[e.Sender])
			}
			latest[e.Sender] = number
			if on[e.Sender] == nil {
				on[e.Sender] = make(map[int]bool)
			}
			on[e.Sender][number] = true
		}
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for sender, numbers := range l.acked {
		for _, n := range numbers {
			if !on[sender][n] {
				t.Errorf("start %d: %s %d was acknowledged, and is not on record", start, sender, n)
				return
			}
		}
	}
}
