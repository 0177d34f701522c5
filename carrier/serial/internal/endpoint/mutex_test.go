package endpoint

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"testing"
)

// A lockingHandler takes a lock to handle a record, as a log may that somebody else's callbacks reach.
type lockingHandler struct {
	slog.Handler
	lock sync.Locker
	got  *[]string
}

func (h lockingHandler) Handle(_ context.Context, r slog.Record) error {
	h.lock.Lock()
	defer h.lock.Unlock()
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text = a.Value.String(); return true })
	*h.got = append(*h.got, text)
	return nil
}

// TestMutexLogs: what is logged while a Mutex is held is written in its order, and when the lock is free.
func TestMutexLogs(t *testing.T) {
	var m Mutex
	var got []string
	log := m.Logger(slog.New(lockingHandler{slog.DiscardHandler, &m, &got})).With("port", 1)
	m.Lock()
	log.Info("never") // DiscardHandler is not enabled
	m.Unlock()
	log = m.Logger(slog.New(lockingHandler{enabled{slog.DiscardHandler}, &m, &got}))
	const loggers, each = 4, maxKept / 4 // no more than are kept, however slow the writer is
	next := 0
	var all sync.WaitGroup
	for range loggers {
		all.Go(func() {
			for range each {
				m.Lock()
				log.Info("record", "n", next)
				next++
				m.Unlock()
			}
		})
	}
	all.Wait()
	if len(got) != loggers*each {
		t.Fatalf("%d records of %d were written", len(got), loggers*each)
	}
	for i, message := range got {
		if want := strconv.Itoa(i); message != want {
			t.Fatalf("record %d is %q, want %q", i, message, want)
		}
	}
}

// enabled is a handler that wants everything.
type enabled struct{ slog.Handler }

func (enabled) Enabled(context.Context, slog.Level) bool { return true }

// TestMutexIsBounded: what there is no room for is counted, and the count is logged.
func TestMutexIsBounded(t *testing.T) {
	var m Mutex
	var lock sync.Mutex
	var got []string
	log := m.Logger(slog.New(lockingHandler{enabled{slog.DiscardHandler}, &lock, &got}))
	m.Lock()
	for range maxKept + 7 {
		log.Info("x")
	}
	m.Unlock()
	if len(got) != maxKept+1 || got[maxKept] == "x" {
		t.Errorf("%d records; the last says %q", len(got), got[len(got)-1])
	}
	m.Lock()
	log.Info("again")
	m.Unlock()
	if got[len(got)-1] != "again" {
		t.Errorf("afterwards %q was written", got[len(got)-1])
	}
}
