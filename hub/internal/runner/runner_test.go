package runner

import (
	"sync"
	"testing"
	"testing/synctest"
)

// TestRunnerIsClosed: what a runner took before it was closed is run, and nothing after that is taken, so that whoever waits
// for its goroutine waits once.
func TestRunnerIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tasks sync.WaitGroup
		r := Runner{Tasks: &tasks}
		gate, ran := make(chan struct{}), 0
		for range 2 {
			if !r.Do(func() { <-gate; ran++ }) {
				t.Fatal("an open runner takes nothing")
			}
		}
		synctest.Wait()
		r.Close()
		if r.Do(func() { t.Error("this is run") }) {
			t.Error("a closed runner that is busy takes a function")
		}
		close(gate)
		tasks.Wait()
		if ran != 2 {
			t.Errorf("%d functions were run, want 2", ran)
		}
		if r.Do(func() { t.Error("this is run") }) {
			t.Error("a closed runner that is idle takes a function")
		}
		tasks.Wait()
	})
}
