package nats_test

import (
	"cmp"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"sighub/bridge/nats"
	"sighub/hub"
)

// TestDrain: what is reported while the server is away is in the stream once and in order, soon after it is back.
// SIGHUB_TEST_DRAIN says how many events that are.
func TestDrain(t *testing.T) {
	n, err := strconv.Atoi(cmp.Or(os.Getenv("SIGHUB_TEST_DRAIN"), "10000"))
	if err != nil {
		t.Fatal(err)
	}
	const senders, before = 10, 10
	b := newBroker(t, "")
	h := openHouse(t, t.TempDir(), nats.Options{URL: b.url(), Hub: "kitchen", Stream: nats.Stream{MaxBytes: -1}})
	var all []*hub.Sender
	for i := range senders {
		all = append(all, h.sender(fmt.Sprint("s", i), hub.SenderOptions{Events: []string{"n"}}))
		h.report(all[i], "n", 1, before)
	}
	h.drained()
	b.kill()
	each := n / senders
	for done := 0; done < each; {
		some := min(100, each-done)
		for _, s := range all {
			h.report(s, "n", before+done+1, some)
		}
		done += some
	}
	h.drainedNot(t)
	sent := h.bridge.Status().Sent
	b.start()
	until(t, "the bridge is back", func() bool { return h.bridge.Status().Sent > sent })
	begun := time.Now()
	h.drained()
	took := time.Since(begun)
	t.Logf("%d events that waited are in the stream in %s: %.0f events/s; the server has %s", n, took.Round(time.Millisecond), float64(n)/took.Seconds(), b.memory())
	complete(t, b.read(""), senders, before+each)
}
