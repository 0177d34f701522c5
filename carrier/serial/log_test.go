package serial

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A logBuffer is a log that a test can wait for.
type logBuffer struct {
	mu      sync.Mutex
	b       bytes.Buffer
	changed chan struct{}
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
	return l.b.Write(p)
}

// wait waits until the log holds one of these texts.
func (l *logBuffer) wait(t testing.TB, texts ...string) {
	t.Helper()
	deadline := time.After(watchdog)
	for {
		l.mu.Lock()
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		changed, log := l.changed, l.b.String()
		l.mu.Unlock()
		if slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(log, text) }) {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("%s was not logged:\n%s", strings.Join(texts, " or "), l.String())
		}
	}
}

func (l *logBuffer) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
