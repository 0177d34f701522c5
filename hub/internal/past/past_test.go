package past

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"sighub/carrier"
	"sighub/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestFlight: what lands is what was answered, in order, as in a plain list.
func TestFlight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type one struct {
			to       int
			at       uint64
			number   uint64
			answered bool
		}
		var f Flight[int]
		var model []one
		var got, want []string
		landed := func(to int, at journal.Position) { got = append(got, fmt.Sprint(to, " ", at.Sequence)) }
		pop := func() {
			if m := model[0]; m.to != 0 {
				want = append(want, fmt.Sprint(m.to, " ", m.at))
			}
			model = model[1:]
		}
		byNumber := rapid.Bool().Draw(t, "messages") // answered one by one, in any order
		for i := range uint64(rapid.IntRange(1, 300).Draw(t, "steps")) {
			switch what := rapid.IntRange(0, 3).Draw(t, "what"); {
			case what == 0 && !byNumber:
				n := rapid.IntRange(0, 3).Draw(t, "live")
				f.Live(n)
				for range n {
					model = append(model, one{})
				}
			case what <= 2:
				to := rapid.IntRange(1, 3).Draw(t, "to")
				model = append(model, one{to: to, at: i, number: f.Put(to, journal.Position{Sequence: i})})
			case byNumber && len(model) > 0:
				m := &model[rapid.IntRange(0, len(model)-1).Draw(t, "answered")]
				m.answered = true
				f.Landed(m.number, landed)
				for len(model) > 0 && model[0].answered {
					pop()
				}
			case !byNumber:
				n := rapid.IntRange(0, len(model)).Draw(t, "answers")
				if next := f.Next(); len(model) > 0 && next != model[0].to {
					t.Fatalf("the next one is for %d, not %d", next, model[0].to)
				}
				f.Answered(n, landed)
				for range n {
					pop()
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("landed: %q, want %q", got, want)
			}
		}
	})
}

// TestReadFrom: what is meant by a text, and what is refused.
func TestReadFrom(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for text, want := range map[string]time.Time{
		`"2h"`: now.Add(-2 * time.Hour), `"7d"`: now.AddDate(0, 0, -7), `"1d12h30m"`: now.Add(-36*time.Hour - 30*time.Minute), `"0s"`: now,
		`"2026-01-02T03:04:05Z"`: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), `1767323045`: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	} {
		f, err := ReadFrom(carrier.RawValue(carrier.JSON, []byte(text)), now)
		if err != nil || !f.Since.Equal(want) {
			t.Errorf("%s: %v, %v", text, f.Since, err)
		}
	}
	if f, err := ReadFrom(carrier.RawValue(carrier.JSON, []byte("[3,4]")), now); err != nil || f.After != (journal.Position{Epoch: 3, Sequence: 4}) {
		t.Errorf("%v, %v", f, err)
	}
	for _, bad := range []string{
		`""`, `"x"`, `"-2h"`, `"2h-3m"`, `"d"`, `"1d2"`, `"99999d"`, `"9999999h"`, `[1]`, `[1,2,3]`, `[-1,2]`, `[4294967296,1]`, `[1,18446744073709551615]`,
		`[1,1.5]`, `{}`, `true`, `-5`, `"1969-01-01T00:00:00Z"`, `"2026-01-02"`, `"+2h"x`,
	} {
		if f, err := ReadFrom(carrier.RawValue(carrier.JSON, []byte(bad)), now); err == nil {
			t.Errorf("%s is %+v", bad, f)
		}
	}
}

// TestHeard: an event is heard once, whichever way it comes again; and not for long by too many senders.
func TestHeard(t *testing.T) {
	var h Heard
	for _, c := range []struct {
		sender          string
		connection, seq uint64
		old, again      bool
	}{
		{"a", 5, 1, false, false}, {"a", 5, 2, false, false}, {"a", 5, 2, true, true}, {"b", 7, 2, false, false}, {"a", 5, 1, true, true},
		{"a", 4, 9, true, true}, {"a", 4, 9, false, false}, {"a", 6, 1, true, false}, {"a", 6, 1, true, true}, {"a", 0, 1, true, false},
		{"a", 6, 0, true, false}, {"b", 7, 2, false, true}, {"b", 7, 4, false, false},
	} {
		if again := h.Again(c.sender, c.connection, c.seq, c.old); again != c.again {
			t.Errorf("%+v: %t", c, again)
		}
	}
	for i := range 2 * maxHeard {
		h.Again(fmt.Sprint(i), 1, 1, false)
	}
	if n := len(h.all); n > maxHeard {
		t.Errorf("%d senders are known", n)
	}
	h.Forget()
	if h.Again("b", 7, 4, true) {
		t.Error("it is heard after all is forgotten")
	}
}

