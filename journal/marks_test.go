package journal

import (
	"fmt"
	"strings"
	"testing"
)

// TestMarksOfManyKinds: very many marks of one kind push out the oldest of their own, and none of a kind that has less; and all that is left
// is in the snapshot.
func TestMarksOfManyKinds(t *testing.T) {
	m := newMemory(boundsOf(1 << 20))
	state := []byte(strings.Repeat("x", 100))
	mark := func(kind string, from, to int) {
		for i := range to - from {
			m.mark(fmt.Sprint(kind, from+i), state)
		}
	}
	has := func(kind string, n int) (there int) {
		for i := range n {
			if m.marks.get(fmt.Sprint(kind, i)) != nil {
				there++
			}
		}
		return there
	}
	mark("link/", 0, 256)
	mark("links", 0, 1)
	mark("producer/", 0, 100_000)
	mark("nats/up/hub", 0, 100_000)
	for range 2 {
		if links, list := has("link/", 256), has("links", 1); links != 256 || list != 1 {
			t.Errorf("%d of 256 links are left, and %d list of them", links, list)
		}
		producers, hubs := has("producer/", 100_000), has("nats/up/hub", 100_000)
		if producers < 400 || hubs < 400 || max(producers, hubs) > 2*min(producers, hubs) {
			t.Errorf("%d producers and %d hubs are left", producers, hubs)
		}
		if m.marks.get("producer/99999") == nil || m.marks.get("nats/up/hub99999") == nil || m.marks.get("producer/0") != nil {
			t.Error("not the oldest ones went")
		}
		if m.marks.bytes > m.bound.marks || m.marks.bytes < m.bound.marks-1000 {
			t.Errorf("all take %d bytes, and may take %d", m.marks.bytes, m.bound.marks)
		}
		again := newMemory(m.bound)
		if err := again.read(&frame{kind: kindState, epoch: 1, first: 1, content: m.snapshot()}); err != nil {
			t.Fatal(err)
		}
		m = again
	}
	for i := range 100_000 {
		m.mark(fmt.Sprint("producer/", i), nil)
		m.mark(fmt.Sprint("nats/up/hub", i), nil)
		m.mark(fmt.Sprint("link/", i), nil)
	}
	m.mark("links0", nil)
	if m.marks.bytes != 0 || len(m.marks.kinds) != 0 {
		t.Errorf("without marks, %d bytes and %d kinds are left", m.marks.bytes, len(m.marks.kinds))
	}
}
