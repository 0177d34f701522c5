package hub_test

import (
	"errors"
	"fmt"
	"io"
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
	defer j.Close()
	r := j.Read(journal.Query{Bounded: true})
	defer r.Close()
	entries := make([]journal.Entry, 64)
	for n := 0; err == nil; n, err = r.Next(t.Context(), entries) {
		for _, e := range entries[:n] {
			data := string(e.Data)
			if e.Lost > 0 || e.Back > 0 {
				list = append(list, fmt.Sprintf("lost %d, back %d", e.Lost, e.Back))
				continue
			}
			if e.Event.Event[0] == '#' {
				data = ""
			}
			list = append(list, fmt.Sprintf("%s %s %s", e.Sender, e.Event.Event, data))
		}
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
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
