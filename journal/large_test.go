package journal

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// largeJournal makes a journal of 1 GiB: a year of one event with a number each second, and as much of others beside it.
func largeJournal(b *testing.B) string {
	b.Helper()
	dir := os.Getenv("SIGHUB_LARGE_JOURNAL") // to make it once
	if dir == "" {
		dir = filepath.Join(b.TempDir(), "journal")
	}
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	j, stop := served(b, dir, Options{}, func(Ticket, bool) {})
	g := j.NewGroup()
	start := time.Now().Add(-365 * day)
	for i := range 365 * 86400 {
		at := start.Add(time.Duration(i)*time.Second + time.Duration(i%1000)*time.Microsecond).UnixNano()
		data := binary.BigEndian.AppendUint32([]byte{0xfa}, math.Float32bits(float32(20+10*math.Sin(float64(i)/1e4))))
		g.Add(Event{Topic: Topic{"light", "lux"}, Connection: 1, Seq: uint64(i + 1), Time: at, Data: data})
		if i%3 == 0 {
			g.Add(Event{Topic: Topic{"box", "state"}, Connection: 1, Seq: uint64(i + 1), Time: at, Data: make([]byte, 24)})
		}
		if i%1000 == 999 {
			for room := j.Room(); room != nil; room = j.Room() {
				<-room
			}
			g.Append(0)
		}
	}
	g.Append(0)
	stop()
	return dir
}

// BenchmarkLarge measures what a hub with a full journal does: the start, and answers for charts.
func BenchmarkLarge(b *testing.B) {
	dir := largeJournal(b)
	var j *Journal
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			if j != nil {
				_ = j.Close()
			}
			var err error
			if j, err = Open(dir, Options{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	if j == nil {
		return
	}
	h := j.Health()
	b.Logf("%d segments, %d MB, from %v to %v; gaps of sums: %v", h.Segments, h.Bytes>>20, h.Oldest, h.Newest, j.gaps())
	for _, q := range []struct {
		name            string
		age, span, step time.Duration
		points          int
	}{
		{"day in minutes", 10 * day, day, time.Minute, 1440},
		{"old day in minutes", 300 * day, day, time.Minute, 1440},
		{"year in hours", 364 * day, 363 * day, time.Hour, 363 * 24},
		{"year in days", 364 * day, 363 * day, day, 363},
	} {
		b.Run(q.name, func(b *testing.B) {
			from := h.Newest.Add(-q.age)
			for b.Loop() {
				list, err := j.Rollup("light", "lux", from, from.Add(q.span), q.step)
				if err != nil || len(list) < q.points {
					b.Fatalf("%d points, %v", len(list), err)
				}
			}
		})
	}
	_ = j.Close()
}
