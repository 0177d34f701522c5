//go:build lockrank

package lockrank

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// panics runs f and returns what it panics with, or "".
func panics(f func()) (message string) {
	defer func() {
		if p := recover(); p != nil {
			message = fmt.Sprint(p)
		}
	}()
	f()
	return ""
}

// TestOrder: locks are taken upwards, never downwards nor beside each other; what was given back is free.
func TestOrder(t *testing.T) {
	var router Mutex[Router]
	var topic, other Mutex[Topic]
	for range 2 { // what was given back does not count
		router.Lock()
		topic.Lock()
		router.Unlock() // in any order
		topic.Unlock()
	}
	topic.Lock()
	if got := panics(router.Lock); !strings.Contains(got, "lockrank.Router is taken while lockrank.Topic is held") {
		t.Errorf("downwards: %q", got)
	}
	if got := panics(other.Lock); !strings.Contains(got, "lockrank.Topic is taken while lockrank.Topic is held") {
		t.Errorf("beside each other: %q", got)
	}
	if got := panics(func() { MustBeFree("a callback runs") }); !strings.Contains(got, "a callback runs while lockrank.Topic") {
		t.Errorf("under a lock: %q", got)
	}
	if got := panics(func() { Logger(slog.New(slog.DiscardHandler)).Info("x") }); !strings.Contains(got, "a log record") {
		t.Errorf("a log under a lock: %q", got)
	}
	free := make(chan string)
	go func() { free <- panics(func() { MustBeFree("another goroutine") }) }()
	if got := <-free; got != "" {
		t.Errorf("another goroutine holds nothing: %q", got)
	}
	topic.Unlock()
	MustBeFree("after all")
	held.Range(func(g, ranks any) bool {
		t.Errorf("goroutine %v holds %v still", g, ranks)
		return true
	})
}
