//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"sighub/hub"
	"sighub/journal"
)

const (
	day   = 24 * time.Hour
	every = 10 * time.Second // between two readings of the past
)

// history measures a hub that has a longer and longer past: a day, a month and a year of one sensor.
func history(ctx context.Context, l *lab) error {
	spans := []int{1, 30, 365}
	if l.quick {
		spans = []int{1, 10}
	}
	for _, days := range spans {
		if err := measureHistory(ctx, l, days); err != nil {
			return fmt.Errorf("%d days: %w", days, err)
		}
		fmt.Fprintf(l.log, "%d days\n", days)
	}
	for _, size := range []int{16, 64, 256} {
		if l.quick && size > 16 {
			break
		}
		if err := measureRetention(ctx, l, size); err != nil {
			return fmt.Errorf("a journal of %d MiB: %w", size, err)
		}
	}
	return nil
}

// live writes the past of a sensor into a journal, up to a time.
func live(dir string, days int, end time.Time) (readings int, err error) {
	j, err := journal.Open(dir, journal.Options{Size: 1 << 30})
	if err != nil {
		return 0, err
	}
	serving, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- j.Serve(serving, func(journal.Ticket, bool) {}) }()
	defer func() {
		stop()
		err = errors.Join(err, <-done)
	}()
	g := j.NewGroup()
	begin := end.Add(-time.Duration(days) * day)
	data := make([]byte, 0, 16)
	for at := begin; at.Before(end); at = at.Add(every) {
		readings++
		data = strconv.AppendInt(data[:0], 20+int64(readings%10), 10)
		g.Add(journal.Event{Topic: journal.Topic{Sender: "meter", Event: reading}, Connection: 1, Seq: uint64(readings), Time: at.UnixNano(), JSON: true, Data: data})
		if g.Len() == 1000 {
			g.Append(0)
			if err := j.Sync(serving); err != nil {
				return 0, err
			}
		}
	}
	g.Append(0)
	return readings, j.Sync(serving)
}

