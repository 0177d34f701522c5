package journal

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sighub/journal/journaltest"
)

// In this file is a test for each way in which a log on a disk is known to go wrong.

// inWorld runs a test with a journal on a disk that fails in some way.
func inWorld(t *testing.T, o Options, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start(o)
		test(t, w)
		w.stop()
	})
}

// restart stops the journal, loses power, and starts again.
func (w *world) restart(o Options) {
	w.t.Helper()
	w.c.SetFaults(cut)
	w.stop()
	w.c.Restore()
	w.start(o)
}

func (w *world) with(change func(*journaltest.Faults)) {
	f := w.c.Faults()
	change(&f)
	w.c.SetFaults(f)
}

// TestCaseSyncFails: an fdatasync fails once. The segment is given up; what was not acknowledged goes to a new one; and what is read
// again after a loss of power is there once.
func TestCaseSyncFails(t *testing.T) {
	for n := range 3 {
		inWorld(t, small, func(t *testing.T, w *world) {
			w.add("s n: 1")
			synctest.Wait()
			w.with(func(f *journaltest.Faults) { f.FailSync = n }) // of the segment, of the spare file, of the next segment
			var last Ticket
			for i := range 4 {
				last = w.add(fmt.Sprint("s n: ", i+2))
				synctest.Wait()
				time.Sleep(2 * time.Second)
			}
			if !w.ended[last] || w.j.Health().Err != nil || w.j.Health().Lost > 0 {
				t.Errorf("%v, %+v", w.ended, w.j.Health())
			}
			want := []string{"1 s n: 1", "2 s n: 2", "3 s n: 3", "4 s n: 4", "5 s n: 5"}
			w.expect(w.read(Query{}), want...)
			w.restart(small)
			w.expect(w.read(Query{}), want...)
		})
	}
}

// TestCaseFailsForLong: a disk that fails for an hour costs none of the old events.
func TestCaseFailsForLong(t *testing.T) {
	o := small
	o.GiveUp = -1
	inWorld(t, o, func(t *testing.T, w *world) {
		long := strings.Repeat("x", 3000)
		for i := range 60 {
			w.add(fmt.Sprintf("s n: %d %s", i, long))
			synctest.Wait()
		}
		before := w.read(Query{})
		for _, change := range []func(*journaltest.Faults){
			func(f *journaltest.Faults) { f.Err = journaltest.ErrDisk },
			func(f *journaltest.Faults) { f.SyncErr = journaltest.ErrDisk },
		} {
			w.with(change)
			ticket := w.add("s n: held")
			time.Sleep(time.Hour)
			synctest.Wait()
			if _, ended := w.ended[ticket]; ended || w.j.Health().Err == nil || w.j.Oldest().IsZero() {
				t.Fatalf("what is held was answered: %+v", w.j.Health())
			}
			w.c.SetFaults(journaltest.None())
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if !w.ended[ticket] || !w.j.Oldest().IsZero() {
				t.Fatal("what was held is not on disk")
			}
		}
		after := w.read(Query{})
		if kept := len(after) - 2; kept < len(before)-30 { // a segment or two were begun
			t.Errorf("of %d events, %d are left", len(before), kept)
		}
	})
}

// TestCaseWorksAgain: a disk that was given up is written again soon after it works again, however much is reported meanwhile; and
// while it fails, it is tried no more often than once a second.
func TestCaseWorksAgain(t *testing.T) {
	inWorld(t, small, func(t *testing.T, w *world) {
		w.add("s n: 0")
		synctest.Wait()
		w.with(func(f *journaltest.Faults) { f.SyncErr = journaltest.ErrDisk })
		var last Ticket
		for range 600 { // a minute
			last = w.add("s n: 1")
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		if durable, ended := w.ended[last]; durable || !ended || w.c.Count().Syncs > 90 {
			t.Errorf("durable: %v, ended: %v, %+v", durable, ended, w.c.Count())
		}
		w.c.SetFaults(journaltest.None())
		for range 15 {
			last = w.add("s n: 2")
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		if !w.ended[last] || w.j.Health().Err != nil {
			t.Errorf("after 1.5 s: %+v", w.j.Health())
		}
	})
}

// TestCaseNoSpace: the disk is full, at the start and later. Opening writes nothing; nothing is acknowledged; no half frame is
// completed; and when segments are there already, the oldest is used again.
func TestCaseNoSpace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.with(func(f *journaltest.Faults) { f.Space = 100 << 10 })
		o := Options{Segment: 64 << 10, Size: 6 * 64 << 10, GiveUp: -1}
		w.start(o)
		if n := w.c.Count(); n.Writes > 0 {
			t.Errorf("opening writes: %+v", n)
		}
		first := w.add("s n: 1")
		time.Sleep(time.Minute)
		synctest.Wait()
		if _, ended := w.ended[first]; ended || w.j.Health().Err == nil {
			t.Errorf("a full disk: %v, %+v", w.ended, w.j.Health())
		}
		w.with(func(f *journaltest.Faults) { f.Space = 4 << 20 })
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !w.ended[first] {
			t.Error("nothing is written when there is room")
		}
		long := strings.Repeat("x", 3000)
		for i := range 40 { // three segments
			w.add(fmt.Sprintf("s n: %d %s", i, long))
			synctest.Wait()
		}
		w.with(func(f *journaltest.Faults) { f.Space = 3*64<<10 + 1000 })
		var last Ticket
		for i := range 100 {
			last = w.add(fmt.Sprintf("s n: %d %s", i, long))
			synctest.Wait()
		}
		if !w.ended[last] || w.j.Health().Err != nil {
			t.Errorf("with segments to be used again: %+v", w.j.Health())
		}
		w.restart(o)
		if list := w.read(Query{}); !strings.HasPrefix(list[len(list)-1], "141 s n: 99") {
			t.Errorf("the last event is %.20s", list[len(list)-1])
		}
		w.stop()
	})
}

