//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"sighub/journal"
	"sighub/scripts/powercut/disk"
)

// bareOptions are those of the journal. A small one reuses its segments all the time, a large one never.
func bareOptions(small bool) journal.Options {
	o := journal.Options{Segment: 128 << 10, Logger: slog.New(slog.DiscardHandler),
		Pace: journal.PaceOptions{Day: 1 << 60, Burst: 1 << 60, Interval: time.Millisecond, Urgent: time.Millisecond}}
	if small {
		o.Segment = 32 << 10
		o.Size = 5 * o.Segment
	}
	return o
}

// A bare run is the product's journal without a hub: senders that append groups of signals, each with a mark that has its last
// number, and a listener with a cursor.
type bare struct {
	j    *journal.Journal
	d    *disk.Disk
	rng  *rand.Rand
	most int            // signals of a group
	last map[string]int // number of each sender

	mu      sync.Mutex
	tickets []pledge // ascending
	more    chan struct{}
}

// A pledge is what may be noted when a ticket has ended.
type pledge struct {
	ticket journal.Ticket
	note   any
}

const bareCursor = "reader"

// runBare opens the journal in a folder and works with it until ctx is done or enough was noted. was is what is in it.
func runBare(ctx context.Context, d *disk.Disk, dir string, o journal.Options, rng *rand.Rand, enough int) error {
	j, err := journal.Open(dir, o)
	if err != nil {
		return fmt.Errorf("the journal cannot be opened: %w", err)
	}
	b := &bare{j: j, d: d, rng: rng, last: map[string]int{}, more: make(chan struct{}, 1), most: 8}
	if o.Segment > 32<<10 {
		b.most = 100
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make(chan error, 3)
	var working sync.WaitGroup
	start := func(f func(context.Context) error) {
		working.Go(func() {
			errs <- f(ctx)
			cancel()
		})
	}
	start(func(ctx context.Context) error { return j.Serve(ctx, b.ended) })
	start(b.listen)
	start(func(ctx context.Context) error { return b.send(ctx, enough) })
	working.Wait()
	close(errs)
	for e := range errs {
		if !errors.Is(e, context.Canceled) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// pledge has a note made when a ticket has ended.
func (b *bare) pledge(t journal.Ticket, note any) {
	b.tickets = append(b.tickets, pledge{t, note})
}

func (b *bare) ended(upTo journal.Ticket, durable bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for ; n < len(b.tickets) && b.tickets[n].ticket <= upTo; n++ {
		if durable {
			b.d.Note(b.tickets[n].note)
		}
	}
	b.tickets = b.tickets[n:]
	select {
	case b.more <- struct{}{}:
	default:
	}
}

// settle waits until everything that was pledged by now has ended.
func (b *bare) settle(ctx context.Context) error {
	b.mu.Lock()
	upTo := journal.Ticket(0)
	if n := len(b.tickets); n > 0 {
		upTo = b.tickets[n-1].ticket
	}
	b.mu.Unlock()
	for {
		if b.j.Committed() >= upTo {
			return nil
		}
		select {
		case <-b.more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (b *bare) send(ctx context.Context, enough int) error {
	g := b.j.NewGroup()
	for range enough {
		if room := b.j.Room(); room != nil {
			select {
			case <-room:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		sender := fmt.Sprint("p", b.rng.IntN(3))
		if _, ok := b.last[sender]; !ok {
			if state := b.j.State(markPrefix + sender); state != nil {
				n, _ := binary.Uvarint(state)
				b.last[sender] = int(n)
			}
		}
		n := b.last[sender]
		for range 1 + b.rng.IntN(1+b.rng.IntN(b.most)) {
			n++
			data, err := json.Marshal(text(sender, n))
			if err != nil {
				return err
			}
			g.Add(journal.Event{Topic: journal.Topic{Sender: sender, Event: "n"}, Time: time.Now().UnixNano(), JSON: true, Data: data})
		}
		b.last[sender] = n
		g.Mark(markPrefix+sender, binary.AppendUvarint(nil, uint64(n)))
		b.d.Note(sent{sender, n})
		b.mu.Lock()
		t := g.Append(0)
		b.pledge(t, acked{sender, n})
		b.mu.Unlock()
		switch b.rng.IntN(6) {
		case 0, 1: // several go with one commit
			continue
		case 2: // the listener's cursor may have a commit of its own
			select {
			case <-time.After(4 * time.Millisecond):
			case <-ctx.Done():
			}
		}
		if err := b.settle(ctx); err != nil {
			return err
		}
	}
	return b.settle(ctx)
}

// listen hears what is committed, and has its position kept now and then.
func (b *bare) listen(ctx context.Context) error {
	r := b.j.Read(journal.Query{Start: journal.AfterCursor(bareCursor)})
	some := make([]journal.Entry, 16)
	seen := tracks{} // in this run, each once and in order
	err := error(nil)
	for n, count := 0, 0; err == nil; n, err = r.Next(ctx, some) {
		for i, last := 0, n-1; i <= last; i++ {
			e := &some[i]
			switch {
			case e.Back > 0:
				return violation{fmt.Errorf("the cursor is %d events ahead of the data", e.Back)}
			case e.Lost > 0: // it was away for too long
				seen = tracks{}
				continue
			}
			n, err := numberIn(&e.Event)
			if err == nil {
				err = seen.add(e.Sender, n)
			}
			if err != nil {
				return violation{fmt.Errorf("a listener: %w", err)}
			}
			b.d.Note(heard{bareCursor, e.Position, e.Sender, n})
			if count++; count%7 == 0 || i == last {
				b.mu.Lock()
				t := b.j.SetCursor(bareCursor, e.Position)
				b.pledge(t, settled{bareCursor, e.Position})
				b.mu.Unlock()
			}
		}
	}
	return errors.Join(err, r.Close())
}
