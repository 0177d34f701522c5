package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sighub/journal/journaltest"
)

// A world is a journal on a disk that loses power.
type world struct {
	t     *testing.T
	c     *journaltest.Folder
	j     *Journal
	stop  func()
	ended map[Ticket]bool // durable
}

func (w *world) start(o Options) {
	w.t.Helper()
	j, err := OpenFolder(w.c, o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.j, w.ended = j, map[Ticket]bool{}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- j.Serve(ctx, func(upTo Ticket, durable bool) { w.ended[upTo] = durable }) }()
	w.stop = func() {
		cancel()
		if err := <-served; err != nil && !errors.Is(err, journaltest.ErrCut) {
			w.t.Error(err)
		}
	}
}

// add appends events "sender event: data" and returns their ticket.
func (w *world) add(events ...string) Ticket {
	g := w.j.NewGroup()
	for _, e := range events {
		name, data, _ := strings.Cut(e, ": ")
		sender, event, _ := strings.Cut(name, " ")
		g.Add(Event{Topic: Topic{sender, event}, Time: time.Now().UnixNano(), JSON: true, Data: []byte(data)})
	}
	return g.Append(0)
}

// read reads everything that is there, as "sequence sender event: data".
func (w *world) read(q Query) (list []string) {
	w.t.Helper()
	q.Bounded = true
	r := w.j.Read(q)
	defer func() { _ = r.Close() }()
	var some [3]Entry
	for {
		n, err := r.Next(context.Background(), some[:])
		for _, e := range some[:n] {
			switch {
			case e.Lost > 0:
				list = append(list, fmt.Sprintf("%d lost from %d", e.Lost, e.Sequence))
			case e.Back > 0:
				list = append(list, fmt.Sprintf("back by %d to %d", e.Back, e.Sequence))
			default:
				list = append(list, fmt.Sprintf("%d %s %s: %s", e.Sequence, e.Sender, e.Topic.Event, e.Data))
			}
		}
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) expect(got []string, want ...string) {
	w.t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		w.t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func newWorld(t *testing.T) *world {
	return &world{t: t, c: journaltest.NewFolder(1)}
}

var cut = func() journaltest.Faults {
	f := journaltest.None()
	f.CutIn, f.NothingUnderWay = 0, true
	return f
}()

var small = Options{Segment: 64 << 10, Size: 6 * 64 << 10}

// TestKept: what was committed is there after the journal was closed, and after the power was cut: events, marks, cursors and last
// values.
func TestKept(t *testing.T) {
	for _, crash := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.start(small)
			g := w.j.NewGroup()
			g.Add(Event{Topic: Topic{"light", "lux"}, Connection: 3, Time: 5e18, Uncertainty: 7, Data: []byte{0x18, 0x2a}})
			g.Mark("device a1", []byte("state"))
			g.Mark("device b2", []byte("gone soon"))
			first := g.Append(0)
			g.Mark("device b2", nil)
			w.add("light lux: 43", "door open: true")
			g.Append(0)
			w.j.SetCursor("shed", Position{1, 2})
			synctest.Wait()
			if !w.ended[first] {
				t.Errorf("the first commit has not ended: %v", w.ended)
			}
			if crash {
				w.c.SetFaults(cut)
			}
			w.stop()
			w.c.Restore()
			w.start(small)
			w.expect(w.read(Query{}), "1 light lux: \x18\x2a", "2 light lux: 43", "3 door open: true")
			w.expect(w.read(Query{Start: At(Position{1, 2}), Filter: Only("light", "")}), "2 light lux: 43")
			if got := string(w.j.State("device a1")); got != "state" {
				t.Errorf("the state is %q", got)
			}
			if got := w.j.State("device b2"); got != nil {
				t.Errorf("the removed state is %q", got)
			}
			if p, ok := w.j.Cursor("shed"); !ok || p != (Position{1, 2}) {
				t.Errorf("the cursor is at %v, %v", p, ok)
			}
			w.add("door open: false")
			synctest.Wait()
			var lasts []string
			_ = w.j.Last(nil, func(e *Entry) error {
				lasts = append(lasts, fmt.Sprintf("%v %s %s: %s", e.Position, e.Sender, e.Topic.Event, e.Data))
				return nil
			})
			epoch := 1
			if crash {
				epoch = 2
			}
			w.expect(lasts, fmt.Sprintf("{%d 4} door open: false", epoch), "{1 2} light lux: 43")
			w.stop()
		})
	}
}

