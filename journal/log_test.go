package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"sighub/journal/journaltest"
)

// A logWorld is a log on a disk that loses power, and what it has acknowledged.
type logWorld struct {
	c     *journaltest.Folder
	l     *log
	tried map[uint64][][]byte // contents by the sequence that they may have got
	acked map[uint64][]byte
	next  uint64
	total int

	faults  faults             // planted in the log
	planted journaltest.Faults // in the folder
}

const (
	testSegment = 64 << 10
	testMost    = 6
)

func (w *logWorld) open(t *testing.T) {
	t.Helper()
	l := &log{dir: w.c, size: testSegment, most: testMost, now: time.Now, faults: w.faults}
	st, err := l.open(func(*frame) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, trouble := range st.trouble {
		if !errors.Is(trouble, errNoHead) {
			t.Log(trouble)
		}
	}
	l.snapshot = func() []byte { return binary.LittleEndian.AppendUint64(nil, l.next) }
	w.l = l
}

// append appends a commit of a few events and returns whether it was acknowledged.
func (w *logWorld) append(rng *rand.Rand) error {
	count := rng.IntN(4)
	w.total++
	content := fmt.Appendf(nil, "commit %d of %d at %d ", w.total, count, w.l.next)
	content = append(content, bytes.Repeat([]byte{byte(w.total)}, rng.IntN(1+rng.IntN(20<<10)))...)
	if count > 0 {
		w.tried[w.l.next] = append(w.tried[w.l.next], content)
	}
	first, err := w.l.append(frame{kind: kindData, content: content, count: uint32(count), times: never})
	if err == nil && count > 0 {
		w.acked[first] = content
		w.next = first + uint64(count)
	}
	return err
}

// check reads the log: what was acknowledged and is not older than the oldest segment is there once, in order, as it was
// written; what was not acknowledged may be there as a whole.
func (w *logWorld) check() error {
	if w.l.next < w.next {
		return fmt.Errorf("the log goes on with %d, but %d was acknowledged", w.l.next, w.next-1)
	}
	oldest := w.next
	if len(w.l.kept) > 0 {
		oldest = w.l.kept[0].first
	}
	seen := make(map[uint64]bool)
	last := uint64(0)
	holes, err := w.each(func(f *frame) error {
		if f.count == 0 {
			return nil
		}
		if f.first < last {
			return fmt.Errorf("%d comes after %d", f.first, last)
		}
		last = f.first + uint64(f.count)
		seen[f.first] = true
		if want := w.acked[f.first]; want != nil {
			if !bytes.Equal(f.content, want) {
				return fmt.Errorf("%d is %.40q, want %.40q", f.first, f.content, want)
			}
			return nil
		}
		for _, tried := range w.tried[f.first] {
			if bytes.Equal(f.content, tried) {
				return nil
			}
		}
		return fmt.Errorf("%d is %.40q, which was never written", f.first, f.content)
	})
	if err != nil {
		return err
	}
	if len(holes) > 0 {
		return fmt.Errorf("there are holes: %v", holes)
	}
	for first := range w.acked {
		if first >= oldest && !seen[first] {
			return fmt.Errorf("%d was acknowledged and is not there; the oldest is %d", first, oldest)
		}
		if first < oldest {
			delete(w.acked, first)
		}
	}
	return nil
}

// runLog appends, cuts the power and lets the disk fail at random, and returns the first thing that is wrong.
func runLog(t *testing.T, seed uint64, plant func(*logWorld)) error {
	rng := rand.New(rand.NewPCG(seed, 1))
	w := &logWorld{c: journaltest.NewFolder(seed), tried: map[uint64][][]byte{}, acked: map[uint64][]byte{}, next: 1, planted: journaltest.None()}
	plant(w)
	w.open(t)
	for range 8 {
		f := w.planted
		f.CutIn, f.FailSync, f.FailWrite = rng.IntN(120), max(-1, rng.IntN(60)-20), max(-1, rng.IntN(60)-20)
		w.c.SetFaults(f)
		for {
			if err := w.append(rng); errors.Is(err, journaltest.ErrCut) {
				break
			}
		}
		w.c.Restore()
		w.open(t)
		if err := w.check(); err != nil {
			return err
		}
		// What is there once must stay there, whatever was acknowledged.
		_, err := w.each(func(f *frame) error {
			if f.count > 0 {
				w.acked[f.first] = bytes.Clone(f.content)
				w.next = f.first + uint64(f.count)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// TestPowerCuts: whenever the power is cut or the disk fails, everything that was acknowledged is there afterwards.
func TestPowerCuts(t *testing.T) {
	for seed := range uint64(100) {
		if err := runLog(t, seed, func(*logWorld) {}); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// TestPowerCutsFind: the test above finds what would be lost if the log did not wait for the disk.
func TestPowerCutsFind(t *testing.T) {
	for name, plant := range map[string]func(*logWorld){
		"no sync of a file":     func(w *logWorld) { w.planted.NoFileSync = true },
		"no sync of a commit":   func(w *logWorld) { w.faults.noSync = true },
		"no sync of a name":     func(w *logWorld) { w.faults.noFolderSync = true },
		"no segment number":     func(w *logWorld) { w.faults.noNumber = true },
		"no sync of the folder": func(w *logWorld) { w.planted.NoFolderSync = true },
	} {
		found := 0
		for seed := range uint64(20) {
			if runLog(t, seed, plant) != nil {
				found++
			}
		}
		if found < 10 {
			t.Errorf("%s: found with %d of 20 seeds", name, found)
		}
	}
}

// each calls visit for each commit of the log, in order, and returns the holes between them.
func (w *logWorld) each(visit func(f *frame) error) (holes []hole, err error) {
	v := w.l.view()
	for i, s := range v.kept {
		f, err := w.c.Open(segmentName(s.number))
		if err != nil {
			continue
		}
		end := v.endOf(i)
		_, _, more, err := s.scan(f, func(_ int64, f *frame) error {
			if f.first >= end && f.count > 0 {
				return nil
			}
			return visit(f)
		})
		if err != nil {
			return nil, err
		}
		for _, h := range more {
			if h.from < end {
				holes = append(holes, h)
			}
		}
	}
	return holes, nil
}
