package hub_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"sighub/carrier"
	"sighub/hub"
	"sighub/journal"
)

// kept lists what a journal has, in its order.
func kept(t *testing.T, dir string) (list []string) {
	t.Helper()
	j, err := journal.Open(dir, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := j.Read(0, journal.Filter{})
	defer r.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	note := func(e *journal.Entry) error {
		data := string(e.Data)
		if e.Event.Event[0] == '#' {
			data = ""
		}
		list = append(list, fmt.Sprintf("%s %s %s", e.Sender, e.Event.Event, data))
		return nil
	}
	for err == nil {
		err = r.Next(ctx, note)
	}
	return list
}

// TestKept: what a client reports is in the journal when it is acknowledged, in order, with its sender's coming and going.
func TestKept(t *testing.T) {
	dir := t.TempDir()
	j, err := journal.Open(dir, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := serveNetwork(t, hub.ServerOptions{Journal: j})
	r, stop := n.client(carrier.JSON)
	g := n.signal(r, "room")
	for i := range 3 {
		if err := g.Trigger(t.Context(), i); err != nil {
			t.Fatal(err)
		}
		if h := j.Health(); h.Err != nil {
			t.Fatal(h.Err)
		}
	}
	stop()
	n.stop()
	got := kept(t, dir)
	want := []string{"room #connect ", "room n 0", "room n 1", "room n 2", "room #disconnect "}
	if !slices.Equal(got, want) {
		t.Errorf("kept %q, want %q", got, want)
	}
}
