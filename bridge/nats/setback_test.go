package nats_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sighub/bridge/nats"
	"sighub/hub"
)

// TestSetBack: the server is put back to an older copy of its stream. Hubs that have heard more than it has hear what comes from then on, also
// when they start again.
func TestSetBack(t *testing.T) {
	b := newBroker(t, "")
	o := nats.Options{URL: b.url(), Beat: 200 * time.Millisecond}
	near, far := o, o
	near.Hub, near.Hear, far.Hub = "near", everybody, "kitchen"
	dir := t.TempDir()
	var l heard
	n := openHouse(t, dir, near)
	n.listen(&l)
	until(t, "the one that hears is connected", func() bool { return n.bridge.Status().Connected })
	f := openHouse(t, t.TempDir(), far)
	s := f.sender("pump", hub.SenderOptions{Events: []string{"on"}})
	f.report(s, "on", 1, 10)
	until(t, "what comes first is heard", l.has("kitchen.pump:on 10"))
	f.drained()
	b.stop()
	store, older := filepath.Join(b.folder, "store"), filepath.Join(b.folder, "older")
	if err := os.CopyFS(older, os.DirFS(store)); err != nil {
		t.Fatal(err)
	}
	b.start()
	f.report(s, "on", 11, 200)
	until(t, "what comes then is heard", l.has("kitchen.pump:on 210"))
	f.drained()
	b.stop()
	if err := os.RemoveAll(store); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(older, store); err != nil {
		t.Fatal(err)
	}
	b.start()
	for _, h := range []*house{n, f} {
		until(t, "the bridges are back", func() bool { return h.bridge.Status().Connected })
	}
	defer func() {
		if t.Failed() {
			t.Logf("heard:\n%s", l.all())
		}
	}()
	f.report(s, "on", 211, 10)
	until(t, "what is new is heard", l.has("kitchen.pump:on 220"))
	var once heard
	n.stop()
	n = openHouse(t, dir, near)
	n.listen(&once)
	f.report(s, "on", 221, 10)
	until(t, "what is new is heard", once.has("kitchen.pump:on 230"))
	for number := 211; number <= 230; number++ {
		text := fmt.Sprint("kitchen.pump:on ", number)
		if k := strings.Count(l.all()+"\n"+once.all()+"\n", text+"\n"); k != 1 {
			t.Errorf("%s is heard %d times", text, k)
		}
	}
}

// stop has the server end in order.
func (b *broker) stop() {
	b.t.Helper()
	if err := b.run.Process.Signal(os.Interrupt); err != nil {
		b.t.Fatal(err)
	}
	_ = b.run.Wait()
	b.run = nil
}
