package hub_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/hub"
	"sighub/journal"
	"sighub/journal/folder"
	"sighub/journal/journaltest"
)

// history collects what History yields.
func (k *keeper) history(r *hub.ClientRouter, q hub.HistoryQuery) (lines []string, events []hub.Event) {
	k.t.Helper()
	for ev, err := range r.History(k.ctx, q) {
		if err != nil {
			k.t.Fatal(err)
		}
		line := ev.Sender + " " + ev.Name
		if ev.Name == "n" {
			line += " " + ev.Data.String()
		}
		lines, events = append(lines, line), append(events, ev)
	}
	return lines, events
}

// TestHistory: what of the past is answered, page by page, in either format.
func TestHistory(t *testing.T) {
	k := newKeeper(t, hub.ServerOptions{})
	sender, _ := k.client(carrier.CBOR)
	g, other := k.signal(sender, "s"), k.signal(sender, "t")
	begin := time.Now().Add(-time.Hour).Truncate(time.Second)
	const count = 2500
	for i := range count {
		if err := g.TriggerAsyncAt(k.ctx, i, begin.Add(time.Duration(i)*time.Second), time.Millisecond, nil); err != nil {
			t.Fatal(err)
		}
		if i%10 == 0 {
			k.trigger(other, i, i+1)
		}
	}
	if err := g.TriggerAt(k.ctx, count, begin.Add(count*time.Second), 0); err != nil {
		t.Fatal(err)
	}
	for _, codec := range []carrier.Codec{carrier.CBOR, carrier.JSON} {
		r, _ := k.client(codec)
		lines, events := k.history(r, hub.HistoryQuery{Sender: "s", Event: "n"})
		wantLines(t, lines, numbers("s", 0, count+1)...)
		for i, ev := range events[:count] {
			if !ev.Time.Equal(begin.Add(time.Duration(i)*time.Second)) || ev.Seq != uint64(i+2) || ev.Uncertainty != time.Millisecond ||
				ev.Position.IsZero() || ev.Connection == 0 {
				t.Fatalf("%s: %+v", codec.Name(), ev)
			}
		}
		at := func(i int) string { return begin.Add(time.Duration(i) * time.Second).UTC().Format(time.RFC3339) }
		lines, _ = k.history(r, hub.HistoryQuery{Sender: "s", From: at(100), To: at(1300)})
		wantLines(t, lines, numbers("s", 100, 1300)...)
		lines, _ = k.history(r, hub.HistoryQuery{Sender: "s", Event: "n", After: events[2490].Position})
		wantLines(t, lines, numbers("s", 2491, count+1)...)
		lines, _ = k.history(r, hub.HistoryQuery{Sender: "s", Event: "n", From: at(1200), After: events[100].Position, To: at(1210)})
		wantLines(t, lines, numbers("s", 1200, 1210)...)
		lines, _ = k.history(r, hub.HistoryQuery{Sender: "nobody"})
		wantLines(t, lines)
		n := 0
		for ev, err := range r.History(k.ctx, hub.HistoryQuery{Sender: "s", Event: "n"}) {
			if err != nil || ev.Name != "n" {
				t.Fatal(ev, err)
			}
			if n++; n == 3 {
				break
			}
		}
		for _, bad := range []hub.HistoryQuery{{}, {Sender: "s", From: "x"}, {Sender: "s", To: "tomorrow"}} {
			for _, err := range r.History(k.ctx, bad) {
				if !errors.Is(err, hub.ErrArguments) {
					t.Errorf("%+v: %v", bad, err)
				}
			}
		}
		if _, err := r.Call(k.ctx, "history", map[string]any{"sender": "s", "limit": uint64(math.MaxUint64)}); err != nil {
			t.Error(err)
		}
	}
}

