package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sighub/journal/journaltest"
)

// A crashWorld is a journal on a disk that loses power, and what was promised of it.
type crashWorld struct {
	c    *journaltest.Folder
	j    *Journal
	rng  *rand.Rand
	stop func() error

	mu      sync.Mutex // of acked and tickets
	faults  faults
	planted journaltest.Faults

	written uint64              // the number in the latest event
	acked   uint64              // that of the latest one that was acknowledged
	tickets map[Ticket]uint64   // the numbers of the latest events of commits
	places  map[uint64]Position // of the events that were read, by their numbers
	heard   uint64              // the number in the event that the owner of the cursor has heard last
}

var crashOptions = Options{Segment: 64 << 10, Size: 6 * 64 << 10, Pace: PaceOptions{Burst: 1 << 40}}

func (w *crashWorld) start() error {
	j, err := open(w.c, crashOptions, false, w.faults)
	if err != nil {
		return err
	}
	w.j, w.tickets = j, map[Ticket]uint64{}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- j.Serve(ctx, func(upTo Ticket, durable bool) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if n := w.tickets[upTo]; durable {
				w.acked = max(w.acked, n)
			}
		})
	}()
	w.stop = func() error {
		cancel()
		return <-served
	}
	return nil
}

// add appends a group: a few events, each with its number, and a mark with the number of the last one.
func (w *crashWorld) add() {
	g := w.j.NewGroup()
	for range 1 + w.rng.IntN(4) {
		w.written++
		data := make([]byte, 8, 4000)
		binary.BigEndian.PutUint64(data, w.written)
		g.Add(Event{Topic: Topic{"s", fmt.Sprint("e", w.rng.IntN(3))}, Connection: 1, Seq: w.written, Time: time.Now().UnixNano(), Data: data[:8+w.rng.IntN(1+w.rng.IntN(3000))]})
	}
	g.Mark("link", binary.BigEndian.AppendUint64(nil, w.written))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tickets[g.Append(0)] = w.written
}

// check reads everything, and compares it with what was promised. The events that are there are then what counts: a hub that
// starts goes on from there.
func (w *crashWorld) check() error {
	last, lost := uint64(0), false
	err := w.read(Query{Bounded: true}, func(e *Entry) error {
		if e.Lost > 0 {
			lost = true
			return nil
		}
		n := binary.BigEndian.Uint64(e.Data)
		if n != e.Seq || e.Connection != 1 || last > 0 && n != last+1 && !lost {
			return fmt.Errorf("%d (seq %d) comes after %d", n, e.Seq, last)
		}
		if p, ok := w.places[n]; ok && p != e.Position {
			return fmt.Errorf("%d is at %v, and was at %v", n, e.Position, p)
		}
		w.places[n] = e.Position
		last, lost = n, false
		return nil
	})
	if err != nil {
		return err
	}
	if last < w.acked {
		return fmt.Errorf("%d was acknowledged, and the last one is %d", w.acked, last)
	}
	if state := w.j.State("link"); last > 0 && (len(state) != 8 || binary.BigEndian.Uint64(state) != last) {
		return fmt.Errorf("the mark is %x, and the last event %d", state, last)
	}
	if p, ok := w.j.Cursor("shed"); ok {
		if end := w.j.End(); p.Sequence >= end.Sequence {
			return fmt.Errorf("the cursor is at %v, and the end at %v", p, end)
		}
	}
	w.written, w.acked = last, last
	return nil
}

