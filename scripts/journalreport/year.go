//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/hub"
)

// A journal of fullJournal bytes is kept by a hub that may keep a little more: so that nothing is dropped, and for sums.
const (
	fullJournal = 1 << 30
	fullConfig  = "journal: {size: 1300MiB}\n"
)

// A year is what a hub has kept of one event in the last year: a reading each second, or fewer of them before the last day.
type year struct {
	begin    time.Time
	end      time.Time
	readings int
	ofDay    int // of the last day
}

const (
	meter = "meter"
	power = "power"
)

// measureYear has a hub keep a year of readings in a full journal. Then it measures how long questions about them take, how long
// the hub takes to start, and its memory.
func measureYear(ctx context.Context, b *bench, t *table) error {
	dir, remove, err := b.temp()
	if err != nil {
		return err
	}
	defer remove()
	o := hubOptions{state: filepath.Join(dir, "state"), config: fullConfig}
	h, err := b.startHub(ctx, o)
	if err != nil {
		return err
	}
	y, err := h.live(ctx, b, o.state)
	if err == nil {
		err = y.ask(ctx, h, t)
	}
	h.stop()
	if err != nil {
		return err
	}
	size, err := folderSize(o.state)
	if err != nil {
		return err
	}
	t.note("the journal of that", fmt.Sprintf("%.2f GiB, %d readings", float64(size)/(1<<30), y.readings))
	if size < fullJournal*9/10 {
		return fmt.Errorf("the journal has only %d bytes", size)
	}
	return b.starts(ctx, o, t)
}

// live has the hub keep a year of readings, and others until the journal is nearly full.
func (h *hubProcess) live(ctx context.Context, b *bench, state string) (*year, error) {
	c, err := h.client(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	readings, err := c.Signal(ctx, meter, power)
	if err != nil {
		return nil, err
	}
	fillers, err := c.Signal(ctx, "filler", "bytes")
	if err != nil {
		return nil, err
	}
	const day = 24 * time.Hour
	y := &year{end: time.Now().Truncate(time.Hour)}
	y.begin = y.end.Add(-365 * day)
	step := time.Second
	if b.quick {
		step = time.Minute
	}
	var waiting sync.WaitGroup
	var failed atomic.Pointer[error]
	done := func(err error) {
		if err != nil {
			failed.CompareAndSwap(nil, &err)
		}
		waiting.Done()
	}
	send := func(s *hub.Signal, data *carrier.Value, at time.Time) error {
		waiting.Add(1)
		err := s.TriggerAsyncAt(ctx, data, at, 0, done)
		if err != nil {
			waiting.Done()
		}
		return err
	}
	cbor := make([]byte, 9) // a float
	cbor[0] = 0xfb
	filler := carrier.ValueOf(make([]byte, 32<<10))
	for at := y.begin; at.Before(y.end); at = at.Add(step) {
		if !at.Before(y.end.Add(-day)) {
			step = time.Second
			y.ofDay++
		}
		binary.BigEndian.PutUint64(cbor[1:], math.Float64bits(1000+float64(y.readings%997)))
		value := carrier.RawValue(carrier.CBOR, cbor)
		if err := send(readings, &value, at); err != nil {
			return nil, err
		}
		y.readings++
		// A 730th of the rest twice a day, so that readings are everywhere in the journal.
		if y.readings%(int(day/2/time.Second)) != 0 || step != time.Second {
			continue
		}
		if err := level(state, float64(at.Sub(y.begin))/float64(y.end.Sub(y.begin)), func() error {
			return send(fillers, &filler, at)
		}); err != nil {
			return nil, err
		}
	}
	if err := level(state, 1, func() error { return send(fillers, &filler, y.end) }); err != nil {
		return nil, err
	}
	waiting.Wait()
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	fmt.Fprintf(b.log, "  %d readings are kept\n", y.readings)
	return y, nil
}

// level adds events until the journal has this share of its size.
func level(state string, share float64, add func() error) error {
	size, err := folderSize(state)
	for missing := int64(share*fullJournal) - size; missing > 0 && err == nil; missing -= 32 << 10 {
		err = add()
	}
	return err
}

// folderSize returns how many bytes of the disk a folder takes.
func folderSize(dir string) (size int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it was renamed meanwhile
		}
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			size += info.Size()
		}
		return err
	})
	return size, err
}

// questions is how often each question is asked. The median counts.
const questions = 15

// ask asks for the last day in minutes, and for the year in hours.
func (y *year) ask(ctx context.Context, h *hubProcess, t *table) error {
	c, err := h.client(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	for _, q := range []struct {
		what           string
		from           time.Time
		every          time.Duration
		buckets, count int
		most           float64
	}{
		{"a day at 1 Hz in minutes", y.end.Add(-24 * time.Hour), time.Minute, 1440, y.ofDay, 5},
		{"a year in hours", y.begin, time.Hour, 365 * 24, y.readings, 20},
	} {
		var took []time.Duration
		for range questions {
			buckets, count := 0, 0
			start := time.Now()
			for bucket, err := range c.Buckets(ctx, hub.HistoryQuery{
				Sender: meter, Event: power, From: q.from.Format(time.RFC3339), To: y.end.Format(time.RFC3339), Every: q.every,
			}) {
				if err != nil {
					return fmt.Errorf("%s: %w", q.what, err)
				}
				buckets++
				count += int(bucket.Count)
			}
			took = append(took, time.Since(start))
			if buckets != q.buckets || count != q.count {
				return fmt.Errorf("%s: %d buckets with %d readings, not %d with %d", q.what, buckets, count, q.buckets, q.count)
			}
		}
		t.row("answer with "+q.what+", from a full journal", ms(median(took)), "ms", q.most)
		t.note("the first time", fmt.Sprintf("%.1f ms", ms(took[0])))
	}
	return nil
}

// starts starts the hub, after it was stopped and after it was killed.
func (b *bench) starts(ctx context.Context, o hubOptions, t *table) error {
	const times = 5
	for _, end := range []struct {
		what string
		how  func(*hubProcess)
	}{{"it was stopped", (*hubProcess).stop}, {"kill -9", (*hubProcess).kill}} {
		var took []time.Duration
		var memory float64
		for range times {
			h, err := b.startHub(ctx, o)
			if err != nil {
				return err
			}
			took = append(took, h.Started)
			if err = pause(ctx, time.Second); err == nil {
				memory, err = h.resident()
			}
			if err == nil {
				err = h.note(ctx)
			}
			end.how(h)
			if err != nil {
				return err
			}
		}
		t.row("start with a full journal, after "+end.what, ms(median(took[1:])), "ms", 200)
		t.row("memory of the hub then, idle", memory/(1<<20), "MB", 15)
	}
	return nil
}

// note has the hub keep one event, so that there is something to recover.
func (h *hubProcess) note(ctx context.Context) error {
	c, err := h.client(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	s, err := c.Signal(ctx, "note", "kept")
	if err != nil {
		return err
	}
	return s.Trigger(ctx, 1)
}
