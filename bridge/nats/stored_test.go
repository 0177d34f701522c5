package nats_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sighub/bridge/nats"
	"sighub/hub"
)

// TestOlderCopy: the hub's journal is replaced by an older copy of itself, as by a backup of its disk. Its new events have the positions of
// others that the stream has, and go up all the same: whether there are fewer of them than of those, or more.
func TestOlderCopy(t *testing.T) {
	for _, more := range []int{50, 300} {
		t.Run(fmt.Sprint(more), func(t *testing.T) {
			b := newBroker(t, "")
			o := nats.Options{URL: b.url(), Hub: "kitchen"}
			dir := t.TempDir()
			live, older := filepath.Join(dir, "live"), filepath.Join(dir, "older")
			run := func(dir string, first, n int) {
				h := openHouse(t, dir, o)
				s := h.sender("s0", hub.SenderOptions{Events: []string{"n"}})
				h.report(s, "n", first, n)
				if b.run == nil {
					h.drainedNot(t)
					b.start()
				}
				h.drained()
				h.stop()
			}
			run(live, 1, 100)
			if err := os.CopyFS(older, os.DirFS(live)); err != nil {
				t.Fatal(err)
			}
			run(live, 101, 100)
			b.kill()
			run(older, 201, more)
			run(older, 201+more, 10) // it has another name from now on
			complete(t, b.read("sighub.kitchen.-.s0.n"), 1, 210+more)
		})
	}
}

// TestStreamRemoved: a stream that is removed is made again at once, and has what comes from then on. One that may have no batches any more
// is allowed them again.
func TestStreamRemoved(t *testing.T) {
	b := newBroker(t, "")
	h := openHouse(t, t.TempDir(), nats.Options{URL: b.url(), Hub: "kitchen"})
	s := h.sender("s0", hub.SenderOptions{Events: []string{"n"}})
	h.report(s, "n", 1, 100)
	h.drained()
	js, end := jetStream(t, b.url())
	defer end()
	if err := js.DeleteStream(context.Background(), "sighub"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	h.report(s, "n", 101, 100)
	h.drained()
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("it took %s", d)
	}
	st, err := js.Stream(context.Background(), "sighub")
	if err != nil {
		t.Fatal(err)
	}
	c := st.CachedInfo().Config
	c.AllowBatchPublish = false
	if _, err := js.UpdateStream(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	h.report(s, "n", 201, 100)
	h.drained()
	if list := b.read("sighub.kitchen.-.s0.n"); len(list) != 200 || list[0].data != "101" || list[199].data != "300" {
		t.Errorf("%d messages", len(list))
	}
}

// TestRemedies: whoever has configured what the server does not have is told what to change.
func TestRemedies(t *testing.T) {
	b := newBroker(t, "")
	for name, one := range map[string]struct {
		o    nats.Options
		says string
	}{
		"no stream":  {nats.Options{URL: b.url(), Stream: nats.Stream{Existing: true}}, "leave out existing"},
		"no cluster": {nats.Options{URL: b.url(), Stream: nats.Stream{Replicas: 3}}, "leave out replicas"},
		"no TLS":     {nats.Options{URL: "tls" + b.url()[len("nats"):]}, "write nats://"},
	} {
		t.Run(name, func(t *testing.T) {
			one.o.Hub = "kitchen"
			h := openHouse(t, t.TempDir(), one.o)
			until(t, "there is an error", func() bool { return h.bridge.Status().Error != "" })
			if st := h.bridge.Status(); !strings.Contains(st.Remedy, one.says) {
				t.Errorf("%s: %s", st.Error, st.Remedy)
			}
		})
	}
}
