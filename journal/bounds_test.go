package journal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sighub/journal/folder"
	"sighub/journal/journaltest"
)

// TestStrangers: whatever strangers call themselves, what is known without reading stays small, fits into a state, and is the same
// after a restart; and the highest number of a connection is not forgotten, though everything that had it is.
func TestStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start(small)
		rng := rand.New(rand.NewPCG(7, 7))
		const highest = uint64(1 << 40)
		first := w.j.NewGroup()
		first.Add(Event{Topic: Topic{"first", "e"}, Connection: highest, Seq: 1})
		first.Append(0)
		for i := range 3000 {
			g := w.j.NewGroup()
			name := fmt.Sprintf("%s %d", strings.Repeat("n", rng.IntN(200)), rng.IntN(2000))
			for k := range 3 {
				g.Add(Event{Topic: Topic{name, fmt.Sprint("e", k)}, Connection: uint64(i + 1), Seq: uint64(k + 1), Data: make([]byte, rng.IntN(600))})
			}
			g.Mark("producer/"+name, []byte(strings.Repeat("m", rng.IntN(100))))
			if last := g.Append(0); i%10 == 0 {
				w.j.SetCursor("cursor "+name, Position{1, 1})
				synctest.Wait()
				if !w.ended[last] {
					t.Fatalf("after %d strangers, a commit is not on disk: %+v", i, w.j.Health())
				}
			}
			if i%500 == 499 {
				synctest.Wait()
				before := string(w.j.mem.snapshot())
				if len(before) > w.j.log.maxState() {
					t.Fatalf("a state has %d bytes", len(before))
				}
				w.stop()
				w.start(small)
				if after := string(w.j.mem.snapshot()); after != before {
					t.Fatalf("after a restart, %d bytes are known, before it %d", len(after), len(before))
				}
				if n := w.j.LatestConnection(); n != highest {
					t.Fatalf("the latest connection is %d, not %d", n, highest)
				}
			}
		}
		_ = w.j.Last(nil, func(e *Entry) error {
			if e.Sender == "first" {
				t.Error("the first event is still known")
			}
			return nil
		})
		w.stop()
	})
}

// TestTooLarge: what does not fit into a segment is not kept, which is told at once and harms nothing else; what just fits is kept.
func TestTooLarge(t *testing.T) {
	inWorld(t, small, func(t *testing.T, w *world) {
		before := w.add("s n: 1")
		large := w.add("s n: " + strings.Repeat("x", 40<<10))
		fits := w.add("s n: " + strings.Repeat("y", 27<<10))
		after := w.add("s n: 4")
		synctest.Wait()
		if !w.ended[before] || w.ended[large] || !w.ended[fits] || !w.ended[after] {
			t.Errorf("%v", w.ended)
		}
		if h := w.j.Health(); h.Err != nil || h.Lost != 1 || h.LostEvents != 1 {
			t.Errorf("%+v", h)
		}
		list := w.read(Query{})
		if len(list) != 4 || list[1] != "1 lost from 2" || len(list[2]) < 27<<10 {
			t.Errorf("%d entries, %.20s", len(list), list)
		}
	})
}

// TestSmallDisk: a journal takes at most a tenth of the disk.
func TestSmallDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const disk = 64 << 20
		w := newWorld(t)
		w.with(func(f *journaltest.Faults) { f.Space = disk })
		w.start(Options{})
		long := strings.Repeat("x", 50000)
		for i := range 400 {
			w.add(fmt.Sprintf("s n: %d %s", i, long))
			synctest.Wait()
		}
		total, free, _ := w.c.Space()
		if used := total - free; used > disk/10 || used < disk/30 {
			t.Errorf("%d of %d bytes are used", used, disk)
		}
		if h := w.j.Health(); h.Size != disk/10 || h.Err != nil || h.First.Sequence < 200 {
			t.Errorf("%+v", h)
		}
		w.stop()
	})
}