func (w *crashWorld) read(q Query, visit func(*Entry) error) error {
	r := w.j.Read(q)
	defer func() { _ = r.Close() }()
	some := make([]Entry, 7)
	for {
		n, err := r.Next(context.Background(), some)
		for i := range some[:n] {
			if err := visit(&some[i]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// hear has the owner of the cursor hear what there is. It notes what it has heard, so it hears each event once.
func (w *crashWorld) hear() error {
	var at Position
	err := w.read(Query{Start: AfterCursor("shed"), Bounded: true}, func(e *Entry) error {
		switch {
		case e.Back > 0:
			return fmt.Errorf("the cursor was set back by %d", e.Back)
		case e.Lost > 0:
			return fmt.Errorf("%d are lost for the cursor", e.Lost)
		case e.Seq <= w.heard:
		case e.Seq != w.heard+1:
			return fmt.Errorf("the owner of the cursor hears %d after %d", e.Seq, w.heard)
		default:
			w.heard = e.Seq
		}
		at = e.Position
		return nil
	})
	if err == nil && at.Sequence > 0 {
		w.j.SetCursor("shed", at)
	}
	return err
}

// runCrashes adds events, has them heard, and cuts the power at random times. It returns the first thing that is wrong.
func runCrashes(t *testing.T, seed uint64, plant func(*crashWorld)) (err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(seed, 9))
		w := &crashWorld{c: journaltest.NewFolder(seed), rng: rng, planted: journaltest.None(), places: map[uint64]Position{}}
		plant(w)
		if err = w.start(); err != nil {
			return
		}
		for range 6 {
			f := w.planted
			f.CutIn, f.FailSync, f.FailWrite = rng.IntN(150), max(-1, rng.IntN(60)-20), max(-1, rng.IntN(60)-20)
			w.c.SetFaults(f)
			for w.c.Faults().CutIn != 0 && err == nil {
				for range 1 + rng.IntN(4) {
					w.add()
				}
				synctest.Wait()
				if rng.IntN(3) == 0 {
					if e := w.hear(); e != nil && !errors.Is(e, journaltest.ErrCut) {
						err = e
					}
					if rng.IntN(2) == 0 {
						time.Sleep(2 * time.Second) // until the cursor is committed, for which nobody waits
					}
				}
				if rng.IntN(4) == 0 {
					time.Sleep(100 * time.Millisecond)
				}
			}
			w.c.Cut()
			_ = w.stop()
			w.c.Restore()
			if err != nil {
				return
			}
			if err = w.start(); err == nil {
				err = errors.Join(w.check(), w.hear())
			}
			if err != nil {
				_ = w.stop()
				return
			}
		}
		_ = w.stop()
	})
	return err
}

// TestCrashes: after each loss of power, what was acknowledged is there once, with its mark and at its place, and a cursor's owner
// hears each event once.
func TestCrashes(t *testing.T) {
	for seed := range uint64(15) {
		if err := runCrashes(t, seed, func(*crashWorld) {}); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// TestCrashesFind: the test above finds what is planted.
func TestCrashesFind(t *testing.T) {
	for name, plant := range map[string]func(*crashWorld){
		"no-sync":           func(w *crashWorld) { w.faults.noSync = true },
		"no-folder-sync":    func(w *crashWorld) { w.faults.noFolderSync = true },
		"no-segment-number": func(w *crashWorld) { w.faults.noNumber = true },
		"cursor-first":      func(w *crashWorld) { w.faults.cursorFirst = true },
	} {
		found := 0
		for seed := range uint64(12) {
			if err := runCrashes(t, seed, plant); err != nil {
				if found == 0 {
					t.Log(name, err)
				}
				found++
			}
		}
		if found < 6 {
			t.Errorf("%s: found with %d of 12 seeds", name, found)
		}
	}
}

// TestPositionOfReader: a reader that begins before a loss of power says so. Whoever goes on behind its position misses none of the
// events of the epoch before.
func TestPositionOfReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start(small)
		w.add("light lux: 1", "light lux: 2", "light lux: 3")
		synctest.Wait()
		w.c.SetFaults(cut)
		w.stop()
		w.c.Restore()
		w.start(small)
		where := func(from Position) Position {
			r := w.j.Read(Query{Start: At(from)})
			defer r.Close()
			return r.Position()
		}
		for _, committed := range []bool{false, true} {
			for from, want := range map[Position]Position{{1, 1}: {1, 1}, {1, 3}: {1, 3}, {1, 4}: {2, 4}, {2, 3}: {1, 3}, {2, 4}: {2, 4}} {
				if got := where(from); got != want {
					t.Errorf("with the next epoch on disk: %v: a reader from %v on is at %v, not %v", committed, from, got, want)
				}
			}
			w.add("light lux: 4", "light lux: 5")
			synctest.Wait()
		}
		w.stop()
	})
}
