package hub_test

import (
	"strings"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/hub"
)

// TestFromAcrossSegments: a listener from a time on begins in front of the first event since, however many segments of the journal
// lie before it, and not in one of them.
func TestFromAcrossSegments(t *testing.T) {
	k := newKeeper(t, hub.ServerOptions{})
	r, _ := k.client(carrier.CBOR)
	g, begin := k.signal(r, "s"), time.Now().Add(time.Hour).Truncate(time.Second) // #connect is before
	const count, at = 250, 240
	for i := range count { // 5 MB, in segments of 1 MiB
		if err := g.TriggerAt(k.ctx, strings.Repeat("x", 20_000), begin.Add(time.Duration(i)*time.Second), 0); err != nil {
			t.Fatal(err)
		}
	}
	_, events := k.history(r, hub.HistoryQuery{Sender: "s", Event: "n"})
	if len(events) != count {
		t.Fatalf("%d events are on record", len(events))
	}
	v, err := r.Call(k.ctx, "add_listener", carrier.Object{
		{Key: "sender", Value: "s"}, {Key: "event", Value: "n"}, {Key: "from", Value: begin.Add(at * time.Second).Format(time.RFC3339)},
	})
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Position hub.Position `json:"position"`
	}
	if err := v.Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if got, want := answer.Position.Sequence, events[at].Position.Sequence-1; got != want {
		t.Errorf("it begins behind event %d, not %d", got, want)
	}
}