// TestFewer: a journal that is opened with a smaller size becomes smaller, and one with other segments goes on.
func TestFewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		last := 0
		for _, o := range []Options{
			{Segment: 64 << 10, Size: 40 * 64 << 10}, {Segment: 64 << 10, Size: 10 * 64 << 10}, {Segment: 128 << 10, Size: 1 << 20},
			{Segment: 32 << 10, Size: 512 << 10},
		} {
			w.start(o)
			for range 200 {
				last++
				w.add(fmt.Sprintf("s n: %d %s", last, strings.Repeat("x", 5000)))
				synctest.Wait()
			}
			total := int64(0)
			names, _ := w.c.List()
			for _, name := range names {
				f, _ := w.c.Open(name)
				size, _ := f.Size()
				total += size
			}
			if total > o.Size+o.Segment || w.j.Health().Err != nil {
				t.Errorf("%+v: %d bytes, %+v", o, total, w.j.Health())
			}
			list := w.read(Query{})
			if want := fmt.Sprintf("%d s n: %d ", last, last); !strings.HasPrefix(list[len(list)-1], want) || len(list) < 25 {
				t.Errorf("%+v: %d events, the last is %.20s", o, len(list), list[len(list)-1])
			}
			w.stop()
		}
	})
}

// TestOwner: a journal on the disk of the machine has one owner, and can be read beside it.
func TestOwner(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	j, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- j.Serve(ctx, func(Ticket, bool) {}) }()
	g := j.NewGroup()
	g.Add(Event{Topic: Topic{"s", "n"}, Time: time.Now().UnixNano(), JSON: true, Data: []byte("7")})
	g.Append(0)
	if err := j.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); !errors.Is(err, folder.ErrLocked) {
		t.Errorf("a second owner: %v", err)
	}
	read, err := OpenReadOnly(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if read.End() != j.End() || read.End() != (Position{1, 2}) {
		t.Errorf("the end is %v, to the owner %v", read.End(), j.End())
	}
	r := read.Read(Query{Bounded: true})
	var some [4]Entry
	if n, err := r.Next(t.Context(), some[:]); n != 1 || err != nil || string(some[0].Data) != "7" {
		t.Errorf("%d, %v", n, err)
	}
	if list, err := read.Rollup("s", "n", time.Now().Add(-time.Hour), time.Now(), time.Minute); err != nil || len(list) != 1 || list[0].Last != 7 {
		t.Errorf("%v, %v", list, err)
	}
	if err := errors.Join(r.Close(), read.Close()); err != nil {
		t.Error(err)
	}
	if report, err := Verify(dir); err != nil || !report.Sound() || report.Clean || report.Events != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	again, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if again.End() != (Position{1, 2}) {
		t.Errorf("after an orderly end: %v", again.End())
	}
	_ = again.Close()
	if _, err := OpenReadOnly(filepath.Join(dir, "none"), Options{}); err == nil {
		t.Error("a folder that is not there is opened")
	}
}

// TestReadBeside: a journal is read and verified while a hub writes it and uses segments again.
func TestReadBeside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	j, err := Open(dir, Options{Segment: 64 << 10, Size: 6 * 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done, wrote := make(chan error), make(chan struct{})
	go func() { done <- j.Serve(ctx, func(Ticket, bool) {}) }()
	go func() {
		defer close(wrote)
		g := j.NewGroup()
		for i := range 3000 {
			for room := j.Room(); room != nil; room = j.Room() {
				<-room
			}
			g.Add(Event{Topic: Topic{"s", "n"}, Seq: uint64(i + 1), Time: int64(i), Data: make([]byte, 2000)})
			g.Append(0)
		}
	}()
	for writing := true; writing; {
		select {
		case <-wrote:
			writing = false
		default:
		}
		read, err := OpenReadOnly(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		r, last := read.Read(Query{Bounded: true}), uint64(0)
		some := make([]Entry, 64)
		for {
			n, err := r.Next(t.Context(), some)
			for i := range some[:n] {
				if e := &some[i]; e.Lost == 0 && (e.Sequence <= last || e.Sequence != e.Seq) {
					t.Fatalf("%d (%d) comes after %d", e.Sequence, e.Seq, last)
				} else {
					last = e.Sequence
				}
			}
			if err != nil {
				break
			}
		}
		if err := errors.Join(r.Close(), read.Close()); err != nil {
			t.Error(err)
		}
		if _, err := Verify(dir); err != nil {
			t.Error(err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if r, err := Verify(dir); err != nil || !r.Sound() || !r.Clean {
		t.Errorf("%+v, %v", r, err)
	}
}
