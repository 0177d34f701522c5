package nats

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"sighub/bridge"
	"sighub/carrier"
	"sighub/hub"
	"sighub/internal/safetext"
)

// A countingHandler is a hub that counts who is there, and takes everything.
type countingHandler struct {
	carrier.SignalHandler // nothing else is called
	there, signals        int
}

func (h *countingHandler) ClientConnected(carrier.Client)                                        { h.there++ }
func (h *countingHandler) ClientDisconnected(carrier.ClientID, error)                            { h.there-- }
func (h *countingHandler) HandleMessage(carrier.ClientID, *carrier.Message, func(carrier.Reply)) {}
func (h *countingHandler) HandleSignals(_ carrier.ClientID, list []carrier.Signal, a carrier.Answers) {
	h.signals += len(list)
	a.Done(len(list))
}

// newCrowd returns what hears others for a handler, with what it logs.
func newCrowd(t *testing.T) (*far, *countingHandler, *bytes.Buffer) {
	t.Helper()
	var logged bytes.Buffer
	b, err := New(Options{URL: "nats://localhost:4222", Hub: "near", Hear: func(string) bool { return true }, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	if err != nil {
		t.Fatal(err)
	}
	h := new(countingHandler)
	b.far.handler = h
	b.far.track.begin("stream", spot{})
	return &b.far, h, &logged
}

// hear has an event be heard.
func (f *far) hear(t *testing.T, hubName, sender, event, data string) {
	t.Helper()
	_, _, last := f.track.at()
	ev := told{place: place{hub: hubName, sender: sender, event: event}, data: []byte(data), sent: bridge.Sent{}}
	var err error
	if ev.entry, err = f.track.add(t.Context(), spot{number: last.number + 1}); err != nil {
		t.Fatal(err)
	}
	ev.moment = moment{1, last.number + 1}
	f.take([]told{ev})
}

// marks is a countingHandler that keeps marks.
type marks struct {
	*countingHandler
	kept map[string]string
}

func (m marks) State(key string) []byte                           { return []byte(m.kept[key]) }
func (m marks) Keep(_ carrier.ClientID, _ carrier.Mark, _ func()) {}

// TestFoundAgain: a hub that comes to mind again has missed what was removed from the stream, unless it was heard behind that.
func TestFoundAgain(t *testing.T) {
	f, h, _ := newCrowd(t)
	f.keeper = marks{h, map[string]string{f.markKey("before"): "stream 5 0", f.markKey("behind"): "stream 11 0", f.markKey("another"): "older 11 0"}}
	f.missed(10)
	for name, missed := range map[string]bool{"before": true, "behind": false, "another": true, "new": false} {
		if found := f.find(name); found.missed != missed {
			t.Errorf("%s has missed something: %t", name, found.missed)
		}
	}
	f.setBack()
	delete(f.hubs, "before")
	if f.find("before").missed {
		t.Error("a hole is known of numbers that are given again")
	}
}

// TestManyNames: somebody publishes in the names of ten times as many hubs as are kept in mind. The first of them are heard, and it is told once that not all are.
// When they have gone, others are heard in their place. Everything is dealt with, whether or not it is heard.
func TestManyNames(t *testing.T) {
	f, h, logged := newCrowd(t)
	for i := range 10 * maxHubs {
		f.hear(t, fmt.Sprint("h", i), "s", "on", "1")
	}
	if len(f.hubs) != maxHubs || h.there != maxHubs || h.signals != maxHubs {
		t.Errorf("%d hubs are known and %d there, with %d events", len(f.hubs), h.there, h.signals)
	}
	if k := strings.Count(logged.String(), "not all other hubs are heard"); k != 1 {
		t.Errorf("it is told %d times", k)
	}
	f.expire(time.Now().Add(time.Hour))
	f.crowded = time.Time{} // as a second later
	f.hear(t, "kitchen", "pump", "on", "1")
	if h.signals != maxHubs+1 || h.there != 1 || len(f.hubs) != maxHubs {
		t.Errorf("then %d hubs are known and %d there, with %d events", len(f.hubs), h.there, h.signals)
	}
	sum := 0
	for _, h := range f.hubs {
		sum += h.bytes
	}
	if sum != f.bytes {
		t.Errorf("%d bytes are counted, and are %d", f.bytes, sum)
	}
	if _, floor, last := f.track.at(); floor != last {
		t.Errorf("what is dealt with ends at %d of %d", floor.number, last.number)
	}
}

// TestManySenders: a hub with more senders, events and longer names than any has, and hubs that say more than there is room for all together, take no more memory
// than there is. What has gone makes room.
func TestManySenders(t *testing.T) {
	f, _, logged := newCrowd(t)
	const others = maxBytes - 20*longestConnection // as if there were more hubs
	f.bytes = others
	for i := range 2 * maxSenders {
		f.hear(t, "many", fmt.Sprint("s", i), "on", "1")
		f.hear(t, "many", "s0", fmt.Sprint("e", i), "1")
	}
	f.hear(t, "many", strings.Repeat("x", safetext.MaxName+1), "on", "1")
	if m := f.hubs["many"]; len(m.senders) != maxSenders || len(m.senders["s0"].Events) != maxEvents {
		t.Errorf("%d senders are known, and %d events of one", len(m.senders), len(m.senders["s0"].Events))
	}
	for range 25 { // a sender that says much, again and again, is no more than once
		f.hear(t, "talker", "s", hub.Connect, `{"units":{"x":"`+strings.Repeat("x", longestConnection-100)+`"}}`)
		f.hear(t, "talker", "s", "more", "1")
	}
	f.hear(t, "talker", "s", hub.Connect, `{"units":{"y":"`+strings.Repeat("x", longestConnection)+`"}}`)
	if h := f.hubs["talker"]; h.senders["s"].Units["x"] == "" || h.bytes > longestConnection+4*nameCost {
		t.Errorf("of one that repeats itself, %d bytes are counted", h.bytes)
	}
	if strings.Contains(logged.String(), "not all other hubs are heard") {
		t.Error(logged)
	}
	for i := range 25 {
		f.hear(t, fmt.Sprint("h", i), "s", hub.Connect, `{"units":{"x":"`+strings.Repeat("x", longestConnection-100)+`"}}`)
	}
	sum := others
	for _, h := range f.hubs {
		sum += h.bytes
	}
	if sum != f.bytes || sum > maxBytes || sum < maxBytes-longestConnection {
		t.Errorf("%d bytes are counted, and are %d", f.bytes, sum)
	}
	if k := strings.Count(logged.String(), "not all other hubs are heard"); k != 1 {
		t.Errorf("it is told %d times", k)
	}
}