// TestOldestGo: when the segments are used up, the oldest events go, and whoever wants them is told how many are lost. What is known
// without reading stays.
func TestOldestGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start(small)
		w.add("rare n: 1")
		w.j.SetCursor("shed", Position{1, 1})
		long := strings.Repeat("x", 3000)
		for i := range 300 {
			w.add(fmt.Sprintf("often n: %d %s", i, long))
			synctest.Wait()
		}
		for range 2 {
			list := w.read(Query{Start: At(Position{1, 1})})
			lost, number := strings.CutSuffix(list[0], " lost from 1")
			if !number {
				t.Fatalf("the first entry is %q", list[0])
			}
			var n int
			_, _ = fmt.Sscan(lost, &n)
			if want := 301 - n; len(list)-1 != want || want < 40 || !strings.HasPrefix(list[len(list)-1], "301 often n: 299 ") {
				t.Errorf("%d of 301 are lost, and %d are there", n, len(list)-1)
			}
			if p, ok := w.j.Cursor("shed"); !ok || p.Sequence != 1 {
				t.Errorf("the cursor is at %v, %v", p, ok)
			}
			found := false
			_ = w.j.Last(Only("rare", ""), func(e *Entry) error { found = string(e.Data) == "1"; return nil })
			if !found {
				t.Error("the last value of a rare event is gone")
			}
			w.stop()
			w.start(small)
		}
		w.stop()
	})
}

// TestReaderFollows: a reader reads what is there, and goes on with what is committed, without a hole and nothing twice.
func TestReaderFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start(small)
		r := w.j.Read(Query{Filter: Only("", "n")})
		defer func() { _ = r.Close() }()
		var heard []uint64
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			var some [4]Entry
			for {
				n, err := r.Next(ctx, some[:])
				if err != nil {
					return
				}
				for _, e := range some[:n] {
					if e.Lost > 0 {
						t.Errorf("%d are lost", e.Lost)
					}
					heard = append(heard, e.Sequence)
				}
			}
		}()
		want := 0
		for i := range 500 {
			w.add(fmt.Sprintf("s n: %d", i), "s other: 0")
			want++
			if i%7 == 0 {
				synctest.Wait()
				if len(heard) != want {
					t.Fatalf("after %d events, %d were heard", want, len(heard))
				}
			}
		}
		synctest.Wait()
		for i, n := range heard {
			if n != uint64(2*i+1) {
				t.Fatalf("the event after %d is %d", 2*i-1, n)
			}
		}
		cancel()
		<-done
		w.stop()
	})
}

// TestDiskFails: an error of the disk is not taken for a success, and not tried again on the same segment. Events go to another
// segment; if that fails as well, they wait, and after a time they are told not to be durable.
func TestDiskFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start(small)
		ok := w.add("s n: 1")
		synctest.Wait()
		f := journaltest.None()
		f.FailSync = 0
		w.c.SetFaults(f)
		once := w.add("s n: 2")
		synctest.Wait()
		if !w.ended[ok] || !w.ended[once] || w.j.Health().Err != nil {
			t.Errorf("after one failure: %v, %v", w.ended, w.j.Health())
		}
		w.expect(w.read(Query{}), "1 s n: 1", "2 s n: 2")
		if n := len(w.j.log.kept); n != 2 {
			t.Errorf("after one failure there are %d segments: the one that failed must be given up", n)
		}

		f.FailSync, f.Err = -1, journaltest.ErrDisk // nothing works
		w.c.SetFaults(f)
		lost := w.add("s n: 3")
		synctest.Wait()
		if _, ended := w.ended[lost]; ended || w.j.Health().Err == nil {
			t.Errorf("while the disk fails: %v, %v", w.ended, w.j.Health())
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if durable, ended := w.ended[lost]; !ended || durable || w.j.Health().Lost != 1 {
			t.Errorf("after 11 s: %v, %v", w.ended, w.j.Health())
		}
		w.c.SetFaults(journaltest.None())
		again := w.add("s n: 4")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !w.ended[again] || w.j.Health().Err != nil {
			t.Errorf("when the disk works again: %v, %v", w.ended, w.j.Health())
		}
		w.expect(w.read(Query{}), "1 s n: 1", "2 s n: 2", "1 lost from 3", "4 s n: 4")
		w.stop()
	})
}

// TestRot: a frame that cannot be read any more is told as lost, and later ones are read.
func TestRot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start(small)
		for i := range 5 {
			w.add(fmt.Sprintf("s n: %d", i))
			synctest.Wait()
		}
		w.stop()
		w.c.Damage(segmentName(1), func(data []byte) { data[headSize+2*frameAlign+60] ^= 4 }) // behind the state
		w.c.Restore()
		w.start(small)
		w.expect(w.read(Query{}), "1 s n: 0", "1 lost from 2", "3 s n: 2", "4 s n: 3", "5 s n: 4")
		w.add("s n: 5")
		synctest.Wait()
		w.expect(w.read(Query{Start: At(Position{1, 4})}), "4 s n: 3", "5 s n: 4", "6 s n: 5")
		w.stop()
	})
}
