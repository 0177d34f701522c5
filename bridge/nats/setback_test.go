package nats_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sighub/bridge/nats"
	"sighub/hub"
)

// TestSetBack: the server is put back to an older copy of its stream. Hubs that have heard more than it has hear everything that comes from
// then on, and nothing twice that is sent up again, whether they are back before that or start after it.
func TestSetBack(t *testing.T) {
	for name, test := range map[string]struct {
		late   bool
		change func(*nats.Options)
	}{
		"back before it is sent again": {false, func(*nats.Options) {}},
		"started after that":           {true, func(*nats.Options) {}},
		"what happens now goes first":  {true, func(o *nats.Options) { o.Live = true }},
		"the sender goes first":        {true, func(o *nats.Options) { o.First = []func(string) bool{func(s string) bool { return s == "pump" }} }},
	} {
		t.Run(name, func(t *testing.T) { setBack(t, test.late, test.change) })
	}
}

func setBack(t *testing.T, late bool, change func(*nats.Options)) {
	b := newBroker(t, "")
	o := nats.Options{URL: b.url(), Beat: 200 * time.Millisecond}
	near, far := o, o
	near.Hub, near.Hear, far.Hub = "near", everybody, "kitchen"
	change(&far)
	dir, farDir := t.TempDir(), t.TempDir()
	var l heard
	n := openHouse(t, dir, near)
	n.listen(&l)
	until(t, "the one that hears is connected", func() bool { return n.bridge.Status().Connected })
	open := func() (*house, *hub.Sender) {
		f := openHouse(t, farDir, far)
		return f, f.sender("pump", hub.SenderOptions{Events: []string{"on"}})
	}
	f, s := open()
	f.report(s, "on", 1, 10)
	until(t, "what comes first is heard", l.has("kitchen.pump:on 10"))
	f.drained()
	b.copyStore()
	f.report(s, "on", 11, 400)
	until(t, "what comes then is heard", l.has("kitchen.pump:on 410"))
	f.drained()
	f.stop()
	if late {
		until(t, "it is kept what was heard, and when", func() bool { return n.heardUpTo() >= 411 })
		n.stop()
	}
	b.backToCopy()
	if late {
		other := o
		other.Hub = "shed" // its events have the numbers of those that are gone
		f := openHouse(t, t.TempDir(), other)
		f.report(f.sender("lamp", hub.SenderOptions{Events: []string{"on"}}), "on", 1, 500)
		f.drained()
	} else {
		until(t, "the one that hears is back", func() bool { return n.bridge.Status().Connected })
	}
	f, s = open()
	f.report(s, "on", 411, 10)
	f.drained()
	if late {
		n = openHouse(t, dir, near)
		n.listen(&l)
	}
	until(t, "what is new is heard", l.has("kitchen.pump:on 420"))
	n.stop()
	n = openHouse(t, dir, near)
	n.listen(&l)
	f.report(s, "on", 421, 10)
	until(t, "what is new is heard", l.has("kitchen.pump:on 430"))
	all := l.all() + "\n"
	if k := strings.Count(all, "shed.lamp:on "); late && k != 500 {
		t.Errorf("of the other hub, %d events are heard", k)
	}
	for number := 1; number <= 430; number++ {
		text := fmt.Sprint("kitchen.pump:on ", number)
		if k := strings.Count(all, text+"\n"); k != 1 {
			t.Errorf("%s is heard %d times", text, k)
		}
	}
}

// TestLostTail: a server that was put back to an older copy of its stream, as by a loss of power, has everything again that it had
// acknowledged, once and in order, also if the hub was away meanwhile.
func TestLostTail(t *testing.T) {
	for name, away := range map[string]bool{"the hub is there": false, "the hub starts": true} {
		t.Run(name, func(t *testing.T) {
			b, dir := newBroker(t, ""), t.TempDir()
			var logged bytes.Buffer
			o := nats.Options{URL: b.url(), Hub: "kitchen", Logger: slog.New(slog.NewTextHandler(&logged, nil))}
			h := openHouse(t, dir, o)
			s := h.sender("s0", hub.SenderOptions{Events: []string{"n"}})
			h.report(s, "n", 1, 10)
			h.drained()
			b.copyStore()
			h.report(s, "n", 11, 190)
			h.drained()
			if away {
				h.stop()
			}
			b.backToCopy()
			if away {
				h = openHouse(t, dir, o)
				s = h.sender("s0", hub.SenderOptions{Events: []string{"n"}})
			}
			h.report(s, "n", 201, 10)
			until(t, "the stream has everything", func() bool { return len(b.read("sighub.kitchen.-.s0.n")) >= 210 })
			h.drained()
			complete(t, b.read("sighub.kitchen.>"), 1, 210)
			h.stop()
			if !strings.Contains(logged.String(), "the stream has lost events that it had acknowledged") {
				t.Error(&logged)
			}
		})
	}
}

