package hub_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"sighub/carrier"
	"sighub/hub"
	"sighub/journal"
	"sighub/journal/journaltest"
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

// TestStartReadsNothing: a hub needs no more of its journal when it starts than the journal has read when it was opened, however long
// the last events are; and a sender's connections go on counting.
func TestStartReadsNothing(t *testing.T) {
	disk := journaltest.NewFolder(1)
	open := func() *journal.Journal {
		j, err := journal.OpenFolder(disk, journal.Options{Size: 16 << 20, Segment: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	const highest = 1 << 50 // beyond what the time of day gives
	j := open()
	long := j.NewGroup()
	for i := range 20 {
		long.Add(journal.Event{Topic: journal.Topic{Sender: "room", Event: fmt.Sprint(i)}, Connection: highest, Seq: uint64(i + 1), Data: make([]byte, 10<<10)})
	}
	long.Append(0)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := j.Serve(ctx, func(journal.Ticket, bool) {}); err != nil {
		t.Fatal(err)
	}
	j = open()
	before := disk.Reads()
	n := serveNetwork(t, hub.ServerOptions{Journal: j})
	if reads := disk.Reads() - before; reads > 0 {
		t.Errorf("the start of the hub reads %d times", reads)
	}
	r, leave := n.client(carrier.JSON)
	defer leave()
	if err := n.signal(r, "room").Trigger(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if got := j.LatestConnection(); got != highest+1 {
		t.Errorf("the connection after %d is %d", uint64(highest), got)
	}
}
