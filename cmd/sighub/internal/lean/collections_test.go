package lean

import (
	"context"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// TestWatchCollections: many collections within a second are told of, fewer are not, and nothing is after the end.
func TestWatchCollections(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := watchCollections(ctx)
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
	if got := c.count(); got < manyCollections {
		t.Errorf("%d collections are counted, want %d or more", got, manyCollections)
	}
	if !told(true) {
		t.Error("many collections are not told of a second time")
	}
	much := make([]byte, 64<<20)
	runtime.GC()
	percent := debug.SetGCPercent(100)
	defer debug.SetGCPercent(percent)
	if live := c.live(100); live < uint64(len(much)) || live > 3*uint64(len(much)) {
		t.Errorf("%d bytes are in use, not %d and some more", live, len(much))
	}
	runtime.KeepAlive(much)
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
