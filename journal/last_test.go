package journal

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// pages returns what LastAfter gives, some at a time, and how often the topics were put in order for it.
func (w *world) pages(some int) (list []string, orders int) {
	w.t.Helper()
	before := w.j.order.Load()
	for after, more := (Topic{}), true; more; {
		var page []Entry
		page, more = w.j.LastAfter(after, nil, some, 1<<30)
		if len(page) > some || more && len(page) < some {
			w.t.Fatalf("%d at a time: %d are given", some, len(page))
		}
		for i := range page {
			after = page[i].Topic
			list = append(list, after.Sender+" "+after.Event+": "+string(page[i].Data))
		}
		if o := w.j.order.Load(); o != before {
			before = o
			orders++
		}
	}
	return list, orders
}

// TestLastInParts: the last events of thousands of topics come in the order of their names, each once, however many at a time; and the
// topics are put in order when there are others, and not for each part.
func TestLastInParts(t *testing.T) {
	inWorld(t, Options{Segment: 4 << 20, Size: 24 << 20}, func(t *testing.T, w *world) {
		var want []string
		for i := range 2000 {
			text := fmt.Sprintf("s%04d n: %d", i, i)
			want = append(want, text)
		}
		for _, i := range rand.Perm(len(want)) {
			w.add(want[i])
		}
		synctest.Wait()
		for i, some := range []int{7, 100, 5000} {
			got, orders := w.pages(some)
			if !slices.Equal(got, want) {
				t.Fatalf("%d at a time: %d are given", some, len(got))
			}
			if first := i == 0; first != (orders == 1) {
				t.Errorf("%d at a time: the topics are put in order %d times", some, orders)
			}
		}
		want[3] = "s0003 n: 7"
		w.add(want[3], "s0004 n: "+strings.Repeat("x", longestLast+1)) // which is not kept in memory
		want[4] = "s0004 n: " + strings.Repeat("x", longestLast+1)
		synctest.Wait()
		if got, orders := w.pages(100); orders != 0 || !slices.Equal(got, want) {
			t.Errorf("with other values of the same topics, they are put in order %d times", orders)
		}
		w.add("s0004 m: 1")
		want = slices.Insert(want, 4, "s0004 m: 1")
		synctest.Wait()
		if got, orders := w.pages(100); orders != 1 || !slices.Equal(got, want) {
			t.Errorf("with a new topic, they are put in order %d times", orders)
		}
	})
}

// TestLastForgotten: topics for which there is no room any more are not given.
func TestLastForgotten(t *testing.T) {
	inWorld(t, small, func(t *testing.T, w *world) {
		for i := range 3000 {
			w.add(fmt.Sprintf("stranger%d n: 1", i))
			if i%500 != 0 {
				continue
			}
			synctest.Wait()
			known := len(w.j.mem.lasts.items) + len(w.j.mem.bare.items)
			if got, _ := w.pages(50); len(got) != known {
				t.Fatalf("after %d strangers, %d are known, and %d given", i, known, len(got))
			}
			if n := len(w.j.order.Load().topics); n != known {
				t.Errorf("after %d strangers, the order has %d of %d", i, n, known)
			}
		}
		synctest.Wait()
		known := func() int { return len(w.j.mem.lasts.items) + len(w.j.mem.bare.items) }
		if known() == 3000 {
			t.Error("none is forgotten")
		}
		w.pages(50)
		before := known()
		for i := range 20 { // of topics that are known, so that others go
			w.add(fmt.Sprintf("stranger%d n: %s", 2980+i, strings.Repeat("x", 600)))
		}
		synctest.Wait()
		if known() == before {
			t.Error("no other is forgotten")
		}
		w.pages(50)
		if n := len(w.j.order.Load().topics); n != known() {
			t.Errorf("at last, the order has %d of %d", n, known())
		}
	})
}