// TestCaseNames: a new segment's name is on disk before what is in it is acknowledged.
func TestCaseNames(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			w := &world{t: t, c: journaltest.NewFolder(seed)}
			w.start(small)
			want := []string{}
			for i := range 20 {
				w.add(fmt.Sprintf("s n: %d %s", i, strings.Repeat("x", 3000*(i%7))))
				synctest.Wait()
				want = append(want, fmt.Sprintf("%d s n: %d %s", i+1, i, strings.Repeat("x", 3000*(i%7))))
				if i%3 == 0 {
					w.restart(small)
				}
			}
			w.expect(w.read(Query{}), want...)
			w.stop()
		})
	}
}

// A clockSkew is how far the hub's clock is ahead.
type clockSkew struct{ ns atomic.Int64 }

func (s *clockSkew) get() time.Duration  { return time.Duration(s.ns.Load()) }
func (s *clockSkew) set(d time.Duration) { s.ns.Store(int64(d)) }

// TestCaseClock: the clock is wrong. The order is that of sequences; "since" finds what overlaps; old segments go only by a clock
// that is set.
func TestCaseClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ahead clockSkew
		o := Options{Segment: 64 << 10, Size: 100 * 64 << 10, Age: 30 * day, Now: func() time.Time { return time.Now().Add(ahead.get()) }}
		w := newWorld(t)
		w.start(o)
		n := 0
		add := func(events int) {
			for range events {
				n++
				g := w.j.NewGroup()
				g.Add(Event{Topic: Topic{"s", "n"}, Time: o.Now().UnixNano(), JSON: true, Data: fmt.Appendf(nil, "%d %s", n, strings.Repeat("x", 5000))})
				g.Append(0)
				synctest.Wait()
			}
		}
		oldest := func() int {
			w.t.Helper()
			list := w.read(Query{})
			first := 0
			_, _ = fmt.Sscanf(list[0], "%d", &first)
			return first
		}
		for range 10 {
			add(3)
			time.Sleep(day)
		}
		ahead.set(40 * 365 * day) // years forward, while the hub runs
		add(30)
		time.Sleep(2 * time.Hour)
		if first := oldest(); first != 1 {
			t.Errorf("years ahead: the oldest event is %d", first)
		}
		ahead.set(0)
		add(3)
		w.restart(o)
		ahead.set(-50 * 365 * day) // in the past, after a start
		w.restart(o)
		add(3)
		time.Sleep(3 * time.Hour)
		if first := oldest(); first != 1 {
			t.Errorf("years back: the oldest event is %d", first)
		}
		ahead.set(45 * 365 * day) // years forward, at a start
		w.restart(o)
		add(3)
		time.Sleep(20 * time.Hour)
		if first := oldest(); first != 1 {
			t.Errorf("years ahead at a start: the oldest event is %d", first)
		}
		ahead.set(-time.Hour)
		w.restart(o)
		add(3)
		list := w.read(Query{})
		for i := range list {
			if !strings.HasPrefix(list[i], fmt.Sprintf("%d s n: %d ", i+1, i+1)) {
				t.Fatalf("the event after %d is %.20s", i, list[i])
			}
		}
		since := w.read(Query{Start: Since(time.Now().Add(ahead.get()).Add(-2 * day))})
		if len(since) < 6+30 || len(since) > 30+15 { // those of the last days, and those of the clock that was ahead
			t.Errorf("since two days ago there are %d events", len(since))
		}
		ahead.set(0)
		for range 60 { // the clock is right
			add(1)
			time.Sleep(day)
		}
		if first := oldest(); first < 30 {
			t.Errorf("60 days later the oldest event is %d of %d", first, n)
		}
		if first := oldest(); first > n-30 {
			t.Errorf("60 days later the oldest event is %d of %d: an event of a day ago is gone", first, n)
		}
		w.stop()
	})
}