func measureHistory(ctx context.Context, l *lab, days int) error {
	note := func(name, unit string, must, least, value float64) {
		l.report.add(kind{"history", name, unit, "days", must, least}, days, value)
	}
	state, err := l.folder()
	if err != nil {
		return err
	}
	end := time.Now().Truncate(time.Hour)
	readings, err := live(filepath.Join(state, "journal"), days, end)
	if err != nil {
		return err
	}
	const starts = 5
	var h *hubProcess
	first := time.Hour
	for range starts { // the fastest: a start is disturbed easily, and never helped
		if h != nil {
			h.Stop()
		}
		if h, err = l.start(ctx, state, "serial: []\njournal: {size: 1GiB}\n"); err != nil {
			return err
		}
		first = min(first, h.Started)
	}
	defer h.Stop()
	note("start", "ms", 0, 20, ms(first))
	if err := pause(ctx, time.Second); err != nil {
		return err
	}
	note("memory after the start", "MB", 0, 5, h.resident()/(1<<20))
	c, err := h.client(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	a := &asker{client: c, hub: h, end: end, note: note}
	return errors.Join(
		a.events(ctx, "the last hour, each reading", end.Add(-time.Hour), int(time.Hour/every), 0),
		a.events(ctx, "an hour in the middle, each reading", end.Add(-time.Duration(days)*day/2), int(time.Hour/every), 0),
		a.buckets(ctx, "the last day in minutes", 1, time.Minute, 1440, int(day/every), 0),
		a.buckets(ctx, "all of it in hours", days, time.Hour, 24*days, readings, 1),
		a.resume(ctx, time.Duration(days)*day/2),
		a.append(ctx),
	)
}

// An asker asks about the past.
type asker struct {
	*client
	hub  *hubProcess
	end  time.Time
	note func(name, unit string, must, least, value float64)
}

func (a *asker) events(ctx context.Context, what string, from time.Time, want int, must float64) error {
	wall, cpu, err := a.hub.repeat(7, func(int) error {
		n := 0
		for _, err := range a.History(ctx, hub.HistoryQuery{
			Sender: "meter", Event: reading, From: from.Format(time.RFC3339), To: from.Add(time.Hour).Format(time.RFC3339),
		}) {
			if err != nil {
				return err
			}
			n++
		}
		if n != want {
			return fmt.Errorf("%s: %d readings, not %d", what, n, want)
		}
		return nil
	})
	a.note(what, "ms", must, 1, ms(wall))
	a.note(what+": the hub's time", "ms", must, 1, ms(cpu))
	return err
}

func (a *asker) buckets(ctx context.Context, what string, days int, width time.Duration, want, readings int, must float64) error {
	wall, cpu, err := a.hub.repeat(7, func(int) error {
		n, sum := 0, 0
		for b, err := range a.Buckets(ctx, hub.HistoryQuery{
			Sender: "meter", Event: reading, From: a.end.Add(-time.Duration(days) * day).Format(time.RFC3339), To: a.end.Format(time.RFC3339),
			Every: width,
		}) {
			if err != nil {
				return err
			}
			n++
			sum += int(b.Count)
		}
		if n != want || sum != readings {
			return fmt.Errorf("%s: %d buckets with %d readings, not %d with %d", what, n, sum, want, readings)
		}
		return nil
	})
	a.note(what, "ms", must, 1, ms(wall))
	a.note(what+": the hub's time", "ms", must, 1, ms(cpu))
	return err
}

// resume has a listener begin in the past: each time on another connection, for what the former listener has been sent comes first.
func (a *asker) resume(ctx context.Context, ago time.Duration) error {
	var took []time.Duration
	for range 7 {
		d, err := a.resumeOnce(ctx, ago)
		if err != nil {
			return err
		}
		took = append(took, d)
	}
	slices.Sort(took)
	a.note("listen from the middle on: until the first reading", "ms", 0, 1, ms(took[len(took)/2]))
	return nil
}

func (a *asker) resumeOnce(ctx context.Context, ago time.Duration) (time.Duration, error) {
	c, err := a.hub.client(ctx)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	heard, began := make(chan time.Duration, 1), time.Now()
	if _, err := c.AddRemoteListenerWith(ctx, "meter", reading, hub.ListenerOptions{From: a.end.Add(-ago).Format(time.RFC3339)}, func(hub.Event) {
		select {
		case heard <- time.Since(began):
		default:
		}
	}); err != nil {
		return 0, err
	}
	select {
	case d := <-heard:
		return d, nil
	case <-time.After(patience):
		return 0, errors.New("nothing of the past was heard")
	}
}

// append measures an event that goes on record.
func (a *asker) append(ctx context.Context) error {
	s, err := a.Signal(ctx, "now", reading)
	if err != nil {
		return err
	}
	_, cpu, err := a.hub.repeat(100, func(i int) error { return s.Trigger(ctx, i) })
	a.note("an event on record: the hub's time", "µs", 0, 100, us(cpu))
	return err
}

// measureRetention measures how long events take while the oldest ones go: in a journal that is full.
func measureRetention(ctx context.Context, l *lab, size int) error {
	dir, err := l.folder()
	if err != nil {
		return err
	}
	o := journal.Options{Size: int64(size) << 20, Segment: 1 << 20}
	j, err := journal.Open(dir, o)
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- j.Serve(serving, func(journal.Ticket, bool) {}) }()
	g, data := j.NewGroup(), make([]byte, 8<<10)
	var worst time.Duration
	add := func(count int) error {
		for i := range count {
			g.Add(journal.Event{Topic: journal.Topic{Sender: "filler", Event: "bytes"}, Seq: uint64(i), Time: time.Now().UnixNano(), Data: data})
			if g.Len() < 16 {
				continue
			}
			began := time.Now()
			g.Append(0)
			if err := j.Sync(ctx); err != nil {
				return err
			}
			worst = max(worst, time.Since(began))
		}
		return nil
	}
	err = add(size << 7) // as much as it holds
	worst = 0
	const more = 16 // MiB, and as many segments that go
	began := time.Now()
	err = errors.Join(err, add(more<<7))
	took := time.Since(began)
	stop()
	if err := errors.Join(err, <-done); err != nil {
		return err
	}
	k := func(name string) kind { return kind{"history", name, "ms", "MiB of journal", 0, 1} }
	l.report.add(k("a full journal: another MiB, for which one goes"), size, ms(took)/more)
	l.report.add(k("a full journal: the longest commit of 128 KiB"), size, ms(worst))
	return nil
}
