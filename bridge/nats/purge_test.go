package nats_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sighub/bridge/nats"
	"sighub/hub"
)

// TestPurge: somebody removes a part of the stream, by subject or all but the latest messages, while the hubs are there or away. What comes then is in the
// stream once and in order. The latest messages of a hub, if these were removed, are there again, once. Who has heard them hears nothing twice.
func TestPurge(t *testing.T) {
	for name, test := range map[string]struct {
		how  jetstream.StreamPurgeOpt
		away bool
		want string // of the two senders, from which of the first hundred numbers on
	}{
		"the subject of the latest":          {jetstream.WithPurgeSubject("sighub.kitchen.-.s1.n"), false, "1 1"},
		"that senders have gone, away":       {jetstream.WithPurgeSubject("sighub.kitchen.-.*.#disconnect"), true, "1 1"},
		"another subject":                    {jetstream.WithPurgeSubject("sighub.kitchen.-.s0.n"), false, "101 1"},
		"all but the latest ten":             {jetstream.WithPurgeKeep(10), false, "101 91"},
		"all but the latest ten, away":       {jetstream.WithPurgeKeep(10), true, "101 93"}, // the ends of both are behind
		"those in front of a number":         {jetstream.WithPurgeSequence(53), false, "51 1"},
		"everything":                         {func(*jetstream.StreamPurgeRequest) error { return nil }, false, "101 101"},
		"everything, and the hubs were away": {func(*jetstream.StreamPurgeRequest) error { return nil }, true, "101 101"},
	} {
		t.Run(name, func(t *testing.T) { purge(t, test.how, test.away, test.want) })
	}
}

// removeFrom removes messages from the stream.
func removeFrom(t *testing.T, b *broker, how jetstream.StreamPurgeOpt) {
	t.Helper()
	js, end := jetStream(t, b.url())
	defer end()
	st, err := js.Stream(t.Context(), "sighub")
	if err == nil {
		err = st.Purge(t.Context(), how)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func purge(t *testing.T, how jetstream.StreamPurgeOpt, away bool, want string) {
	b := newBroker(t, "")
	near := nats.Options{URL: b.url(), Hub: "near", Hear: everybody, Beat: 200 * time.Millisecond}
	far := nats.Options{URL: b.url(), Hub: "kitchen", Beat: 200 * time.Millisecond}
	dir, farDir := t.TempDir(), t.TempDir()
	var l heard
	var n, f *house
	var senders [2]*hub.Sender
	open := func() {
		n = openHouse(t, dir, near)
		n.listen(&l)
		until(t, "the one that hears is connected", func() bool { return n.bridge.Status().Connected })
		f = openHouse(t, farDir, far)
		for i := range senders {
			senders[i] = f.sender(fmt.Sprint("s", i), hub.SenderOptions{Events: []string{"n"}})
		}
	}
	hears := func(upTo int) {
		t.Helper()
		for i := range senders {
			until(t, "all is heard", l.has(fmt.Sprintf("kitchen.s%d:n %d", i, upTo)))
		}
	}
	open()
	f.report(senders[0], "n", 1, 100)
	f.report(senders[1], "n", 1, 100)
	f.drained()
	hears(100)
	if away {
		f.stop()
		n.stop()
	}
	removeFrom(t, b, how)
	if away {
		open()
	}
	for _, s := range senders {
		f.report(s, "n", 101, 100)
	}
	f.drained()
	hears(200)
	var from [2]int
	if _, err := fmt.Sscan(want, &from[0], &from[1]); err != nil {
		t.Fatal(err)
	}
	for i, first := range from {
		next := first
		for _, m := range b.read(fmt.Sprintf("sighub.kitchen.-.s%d.n", i)) {
			if m.data != strconv.Itoa(next) {
				t.Fatalf("s%d: %s is there where %d should be", i, m.data, next)
			}
			next++
		}
		if next != 201 {
			t.Errorf("s%d: %d is missing", i, next)
		}
	}
	all := l.all() + "\n"
	for i := range senders {
		for number := 1; number <= 200; number++ {
			if k := strings.Count(all, fmt.Sprintf("kitchen.s%d:n %d\n", i, number)); k != 1 {
				t.Errorf("%d of s%d is heard %d times", number, i, k)
			}
		}
	}
}

// TestPurgedUnheard: what somebody removes from the stream before a hub has heard it is told there as a gap, wherever in the stream it was. What was heard, and
// what is there, is not.
func TestPurgedUnheard(t *testing.T) {
	for name, test := range map[string]struct {
		how jetstream.StreamPurgeOpt
		gap bool
	}{
		"what was heard":       {jetstream.WithPurgeSequence(50), false},
		"some in the middle":   {jetstream.WithPurgeSubject("sighub.kitchen.-.s0.n"), true},
		"all but the last ten": {jetstream.WithPurgeKeep(10), true},
		"everything":           {func(*jetstream.StreamPurgeRequest) error { return nil }, true},
	} {
		t.Run(name, func(t *testing.T) { purgeUnheard(t, test.how, test.gap) })
	}
}

func purgeUnheard(t *testing.T, how jetstream.StreamPurgeOpt, gap bool) {
	b := newBroker(t, "")
	near := nats.Options{URL: b.url(), Hub: "near", Hear: everybody, Beat: 200 * time.Millisecond}
	dir := t.TempDir()
	n := openHouse(t, dir, near)
	until(t, "the one that hears is connected", func() bool { return n.bridge.Status().Connected })
	f := openHouse(t, t.TempDir(), nats.Options{URL: b.url(), Hub: "kitchen", Beat: 200 * time.Millisecond})
	var l, l2 heard
	n.listen(&l)
	s0, s1 := f.sender("s0", hub.SenderOptions{Events: []string{"n"}}), f.sender("s1", hub.SenderOptions{Events: []string{"n"}})
	f.report(s0, "n", 1, 100)
	until(t, "all is heard", l.has("kitchen.s0:n 100"))
	if !gap {
		until(t, "it is kept that all is heard", func() bool { return n.heardUpTo() >= 101 })
	}
	n.stop()
	f.report(s0, "n", 101, 100)
	f.report(s1, "n", 1, 100)
	f.drained()
	removeFrom(t, b, how)
	b.stop()
	n = openHouse(t, dir, near)
	n.listen(&l2) // before it hears anything
	b.start()
	f.report(s0, "n", 201, 1)
	f.report(s1, "n", 101, 1)
	until(t, "what comes then is heard", func() bool { return l2.has("kitchen.s0:n 201")() && l2.has("kitchen.s1:n 101")() })
	if gap {
		until(t, "a gap is told", l2.has(":#gap"))
	} else if all := l2.all(); strings.Contains(all, "#gap") || strings.Count(all, ":n ") != 202 {
		t.Errorf("nothing is missing, and heard is\n%s", all)
	}
}