// TestBuckets: what sums up an event of the past, on one page or several.
func TestBuckets(t *testing.T) {
	k := newKeeper(t, hub.ServerOptions{})
	sender, _ := k.client(carrier.CBOR)
	g := k.signal(sender, "s")
	begin := time.Now().Add(-100 * time.Hour).Truncate(time.Hour)
	for i := range 9000 { // two a minute: more than two pages
		if err := g.TriggerAsyncAt(k.ctx, i, begin.Add(time.Duration(i)*30*time.Second), 0, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.TriggerAt(k.ctx, "not a number", begin, 0); err != nil {
		t.Fatal(err)
	}
	for _, codec := range []carrier.Codec{carrier.CBOR, carrier.JSON} {
		r, _ := k.client(codec)
		for _, step := range []time.Duration{time.Minute, time.Hour} {
			i, each := 0, int(step/(30*time.Second))
			for b, err := range r.Buckets(k.ctx, hub.HistoryQuery{Sender: "s", Event: "n", Every: step}) {
				if err != nil {
					t.Fatal(err)
				}
				first, last := float64(i*each), float64((i+1)*each-1)
				if want := (hub.Bucket{Time: b.Time, Min: first, Max: last, Mean: (first + last) / 2, Last: last, Count: uint64(each)}); b != want ||
					!b.Time.Equal(begin.Add(time.Duration(i)*step)) {
					t.Fatalf("%+v, want %+v", b, want)
				}
				i++
			}
			if i != 9000/each {
				t.Errorf("%d buckets of %v", i, step)
			}
		}
		for b, err := range r.Buckets(k.ctx, hub.HistoryQuery{Sender: "s", Event: "n", Every: time.Minute}) {
			if err != nil || !b.Time.Equal(begin) {
				t.Errorf("%+v, %v", b, err)
			}
			break // while the next page is asked for
		}
		ctx, cancel := context.WithCancel(k.ctx)
		defer cancel()
		n := 0
		for _, err := range r.Buckets(ctx, hub.HistoryQuery{Sender: "s", Event: "n", Every: time.Minute}) {
			if n++; n == 1 {
				cancel()
			}
			if err != nil && (!errors.Is(err, context.Canceled) || n <= 1) {
				t.Errorf("after %d: %v", n, err)
			}
		}
		for _, every := range []any{"1s", 0, 59_999, "x", "90s", "1000000d", -60000, true, []int{1}} {
			_, err := r.Call(k.ctx, "history", map[string]any{"sender": "s", "event": "n", "every": every})
			if !errors.Is(err, hub.ErrArguments) {
				t.Errorf("every %v: %v", every, err)
			}
		}
		for key, bad := range map[string]any{"from": []int{1, 5}, "to": "start", "after": []int{1, 5}} {
			_, err := r.Call(k.ctx, "history", map[string]any{"sender": "s", "event": "n", "every": "1h", key: bad})
			if !errors.Is(err, hub.ErrArguments) {
				t.Errorf("%s %v: %v", key, bad, err)
			}
		}
		for _, bad := range []any{"start", []int{0, 0}, []int{1, 5}} {
			if _, err := r.Call(k.ctx, "history", map[string]any{"sender": "s", "to": bad}); !errors.Is(err, hub.ErrArguments) {
				t.Errorf("to %v: %v", bad, err)
			}
		}
		if v, err := r.Call(k.ctx, "history", map[string]any{"sender": "s", "event": "n", "every": "1h", "from": "now"}); err != nil || v.String() != `{"buckets":[],"next":null}` {
			t.Errorf("from now: %s, %v", v, err)
		}
		v, err := r.Call(k.ctx, "history", map[string]any{"sender": "s", "event": "n", "every": "1h", "limit": 2})
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{`"time":` + in(codec, begin), `"mean":59.5`, `"count":120`, `"next":` + in(codec, begin.Add(2*time.Hour))} {
			if !strings.Contains(v.String(), part) {
				t.Errorf("%s: %s, without %s", codec.Name(), v, part)
			}
		}
	}
}

// in returns a time as it is told in a codec.
func in(c carrier.Codec, t time.Time) string {
	if c == carrier.JSON {
		return fmt.Sprintf("%q", t.UTC().Format(time.RFC3339Nano))
	}
	return fmt.Sprint(t.UnixNano())
}

// TestNoJournal: a hub without a journal says so, and listens as before.
func TestNoJournal(t *testing.T) {
	n := serveNetwork(t, hub.ServerOptions{})
	r, _ := n.client(carrier.CBOR)
	for _, o := range []hub.ListenerOptions{{Cursor: "c"}, {From: "start"}, {Last: true}} {
		if _, err := r.AddRemoteListenerWith(n.ctx, "s", "n", o, func(hub.Event) {}); !errors.Is(err, hub.ErrNoJournal) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for _, method := range []string{"history", "get_position", "list_cursors", "remove_cursor", "acknowledge"} {
		params := map[string]any{"sender": "s", "cursor": "c", "position": []int{1, 2}}
		if _, err := r.Call(n.ctx, method, params); !errors.Is(err, hub.ErrNoJournal) && method != "acknowledge" {
			t.Errorf("%s: %v", method, err)
		}
	}
	if _, err := r.AddRemoteListener(n.ctx, "s", "n", func(hub.Event) {}); err != nil {
		t.Error(err)
	}
}

// A slowFolder takes its time for each read.
type slowFolder struct{ folder.Folder }

type slowFile struct{ folder.File }

func (f slowFolder) Open(name string) (folder.File, error) {
	file, err := f.Folder.Open(name)
	return slowFile{file}, err
}

func (f slowFile) ReadAt(p []byte, off int64) (int, error) {
	time.Sleep(5 * time.Millisecond)
	return f.File.ReadAt(p, off)
}

// TestHistoryInParts: a client that asks for a time from which there is nothing does not make the hub read all of a large journal at
// once; and it comes to the end of it.
func TestHistoryInParts(t *testing.T) {
	disk := journaltest.NewFolder(1)
	j, err := journal.OpenFolder(slowFolder{disk}, journal.Options{Size: 16 << 20, Segment: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 800 { // a clock that was not set is in each frame
		g := j.NewGroup()
		for _, at := range []time.Time{time.Unix(1, 0), time.Now()} {
			g.Add(journal.Event{Topic: journal.Topic{Sender: "s", Event: "n"}, Connection: 1, Seq: uint64(i + 1), Time: at.UnixNano(), Data: make([]byte, 5<<10)})
		}
		g.Append(0)
	}
	n := serveNetwork(t, hub.ServerOptions{Journal: j})
	r, leave := n.client(carrier.CBOR)
	defer leave()
	if err := j.Sync(n.ctx); err != nil {
		t.Fatal(err)
	}
	before := disk.ReadBytes()
	params := carrier.Object{{Key: "sender", Value: "s"}, {Key: "from", Value: "1980-01-01T00:00:00Z"}, {Key: "to", Value: "1981-01-01T00:00:00Z"}}
	pages, most := 0, int64(0)
	for next := any(nil); pages == 0 || next != nil; pages++ {
		at := disk.ReadBytes()
		v, err := r.Call(n.ctx, "history", append(params, carrier.Field{Key: "after", Value: next}))
		if err != nil {
			t.Fatal(err)
		}
		var answer map[string]any
		if err := v.Decode(&answer); err != nil || len(answer["events"].([]any)) > 0 {
			t.Fatal(answer, err)
		}
		most, next = max(most, disk.ReadBytes()-at), answer["next"]
	}
	if all := disk.ReadBytes() - before; most > 3<<20 || all < 8<<20 || pages < 3 {
		t.Errorf("%d pages have read %d bytes, one of them %d", pages, all, most)
	}
}
