package journal

import (
	"context"
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"

	"sighub/journal/journaltest"
)

// serveFor serves a journal on a disk whose fsync takes a while, in virtual time.
func serveFor(t *testing.T, o Options, sync time.Duration, use func(j *Journal, c *journaltest.Folder, ended <-chan Ticket)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := journaltest.NewFolder(1)
		j, err := OpenFolder(c, o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended, done := make(chan Ticket, 1<<16), make(chan error)
		go func() { done <- j.Serve(ctx, func(upTo Ticket, _ bool) { ended <- upTo }) }()
		g := j.NewGroup()
		g.Mark("first", []byte{1}) // makes the first segment
		g.Append(0)
		<-ended
		f := journaltest.None()
		f.SyncDelay = sync
		c.SetFaults(f)
		use(j, c, ended)
		c.SetFaults(journaltest.None())
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// wear returns how many MB a day are written if so many devices report a value of so many bytes, each after that time, together or one
// by one. What the file system writes beside it is not in it.
func wear(t *testing.T, devices int, every time.Duration, size int, together bool, d time.Duration) (mb float64) {
	t.Helper()
	serveFor(t, Options{Segment: 1 << 20, Size: 12 << 20}, time.Millisecond, func(j *Journal, c *journaltest.Folder, ended <-chan Ticket) {
		g := j.NewGroup()
		seq := uint64(0)
		run := func(d time.Duration) {
			for start := time.Now(); time.Since(start) < d; {
				for i := range devices {
					seq++
					data := binary.BigEndian.AppendUint64(make([]byte, size-8, size), seq)
					g.Add(Event{Topic: Topic{string(rune('a' + i%20)), "v"}, Connection: 1, Seq: seq, Time: time.Now().UnixNano(), Data: data})
					if !together {
						g.Append(0)
						time.Sleep(every / time.Duration(devices))
					}
				}
				if together {
					g.Append(0)
					time.Sleep(every)
				}
				for len(ended) > 0 {
					<-ended
				}
			}
		}
		run(d) // uses up what may be written at once, and all segments
		before := c.Count()
		run(d)
		mb = float64(c.Count().Bytes-before.Bytes) * float64(day) / float64(d) / 1e6
	})
	return mb
}

// TestWear: a flash card lives long enough.
func TestWear(t *testing.T) {
	if mb := wear(t, 10, time.Second, 9, false, 20*time.Minute); mb > 450 { // the file system's own journal adds some 200
		t.Errorf("ten devices with one reading a second write %.0f MB a day", mb)
	} else {
		t.Logf("ten devices with one reading a second write %.0f MB a day", mb)
	}
	if mb := wear(t, 40, 10*time.Millisecond, 14, true, time.Minute); mb > 9800 {
		t.Errorf("4,000 readings of 14 bytes a second write %.0f MB a day", mb)
	} else {
		t.Logf("4,000 readings of 14 bytes a second write %.0f MB a day", mb)
	}
}

// TestAlone: an event alone, on a hub on which nothing else happens, is on disk after one fsync.
func TestAlone(t *testing.T) {
	const sync = 10 * time.Millisecond
	serveFor(t, Options{}, sync, func(j *Journal, _ *journaltest.Folder, ended <-chan Ticket) {
		for range 20 {
			time.Sleep(3 * time.Second)
			g, start := j.NewGroup(), time.Now()
			g.Add(Event{Topic: Topic{"s", "n"}, Data: []byte{1}})
			g.Append(0)
			<-ended
			if took := time.Since(start); took > sync*3/2 {
				t.Errorf("an event takes %v, an fsync %v", took, sync)
			}
		}
	})
}

// TestSlowSync: with fsyncs of 10 ms and commits of 1,000 events, there are 60,000 a second at least; and who sends one event at a
// time when everything of the budget is used up waits for a few fsyncs if it cannot wait for longer.
func TestSlowSync(t *testing.T) {
	const sync = 10 * time.Millisecond
	serveFor(t, Options{}, sync, func(j *Journal, _ *journaltest.Folder, ended <-chan Ticket) {
		g, start := j.NewGroup(), time.Now()
		data := make([]byte, 64)
		for range 200 {
			for i := range 1000 {
				g.Add(Event{Topic: Topic{"s", "n"}, Seq: uint64(i), Time: time.Now().UnixNano(), Data: data})
			}
			g.Append(0)
			<-ended
		}
		if rate := 200_000 / time.Since(start).Seconds(); rate < 60_000 {
			t.Errorf("%.0f events a second", rate)
		}
	})
	serveFor(t, Options{Pace: PaceOptions{Burst: 1, Day: 1}}, sync, func(j *Journal, _ *journaltest.Folder, ended <-chan Ticket) {
		for _, within := range []time.Duration{time.Millisecond, 0} {
			g, start := j.NewGroup(), time.Now()
			for range 10 {
				g.Add(Event{Topic: Topic{"s", "n"}, Data: []byte{1}})
				g.Append(within)
				<-ended
			}
			took := time.Since(start) / 10
			if within > 0 && took > 35*time.Millisecond || within == 0 && (took < time.Second || took > 1100*time.Millisecond) {
				t.Errorf("within %v: each takes %v", within, took)
			}
		}
	})
}
