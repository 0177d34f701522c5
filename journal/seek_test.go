package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// TestSeek: whoever begins somewhere in the journal, or jumps there, reads what is there, wherever frames begin and whatever is damaged:
// events whose data looks like the beginning of a frame, frames that are longer than what is read at a time, and parts of the disk that
// cannot be read.
func TestSeek(t *testing.T) {
	for seed := range uint64(3) {
		inWorld(t, Options{Segment: 1 << 20, Size: 12 << 20}, func(t *testing.T, w *world) {
			rng := rand.New(rand.NewPCG(seed, 3))
			magic := strings.Repeat("sghj", 1<<18)
			for range 200 {
				var events []string
				for range 1 + rng.IntN(4) {
					length := rng.IntN(500)
					if rng.IntN(20) == 0 {
						length = rng.IntN(200 << 10)
					}
					events = append(events, "s n: "+magic[:length])
				}
				w.add(events...)
				synctest.Wait()
			}
			v := w.j.view.Load()
			if len(v.kept) < 3 {
				t.Fatalf("there are %d segments", len(v.kept))
			}
			if seed > 0 {
				for i := range v.kept {
					w.c.Damage(segmentName(v.kept[i].number), func(data []byte) {
						for range 3 {
							data[headSize+rng.IntN(len(data)-headSize)] ^= 1
						}
					})
				}
				w.c.Bad(segmentName(v.kept[1].number), rng.Int64N(1<<19), 64<<10)
			}
			at := make(map[uint64]uint64) // the length of an event, by its sequence; or how many are lost from there on, and lost added
			const lost = 1 << 40
			var order []uint64
			readAll(t, w.j.Read(Query{Bounded: true}), 100, func(e *Entry) {
				at[e.Sequence], order = uint64(len(e.Data)), append(order, e.Sequence)
				for i := range e.Lost {
					at[e.Sequence+i] = lost + e.Lost - i
				}
			})
			same := func(r *Reader, s uint64) {
				t.Helper()
				var one [1]Entry
				n, err := r.Next(t.Context(), one[:])
				e := &one[0]
				got := uint64(len(e.Data))
				if e.Lost > 0 {
					got = lost + e.Lost
				}
				if n != 1 || err != nil || e.Sequence != s || got != at[s] {
					t.Fatalf("at %d: %d entries, %v; %d at %d, want %d", s, n, err, got, e.Sequence, at[s])
				}
			}
			for _, s := range order {
				r := w.j.Read(Query{Start: At(Position{1, s}), Bounded: true})
				same(r, s)
				_ = r.Close()
			}
			for range 5 {
				some := slices.Clone(order)
				rng.Shuffle(len(some), func(i, k int) { some[i], some[k] = some[k], some[i] })
				some = some[:1+rng.IntN(len(some))]
				slices.Sort(some)
				r := w.j.Read(Query{Bounded: true})
				for _, s := range some {
					r.jump(s)
					same(r, s)
				}
				_ = r.Close()
			}
		})
	}
}

