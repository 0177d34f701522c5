package nats_test

import (
	"cmp"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sighub/bridge/nats"
	"sighub/hub"
)

// long returns how long an outage takes: briefly, or as SIGHUB_TEST_OUTAGE says, such as 40s, after which the bridge has taken the server
// to be gone.
func long(t *testing.T) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(cmp.Or(os.Getenv("SIGHUB_TEST_OUTAGE"), "300ms"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// outlast waits until an outage has taken long enough, and for the bridge to notice a long one.
func (h *house) outlast(d time.Duration) {
	h.t.Helper()
	time.Sleep(d) // it is the outage itself
	if noticed := 30 * time.Second; d >= noticed {
		if st := h.bridge.Status(); st.Error == "" || st.Remedy == "" || st.Lag == 0 {
			h.t.Errorf("after %s the bridge says %+v", d, st)
		}
	}
}

// TestStandsStill: the server stands still while much is on its way, and goes on.
func TestStandsStill(t *testing.T) {
	b := newBroker(t, "")
	h := openHouse(t, t.TempDir(), nats.Options{URL: b.url(), Hub: "kitchen", Stream: nats.Stream{MaxBytes: -1}})
	s := h.sender("s0", hub.SenderOptions{Events: []string{"n"}})
	const rounds, each = 3, 5000
	for round := range rounds {
		sent := h.bridge.Status().Sent
		h.report(s, "n", round*each+1, each/2)
		until(t, "something goes up", func() bool { return h.bridge.Status().Sent > sent })
		send(t, b, syscall.SIGSTOP)
		h.report(s, "n", round*each+each/2+1, each/2)
		h.outlast(long(t))
		send(t, b, syscall.SIGCONT)
	}
	h.drained()
	complete(t, b.read(""), 1, rounds*each)
}

func send(t *testing.T, b *broker, s syscall.Signal) {
	t.Helper()
	if err := b.run.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// TestStreamFull: a stream that is full and takes nothing new loses nothing, and the bridge says what to do; when it may have more,
// everything goes up.
func TestStreamFull(t *testing.T) {
	b := newBroker(t, "")
	js, end := jetStream(t, b.url())
	defer end()
	config := jetstream.StreamConfig{
		Name: "sighub", Subjects: []string{"sighub.>"}, AllowBatchPublish: true, AllowDirect: true, Discard: jetstream.DiscardNew, MaxMsgs: 3000,
	}
	if _, err := js.CreateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	h := openHouse(t, t.TempDir(), nats.Options{URL: b.url(), Hub: "kitchen"})
	s := h.sender("s0", hub.SenderOptions{Events: []string{"n"}})
	const n = 5000
	h.report(s, "n", 1, n)
	until(t, "the bridge says that the stream is full", func() bool {
		st := h.bridge.Status()
		return st.Sent == 3000 && strings.Contains(st.Error, "maximum messages") && strings.Contains(st.Remedy, "limits")
	})
	config.MaxMsgs = -1
	if _, err := js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	h.drained()
	complete(t, b.read(""), 1, n)
	if st := h.bridge.Status(); st.Error != "" {
		t.Errorf("the bridge still says %+v", st)
	}
}
