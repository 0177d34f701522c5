package serial

import (
	"bytes"
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

// wait waits until the log holds a text.
func (l *logBuffer) wait(t testing.TB, text string) {
	t.Helper()
	deadline := time.After(watchdog)
	for {
		l.mu.Lock()
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		changed, found := l.changed, strings.Contains(l.b.String(), text)
		l.mu.Unlock()
		if found {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("%q was not logged:\n%s", text, l.String())
		}
	}
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