// TestLastBounds: last values that are read come some at a time, as many as take so many bytes, each once, whatever there is room for in
// memory.
func TestLastBounds(t *testing.T) {
	const topics = 300
	inWorld(t, Options{Segment: 1 << 20, Size: 20 << 20}, func(t *testing.T, w *world) {
		want := make([]string, topics)
		for _, i := range rand.Perm(topics) {
			length := 10
			if i%2 == 0 {
				length = longestLast + 1 + i
			}
			want[i] = fmt.Sprintf("s%04d n: %s", i, strings.Repeat(string(rune('a'+i%26)), length))
			w.add(want[i])
			w.add("other n: " + strings.Repeat("x", i*40))
			synctest.Wait()
		}
		for _, bytes := range []int{1, 10 << 10, 100 << 10, 1 << 30} {
			pages, size := 0, 0
			var got []string
			for after, more := (Topic{"other", "n"}), true; more; pages++ {
				var page []Entry
				page, more = w.j.LastAfter(after, nil, topics, bytes)
				had := size
				for i := range page {
					after = page[i].Topic
					got = append(got, after.Sender+" "+after.Event+": "+string(page[i].Data))
					size += lastCost + len(page[i].Data)
				}
				if len(page) == 0 || len(page) > 1 && size-had-lastCost-len(page[len(page)-1].Data) >= bytes {
					t.Fatalf("a page of %d bytes has %d entries and %d bytes", bytes, len(page), size-had)
				}
			}
			if least := (pages - 1) * (bytes - longestLast - topics - 2*lastCost); size < least {
				t.Errorf("%d bytes at a time: %d pages for %d bytes", bytes, pages, size)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d bytes at a time: %d are given in %d pages", bytes, len(got), pages)
			}
			if bytes == 1<<30 && pages > 1 {
				t.Errorf("all at a time: %d pages", pages)
			}
		}
		enough, n := errors.New("enough"), 0
		err := w.j.Last(nil, func(*Entry) error {
			n++
			return enough
		})
		if !errors.Is(err, enough) || n != 1 {
			t.Errorf("%d are visited: %v", n, err)
		}
		w.c.Damage(segmentName(w.j.view.Load().kept[0].number), func(data []byte) { clear(data) })
		missing := 0
		_ = w.j.Last(nil, func(e *Entry) error {
			if len(e.Data) == 0 {
				missing++
			}
			return nil
		})
		if _, err := w.j.Read(Query{Bounded: true}).Next(t.Context(), make([]Entry, 1)); errors.Is(err, io.EOF) || missing == 0 || missing > topics/2 {
			t.Errorf("behind damage, %d values are missing: %v", missing, err)
		}
	})
}

// TestSeekReadsLittle: little is read of a segment to find an event in it.
func TestSeekReadsLittle(t *testing.T) {
	inWorld(t, Options{Segment: 8 << 20, Size: 80 << 20}, func(t *testing.T, w *world) {
		const frames = 2000
		for i := range frames {
			if i%200 == 100 {
				w.add(fmt.Sprintf("s%04d n: %s", i, strings.Repeat("x", longestLast+1)))
			} else {
				w.add("other n: 1")
			}
			synctest.Wait()
		}
		before := w.c.ReadBytes()
		for _, s := range []uint64{3, frames / 3, frames / 2, frames - 3} {
			r := w.j.Read(Query{Start: At(Position{1, s}), Bounded: true})
			if n, err := r.Next(t.Context(), make([]Entry, 1)); n != 1 || err != nil {
				t.Error(n, err)
			}
			_ = r.Close()
			now := w.c.ReadBytes()
			if read := now - before; read > windowSize+20*seekStep {
				t.Errorf("%d bytes are read to find event %d", read, s)
			}
			before = now
		}
		list, _ := w.j.LastAfter(Topic{"s", ""}, nil, 100, 1<<20)
		if read := w.c.ReadBytes() - before; len(list) != frames/200 || read > int64(len(list)*20*seekStep) {
			t.Errorf("%d bytes are read for %d last values", read, len(list))
		}
	})
}

// TestSeekBetweenFalseFrames: not much more is read than lies there to find an event among others whose data looks like the beginnings of long
// frames, wherever it lies.
func TestSeekBetweenFalseFrames(t *testing.T) {
	inWorld(t, Options{Segment: 16 << 20, Size: 80 << 20}, func(t *testing.T, w *world) {
		const each = 512 << 10
		piece := string(binary.LittleEndian.AppendUint32([]byte("sghj...."), 4<<20)) // of 12 bytes, so each of 4 shifts is in its place in a third of the blocks
		data := ""
		for shift := range 4 {
			data += strings.Repeat("x", shift) + strings.Repeat(piece, each/4/len(piece))
			data += strings.Repeat("x", 4-len(data)%4)
		}
		const frames = 10
		for range frames {
			w.add("s n: "+data, "t n: 1")
			synctest.Wait()
		}
		for _, s := range []uint64{2, frames, 2*frames - 1} {
			before := w.c.ReadBytes()
			r := w.j.Read(Query{Start: At(Position{1, s}), Bounded: true})
			var one [1]Entry
			if n, err := r.Next(t.Context(), one[:]); n != 1 || err != nil || one[0].Sequence != s || one[0].Lost > 0 {
				t.Errorf("at %d: %d entries, %v; %+v", s, n, err, one[0].Position)
			}
			_ = r.Close()
			if read := w.c.ReadBytes() - before; read > seekMost+2*frames*each {
				t.Errorf("%d bytes are read to find event %d", read, s)
			}
		}
	})
}
