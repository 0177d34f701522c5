package tcp

import (
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
)

// TestRefusedIsLogged: what cannot be read of a client, messages and replies, is counted by cause under the client, and logged.
func TestRefusedIsLogged(t *testing.T) {
	var log lockedLog
	h := serveHub(t, loopback, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}, nil)
	s := h.greeted(Options{})
	c, err := h.Client(h.ctx)
	if err != nil {
		t.Fatal(err)
	}
	s.say(`{"id":1,"status":"x"}{"id":7,"method":tru}`)
	s.hearPart(`"id":7`)
	s.echoes()
	if got, want := c.Refused.Counts(), map[string]uint64{"malformed": 2}; !maps.Equal(got, want) {
		t.Errorf("refused of the client: %v, want %v", got, want)
	}
	for _, want := range []string{`level=WARN msg="a reply cannot be read" client=`, `level=WARN msg="a message is refused" client=`} {
		if text := log.String(); !strings.Contains(text, want) {
			t.Errorf("the log has no %s:\n%s", want, text)
		}
	}
}

type lockedLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
