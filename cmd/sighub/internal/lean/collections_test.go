package lean

import (
	"context"
	"runtime"
	"testing"
	"time"
)

// TestWatchCollections: many collections within a second are told of, fewer are not, and nothing is after the end.
func TestWatchCollections(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := watchCollections(ctx)
	before := c.count()
	told := func(collect bool) bool {
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
			if collect {
				runtime.GC()
			}
			select {
			case <-c.often():
				return true
			case <-time.After(time.Millisecond):
			}
			if !collect {
				return false
			}
		}
		return false
	}
	if runtime.GC(); told(false) {
		t.Error("one collection is told of")
	}
	if !told(true) {
		t.Fatal("many collections are not told of")
	}
	if got := c.count() - before; got < many {
		t.Errorf("%d collections are counted, want %d or more", got, many)
	}
	if !told(true) {
		t.Error("many collections are not told of a second time")
	}
	if c.live() == 0 {
		t.Error("nothing is in use")
	}
	cancel()
	for !c.ended.Load() {
		runtime.Gosched()
	}
	told(false) // what was under way
	for end := time.Now().Add(2500 * time.Millisecond); time.Now().Before(end); {
		if runtime.GC(); told(false) {
			t.Fatal("collections are told of after the end")
		}
	}
}
