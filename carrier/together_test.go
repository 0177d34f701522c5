package carrier

import (
	"sync"
	"sync/atomic"
	"testing"
)

// A countingFlusher counts how often it is flushed.
type countingFlusher struct{ n atomic.Int64 }

func (f *countingFlusher) FlushNow() { f.n.Add(1) }

// TestTogether: what joins is flushed once, at the end, and nothing joins what is over.
func TestTogether(t *testing.T) {
	var none *Together
	none.End()
	var with Together
	flushers := make([]countingFlusher, 20)
	if none.Join(&flushers[0]) || with.Join(&flushers[0]) {
		t.Error("something joins what was not begun")
	}
	for round := range 3 {
		with.Begin()
		for i := range flushers {
			for range 2 {
				if !with.Join(&flushers[i]) {
					t.Error("a flusher cannot join")
				}
			}
		}
		for i := range flushers {
			if n := flushers[i].n.Load(); n != int64(round) {
				t.Errorf("round %d: flushed %d times before the end", round, n)
			}
		}
		with.End()
		with.End()
		if with.Join(&flushers[0]) {
			t.Error("something joins what is over")
		}
	}
	for i := range flushers {
		if n := flushers[i].n.Load(); n != 3 {
			t.Errorf("flusher %d was flushed %d times in 3 rounds", i, n)
		}
	}
}

// A signallingFlusher tells that it is flushed.
type signallingFlusher chan struct{}

func (f signallingFlusher) FlushNow() { close(f) }

// TestTogetherLosesNothing: whatever joins from other goroutines is flushed.
func TestTogetherLosesNothing(t *testing.T) {
	var with Together
	var handling, joining sync.WaitGroup
	var over atomic.Bool
	handling.Go(func() {
		for !over.Load() {
			with.Begin()
			with.End()
		}
	})
	for range 4 {
		joining.Go(func() {
			for range 2000 {
				if f := make(signallingFlusher); with.Join(f) {
					<-f
				}
			}
		})
	}
	joining.Wait()
	over.Store(true)
	handling.Wait()
}