// A person owns cursors.
type person struct{ gone bool }

func (p *person) Gone() bool     { return p.gone }
func (p *person) Left() bool     { return p.gone }
func (p *person) String() string { return "somebody" }

// TestCursors: who has a cursor, where it is, and what the journal is told.
func TestCursors(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		j, err := journal.Open(dir, journal.Options{Size: 4 << 20, Segment: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		cs := NewCursors(j, 2)
		at := func(n uint64) journal.Position { return journal.Position{Epoch: 1, Sequence: n} }
		a, b := new(person), new(person)
		c, p, known, err := cs.Take("x", a, at(0))
		if err != nil || known || p != at(0) {
			t.Fatal(p, known, err)
		}
		if _, _, _, err := cs.Take("x", b, at(9)); err == nil {
			t.Error("it has two owners")
		}
		if err := cs.Remove("x"); err == nil {
			t.Error("it is removed although it has an owner")
		}
		c.Move(at(3), 3)
		a.gone = true
		d, p, known, err := cs.Take("x", b, at(9))
		if err != nil || !known || p != at(3) {
			t.Error(p, known, err)
		}
		c.Move(at(4), 1)
		if d.At() != at(3) {
			t.Error("one who has lost it moves it")
		}
		d.Release()
		d.MoveWith(at(5), 1, []byte("noted")) // an answer that comes late
		if got := cs.List(); len(got) != 1 || got[0].At != at(5) || got[0].Owner != nil {
			t.Errorf("%+v", got)
		}
		if _, _, _, err := cs.Take("y", a, at(0)); err != nil {
			t.Error(err)
		}
		if _, _, _, err := cs.Take("z", a, at(0)); err == nil {
			t.Error("there are more than there may be")
		}
		time.Sleep(keepAfter)
		synctest.Wait()
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := j.Serve(ctx, func(journal.Ticket, bool) {}); err != nil {
			t.Error(err)
		}
		if got, ok := j.Cursor("x"); !ok || got != at(5) {
			t.Errorf("the journal has %v, %t", got, ok)
		}
		if got, ok := j.Cursor("y"); !ok || got != at(0) {
			t.Errorf("the journal has %v, %t", got, ok)
		}
		again, p, _, err := NewCursors(j, 2).Take("x", a, at(0))
		if err != nil || p != at(5) || string(again.Note()) != "noted" {
			t.Errorf("it is at %v with %q, %v", p, again.Note(), err)
		}
	})
}

// TestBarrier: it waits for what was begun before, and for nothing that is begun meanwhile.
func TestBarrier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b Barrier
		before := b.Begin()
		var passed [3]bool
		var waiting sync.WaitGroup
		for i := range passed {
			waiting.Go(func() {
				if b.Wait(t.Context()) == nil {
					passed[i] = true
				}
			})
		}
		synctest.Wait()
		meanwhile := b.Begin()
		if meanwhile == before {
			t.Error("what is begun meanwhile is of the same generation")
		}
		if passed != [3]bool{} {
			t.Error("it did not wait")
		}
		b.End(before)
		synctest.Wait()
		n := 0
		for _, p := range passed {
			if p {
				n++
			}
		}
		if n == 0 {
			t.Error("it waits for what was begun later")
		}
		b.End(meanwhile)
		start := time.Now()
		waiting.Wait()
		if time.Since(start) > 0 {
			t.Error("the others waited")
		}
		b.Begin() // and never ends
		for n := range 3 {
			if b.Wait(t.Context()) != nil || time.Since(start) != time.Duration(n+1)*barrierPatience {
				t.Errorf("it waited for %v", time.Since(start))
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if b.Wait(ctx) == nil {
			t.Error("it does not end with its context")
		}
	})
}

// TestBarrierHoldsUnderFire: what was begun before Wait was called has ended when it returns.
func TestBarrierHoldsUnderFire(t *testing.T) {
	var b Barrier
	var mu sync.Mutex
	running := make(map[int]bool)
	var all sync.WaitGroup
	stop := make(chan struct{})
	for g := range 4 {
		all.Go(func() {
			for i := g; ; i += 4 {
				select {
				case <-stop:
					return
				default:
				}
				generation := b.Begin()
				mu.Lock()
				running[i] = true
				mu.Unlock()
				mu.Lock()
				delete(running, i)
				mu.Unlock()
				b.End(generation)
			}
		})
	}
	for range 2000 {
		mu.Lock()
		var before []int
		for i := range running {
			before = append(before, i)
		}
		mu.Unlock()
		if err := b.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		for _, i := range before {
			if running[i] {
				t.Errorf("%d has not ended", i)
			}
		}
		mu.Unlock()
	}
	close(stop)
	all.Wait()
}
