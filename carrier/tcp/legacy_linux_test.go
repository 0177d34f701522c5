package tcp

import (
	"path/filepath"
	"testing"
	"time"

	"sighub/carrier"
)

// TestLegacyReadsLate: a legacy peer of a Unix socket that reads late finds one message, however long others have waited.
func TestLegacyReadsLate(t *testing.T) {
	answered := make(chan struct{}, 2)
	h := serveHub(t, "unix://"+filepath.Join(t.TempDir(), "hub"), Options{Limits: Limits{LegacyGap: time.Millisecond}},
		func(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
			respond(carrier.Done(m.Params))
			answered <- struct{}{}
		})
	s := h.speaker()
	s.say(`{"id":1,"method":"m","params":1}{"id":2,"method":"m","params":2}`)
	<-answered
	<-answered
	time.Sleep(100 * time.Millisecond) // a hundred gaps, in which the second answer must not go
	for _, want := range []string{`{"id":1,"status":0,"response":1}`, `{"id":2,"status":0,"response":2}`} {
		buf := make([]byte, legacyMax)
		n, err := s.nc.Read(buf)
		if got := string(buf[:n]); err != nil || got != want {
			t.Errorf("one read gives %q, %v, want %q", got, err, want)
		}
	}
}
