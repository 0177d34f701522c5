package hub

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestQueue holds the queue against a plain list.
func TestQueue(t *testing.T) {
	listeners := []*Listener{{policy: Latest}, {policy: Block}, {policy: Latest}}
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		var list []entry
		n := 0
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				n++
				e := entry{listener: rapid.SampledFrom(listeners).Draw(t, "listener"), event: Event{
					Sender: "s", Name: rapid.SampledFrom([]string{"a", "b", Gap}).Draw(t, "event"), Seq: uint64(n),
				}}
				q.push(e)
				list = append(list, e)
			},
			"pop": func(t *rapid.T) {
				if len(list) == 0 {
					t.Skip("empty")
				}
				if e := q.pop(); e.event.Seq != list[0].event.Seq || e.listener != list[0].listener {
					t.Fatalf("%d, want %d", e.event.Seq, list[0].event.Seq)
				}
				list = list[1:]
			},
			"drop": func(t *rapid.T) {
				key := entryKey{rapid.SampledFrom(listeners).Draw(t, "listener"), "s", rapid.SampledFrom([]string{"a", "b"}).Draw(t, "event")}
				droppable := func(e entry) bool { _, ok := e.key(); return ok }
				i := slices.IndexFunc(list, func(e entry) bool {
					return droppable(e) && e.listener == key.listener && e.event.Name == key.event
				})
				if i < 0 {
					i = slices.IndexFunc(list, droppable)
				}
				e, ok := q.drop(key)
				if ok != (i >= 0) || ok && e.event.Seq != list[i].event.Seq {
					t.Fatal(fmt.Sprint(e.event.Seq, ok, i))
				}
				if ok {
					list = slices.Delete(list, i, i+1)
				}
			},
			"": func(t *rapid.T) {
				if q.len() != len(list) {
					t.Fatalf("%d entries, want %d", q.len(), len(list))
				}
			},
		})
	})
}
