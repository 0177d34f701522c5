package journal

import (
	"fmt"
	"io/fs"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sighub/journal/journaltest"
)

// More of what goes wrong: see cases_test.go.

// TestCaseLostTail: a disk has lied about what it has written. A position behind the end of its epoch is set back, which is told, and
// the sequences that are used again are of another epoch.
func TestCaseLostTail(t *testing.T) {
	inWorld(t, small, func(t *testing.T, w *world) {
		for i := range 5 {
			w.add(fmt.Sprintf("s n: %d", i+1))
			synctest.Wait()
		}
		w.with(func(f *journaltest.Faults) { f.NoFileSync, f.NothingUnderWay = true, true })
		for i := range 5 {
			w.add(fmt.Sprintf("s n: lost %d", i))
			synctest.Wait()
		}
		w.j.SetCursor("shed", Position{1, 9})
		synctest.Wait()
		w.c.Lie() // all of what was not written is lost
		w.c.SetFaults(cut)
		w.stop()
		w.c.Restore()
		w.start(small)
		if end := w.j.End(); end != (Position{2, 6}) {
			t.Fatalf("the end is %v", end)
		}
		w.add("s n: new 6", "s n: new 7")
		synctest.Wait()
		w.expect(w.read(Query{Start: After(Position{1, 9})}), "back by 4 to 6", "6 s n: new 6", "7 s n: new 7")
		w.expect(w.read(Query{Start: After(Position{1, 5})}), "6 s n: new 6", "7 s n: new 7")
		w.expect(w.read(Query{Start: After(Position{2, 6})}), "7 s n: new 7")
		w.expect(w.read(Query{Start: At(Position{7, 3})})[:2], "back by 2 to 1", "1 s n: 1") // of another journal
		w.expect(w.read(Query{Start: At(Position{2, math.MaxUint64})})[1:2], "1 s n: 1")
	})
}

// TestCaseCutAgain: the power is cut while a journal is recovered, while old segments go, or while a cursor is saved. Recovery writes
// nothing, and can be done again.
func TestCaseCutAgain(t *testing.T) {
	inWorld(t, small, func(t *testing.T, w *world) {
		last := 0
		for i := range 60 {
			f := journaltest.None()
			f.CutIn = i % 23
			w.c.SetFaults(f)
			for k := range 3 {
				w.add(fmt.Sprintf("s n: %d %s", i, strings.Repeat("x", 4000*k)))
				w.j.SetCursor("shed", Position{w.j.End().Epoch, w.j.End().Sequence - 1})
				synctest.Wait()
			}
			w.c.Cut()
			w.stop()
			w.c.Restore()
			for again := range 4 {
				f := journaltest.None()
				f.CutIn = 3 * again
				w.c.SetFaults(f)
				before := w.c.Count()
				if j, err := open(w.c, small, false, faults{}); err == nil {
					_ = j.log.giveUp()
				}
				if w.c.Count() != before {
					t.Fatal("recovery writes")
				}
				w.c.Restore()
			}
			w.start(small)
			end := w.j.End()
			if p, ok := w.j.Cursor("shed"); int(end.Sequence) < last || ok && p.Sequence >= end.Sequence {
				t.Fatalf("the end was %d, and is %v; the cursor is at %v", last, end, p)
			}
			last = int(end.Sequence)
		}
	})
}

// TestCaseReadOnly: a folder that cannot be written is read.
func TestCaseReadOnly(t *testing.T) {
	inWorld(t, small, func(t *testing.T, w *world) {
		w.add("s n: 1")
		synctest.Wait()
		w.restart(small)
		w.with(func(f *journaltest.Faults) { f.Err = fs.ErrPermission })
		ticket := w.add("s n: 2")
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if durable, ended := w.ended[ticket]; durable || !ended {
			t.Errorf("%v, %+v", w.ended, w.j.Health())
		}
		w.expect(w.read(Query{}), "1 s n: 1")
		w.c.SetFaults(journaltest.None())
		w.add("s n: 3")
		time.Sleep(11 * time.Second)
		synctest.Wait()
		w.expect(w.read(Query{}), "1 s n: 1", "1 lost from 2", "3 s n: 3")
	})
}

// TestCaseOtherVersion: what another version of the program has written, and this one cannot read, is told as lost. It stops neither
// the start nor a reader.
func TestCaseOtherVersion(t *testing.T) {
	inWorld(t, small, func(t *testing.T, w *world) {
		w.add("s n: 1")
		synctest.Wait()
		var c writer
		c.reset()
		c.event(&Event{Topic: Topic{"s", "n"}, Data: []byte("2")})
		c.kind(0x7f)
		if _, err := w.j.log.append(frame{kind: kindData, content: c.content, count: 3, times: c.times}); err != nil {
			t.Fatal(err)
		}
		w.add("s n: 5", "t n: 6")
		synctest.Wait()
		want := []string{"1 s n: 1", "2 s n: 2", "2 lost from 3", "5 s n: 5", "6 t n: 6"}
		w.expect(w.read(Query{}), want...)
		w.restart(small)
		w.expect(w.read(Query{}), want...)
		w.expect(w.read(Query{Start: At(Position{1, 3})}), want[2:]...)
		w.expect(w.read(Query{Filter: Only("t", "")}), "2 lost from 3", "6 t n: 6")
	})
}