// TestCaseHeader: a header is torn, or its length absurd. What lies behind is found.
func TestCaseHeader(t *testing.T) {
	for name, damage := range map[string]func(frame []byte){
		"length 4 GiB":      func(f []byte) { copy(f[8:], "\xff\xff\xff\xff") },
		"length to the end": func(f []byte) { copy(f[8:], "\x00\xc0\x00\x00") },
		"length 0":          func(f []byte) { copy(f[8:], "\x00\x00\x00\x00") },
		"count":             func(f []byte) { copy(f[12:], "\xff\xff\xff\x7f") },
		"sequence":          func(f []byte) { copy(f[16:], "\xff\xff\xff\xff\xff\xff\xff\xff") },
		"half":              func(f []byte) { clear(f[20:512]) },
		"zeros":             func(f []byte) { clear(f[:4096]) },
	} {
		inWorld(t, small, func(t *testing.T, w *world) {
			for i := range 4 {
				w.add(fmt.Sprintf("s n: %d", i+1))
				synctest.Wait()
			}
			w.c.Damage(segmentName(1), func(data []byte) { damage(data[headSize+2*frameAlign:]) })
			want := []string{"1 s n: 1", "1 lost from 2", "3 s n: 3", "4 s n: 4"}
			w.expect(w.read(Query{}), want...)
			w.restart(small)
			w.expect(w.read(Query{}), want...)
			w.add("s n: 5")
			synctest.Wait()
			w.expect(w.read(Query{}), append(want, "5 s n: 5")...)
			if t.Failed() {
				t.Log(name)
			}
		})
	}
}

// TestCaseEmptySegment: the newest segment is empty, all zeros, or cut in its head: that is a normal end.
func TestCaseEmptySegment(t *testing.T) {
	for size := range []int64{0, 100, headSize, 64 << 10} {
		inWorld(t, small, func(t *testing.T, w *world) {
			w.add("s n: 1")
			synctest.Wait()
			f, err := w.c.Create(segmentName(2))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = f.WriteAt(make([]byte, size), 0)
			_, _ = f.Sync(), w.c.Sync()
			w.restart(small)
			w.expect(w.read(Query{}), "1 s n: 1")
			for i := range 30 {
				w.add("s n: 2 " + strings.Repeat("x", 3000))
				synctest.Wait()
				if n := len(w.read(Query{})); n != 2+i {
					t.Fatalf("there are %d events, want %d", n, 2+i)
				}
			}
		})
	}
}

// TestCaseStaleFrames: what is left of a segment's former life is not read, wherever it ends now.
func TestCaseStaleFrames(t *testing.T) {
	inWorld(t, small, func(t *testing.T, w *world) {
		n := 0
		for i := range 300 {
			n++
			w.add(fmt.Sprintf("s n: %d %s", n, strings.Repeat("x", 2000*(n%4))))
			synctest.Wait()
			if i%17 == 0 {
				w.restart(small)
			}
			list := w.read(Query{})
			if want := fmt.Sprintf("%d s n: %d ", n, n); !strings.HasPrefix(list[len(list)-1], want) {
				t.Fatalf("the last event is %.30s, want %s", list[len(list)-1], want)
			}
		}
	})
}

// TestCaseRot: a part in the middle cannot be read: a frame, a head, a state, all of a segment. It is told, with how many events are
// lost, and the others are there.
func TestCaseRot(t *testing.T) {
	for _, bad := range []struct{ at, length int64 }{
		{headSize + 3*frameAlign, 1}, {0, 1}, {0, headSize}, {headSize, 1}, {headSize, 5 * frameAlign}, {0, 64 << 10},
	} {
		for segment := range uint64(4) {
			inWorld(t, small, func(t *testing.T, w *world) {
				long := strings.Repeat("x", 3000)
				for i := range 50 {
					w.add(fmt.Sprintf("s n: %d %s", i, long), "t n: 0")
					w.j.SetCursor("shed", Position{1, uint64(2 * i)})
					synctest.Wait()
				}
				w.c.Bad(segmentName(segment+1), bad.at, bad.length)
				for again := range 2 {
					count, lost := 0, 0
					for _, e := range w.read(Query{Start: At(Position{1, 1})}) {
						if n := 0; strings.Contains(e, " lost from ") {
							_, _ = fmt.Sscan(e, &n)
							lost += n
						} else {
							count++
						}
					}
					if unknown := segment == 3 && bad.at == 0 && bad.length >= headSize; unknown && again > 0 {
						// Nothing is known of the newest segment: a position in it is one of a lost tail.
						if list := w.read(Query{Start: At(Position{1, 101})}); !strings.HasPrefix(list[0], "back by ") {
							t.Errorf("%+v: a position in the lost segment leads to %.20s", bad, list[0])
						}
					} else if count+lost != 100+again*2 {
						t.Errorf("segment %d, %+v: %d events, %d lost", segment+1, bad, count, lost)
					}
					if _, ok := w.j.Cursor("shed"); !ok {
						t.Errorf("segment %d, %+v: the cursor is lost", segment+1, bad)
					}
					if again == 0 {
						w.stop()
						w.start(small)
						w.add("s n: again", "t n: 1")
						synctest.Wait()
					}
				}
			})
		}
	}
}