// TestLostTailLive: the same in the middle of a backlog behind which newer events have gone ahead: what had gone ahead then is known, and what
// has gone up since goes up again.
func TestLostTailLive(t *testing.T) {
	b, dir := newBroker(t, ""), t.TempDir()
	o := nats.Options{URL: b.url(), Hub: "kitchen", Live: true, Rate: 100}
	open := func() (*house, *hub.Sender) {
		h := openHouse(t, dir, o)
		return h, h.sender("s0", hub.SenderOptions{Events: []string{"n"}})
	}
	h, s := open()
	h.report(s, "n", 1, 10)
	h.drained()
	b.kill()
	h.report(s, "n", 11, 5000)
	h.drainedNot(t)
	b.start()
	until(t, "some of it has gone up", func() bool { return h.bridge.Status().Sent > 50 })
	h.report(s, "n", 5011, 20)
	until(t, "what happens now has gone ahead", func() bool { return lanesOf(t, b.read("sighub.kitchen.>")).seen["s0"][5030] })
	b.copyStore()
	older := lanesOf(t, b.read("sighub.kitchen.>"))
	h.stop()
	o.Rate = 0
	h, s = open()
	h.report(s, "n", 5031, 20)
	h.drained()
	b.backToCopy()
	h.report(s, "n", 5051, 20)
	until(t, "the stream has everything", func() bool { return len(lanesOf(t, b.read("sighub.kitchen.>")).seen["s0"]) == 5070 })
	h.drained()
	all := lanesOf(t, b.read("sighub.kitchen.>"))
	all.complete(1)
	if n := len(older.seen["s0"]); n > 4900 || older.late == 0 || !older.seen["s0"][5030] {
		t.Errorf("the copy has %d events, of which %d are late: it is not in the middle", n, older.late)
	}
}

// TestOldOfItsOwn: a hub that hears others has its own last event no more in its journal. It connects again, and starts again, and tells no gap, for
// nothing of its own is missing. If the stream has lost that event, it tells one.
func TestOldOfItsOwn(t *testing.T) {
	b := newBroker(t, "")
	o := nats.Options{URL: b.url(), Beat: 200 * time.Millisecond}
	near, far := o, o
	near.Hub, near.Hear, far.Hub = "near", everybody, "kitchen"
	dir := t.TempDir()
	var n *house
	var own *hub.Sender
	open := func() {
		n = openSmallHouse(t, dir, near)
		own = n.sender("lamp", hub.SenderOptions{Events: []string{"n"}})
	}
	open()
	n.report(own, "n", 1, 1)
	n.drained()
	b.copyStore()
	n.report(own, "n", 2, 1)
	n.drained()
	first, f := n.kept.Oldest(), openHouse(t, t.TempDir(), far)
	pump := f.sender("pump", hub.SenderOptions{Events: []string{"text"}})
	text, err := pump.Signal("text")
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 2000)
	until(t, "its own events are in its journal no more", func() bool {
		for range 100 {
			if err := text.Trigger(t.Context(), long); err != nil {
				t.Fatal(err)
			}
		}
		return first.Before(n.kept.Oldest()) && n.kept.End().Sequence > 2000
	})
	f.drained()
	n.drained()
	gaps := func() (k int) {
		for _, m := range b.read("sighub.near.>") {
			if strings.HasSuffix(m.subject, "."+hub.Gap) {
				k++
			}
		}
		return k
	}
	b.kill()
	b.start()
	n.report(own, "n", 3, 1)
	n.drained()
	n.stop()
	open()
	n.report(own, "n", 4, 1)
	n.drained()
	complete(t, rowsOf(b.read("sighub.near.-.lamp.n"), "lamp"), 1, 4)
	if k := gaps(); k != 0 {
		t.Errorf("%d gaps are told although nothing is missing", k)
	}
	n.stop()
	b.backToCopy()
	open()
	n.report(own, "n", 5, 1)
	n.drained()
	if k := gaps(); k == 0 {
		t.Error("no gap is told of what the stream has lost")
	}
}

// copyStore copies what the server has on disk.
func (b *broker) copyStore() {
	b.t.Helper()
	b.stop()
	if err := os.CopyFS(filepath.Join(b.folder, "older"), os.DirFS(filepath.Join(b.folder, "store"))); err != nil {
		b.t.Fatal(err)
	}
	b.start()
}

// backToCopy puts the server back to the copy.
func (b *broker) backToCopy() {
	b.t.Helper()
	b.stop()
	store := filepath.Join(b.folder, "store")
	if err := os.RemoveAll(store); err != nil {
		b.t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(b.folder, "older"), store); err != nil {
		b.t.Fatal(err)
	}
	b.start()
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
