package nats_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"sighub/bridge/nats"
	"sighub/carrier"
	"sighub/hub"
)

// A log remembers what a listener hears.
type heard struct {
	mu   sync.Mutex
	list []string
}

func (l *heard) add(ev hub.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := ev.Sender + ":" + ev.Name
	switch ev.Name {
	case hub.Disconnect:
		var c hub.Connection
		_ = ev.Data.Decode(&c)
		text += " " + c.Reason
	case hub.Connect, hub.Gap:
	default:
		text += " " + ev.Data.String()
	}
	l.list = append(l.list, text)
}

func (l *heard) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.list, "\n")
}

func (l *heard) has(text string) func() bool {
	return func() bool { return strings.Contains(l.all(), text) }
}

func everybody(string) bool { return true }

func (h *house) listen(l *heard) {
	h.t.Helper()
	if _, err := h.hub.AddListener("", "", l.add); err != nil {
		h.t.Fatal(err)
	}
}

// TestFarSenders: what happens at one hub is heard at another one; requests reach it, and its end is told.
func TestFarSenders(t *testing.T) {
	b := newBroker(t, "")
	o := nats.Options{URL: b.url(), Beat: 2 * time.Second}
	near := o
	near.Hub, near.Hear = "near", everybody
	var l heard
	n := openHouse(t, t.TempDir(), near)
	n.listen(&l)
	far := o
	far.Hub, far.May = "kitchen", carrier.RightRequest
	f := openHouse(t, t.TempDir(), far)
	s := f.sender("pump", hub.SenderOptions{
		Events: []string{"on"}, Units: map[string]string{"on": "1"},
		Requests: map[string]hub.RequestHandler{
			"add": func(_ context.Context, _ string, params carrier.Value) (any, error) {
				var list []int
				if err := params.Decode(&list); err != nil {
					return nil, err
				}
				return list[0] + list[1], nil
			},
			"fail": func(context.Context, string, carrier.Value) (any, error) { return nil, errors.New("no water") },
		},
	})
	f.report(s, "on", 1, 3)
	defer func() {
		if t.Failed() {
			t.Logf("heard:\n%s", l.all())
		}
	}()
	until(t, "the far events are heard", l.has("kitchen.pump:#connect\nkitchen.pump:on 1\nkitchen.pump:on 2\nkitchen.pump:on 3"))
	v, err := n.hub.Request(t.Context(), "kitchen.pump", "add", []int{2, 3})
	if err != nil || v.String() != "5" {
		t.Errorf("the far sender answers %v, %v", v, err)
	}
	if _, err = n.hub.Request(t.Context(), "kitchen.pump", "fail", nil); err == nil || !strings.Contains(err.Error(), "no water") {
		t.Errorf("the far sender fails with %v", err)
	}
	if _, err = n.hub.Request(t.Context(), "kitchen.pump", "nothing", nil); err == nil {
		t.Error("a method that is not there answers")
	}
	if list := b.read("sighub.near.>"); len(list) > 0 {
		t.Errorf("what comes from the stream goes up again: %+v", list[0])
	}
	f.stop()
	until(t, "the end is told", l.has("kitchen.pump:#disconnect"))
}

// TestNoRequests: a hub that allows no requests is asked for nothing.
func TestNoRequests(t *testing.T) {
	b := newBroker(t, "")
	o := nats.Options{URL: b.url(), Beat: 2 * time.Second}
	near, far := o, o
	near.Hub, near.Hear = "near", everybody
	far.Hub = "kitchen"
	var l heard
	n := openHouse(t, t.TempDir(), near)
	n.listen(&l)
	f := openHouse(t, t.TempDir(), far)
	f.sender("pump", hub.SenderOptions{Requests: map[string]hub.RequestHandler{
		"add": func(context.Context, string, carrier.Value) (any, error) { return 1, nil },
	}})
	until(t, "the sender is there", l.has("kitchen.pump:#connect"))
	if _, err := n.hub.Request(t.Context(), "kitchen.pump", "add", nil); err == nil || !strings.Contains(err.Error(), "takes no requests") {
		t.Errorf("the answer is %v", err)
	}
}

// TestFarTimeout: a hub that vanishes without a word is disconnected in time, and is there again when it comes back. The hub that hears
// it is started again meanwhile, and hears each event once.
func TestFarTimeout(t *testing.T) {
	b := newBroker(t, "")
	o := nats.Options{URL: b.url(), Beat: 300 * time.Millisecond}
	near, far := o, o
	near.Hub, near.Hear = "near", everybody
	far.Hub = "kitchen"
	var l heard
	dir := t.TempDir()
	n := openHouse(t, dir, near)
	n.listen(&l)
	f := openHouse(t, t.TempDir(), far)
	s := f.sender("pump", hub.SenderOptions{Events: []string{"on"}})
	f.report(s, "on", 1, 3)
	until(t, "the far events are heard", l.has("kitchen.pump:on 3"))
	b.kill()
	until(t, "the far sender is gone", l.has("kitchen.pump:#disconnect timeout"))
	f.report(s, "on", 4, 3)
	n.stop()
	var l2 heard
	n = openHouse(t, dir, near)
	n.listen(&l2)
	b.start()
	defer func() {
		if t.Failed() {
			t.Logf("heard:\n%s\nthen:\n%s", l.all(), l2.all())
		}
	}()
	until(t, "the far events are heard", l2.has("kitchen.pump:on 6"))
	var list []string
	for text := range strings.SplitSeq(l.all()+"\n"+l2.all(), "\n") {
		if strings.Contains(text, ":on ") {
			list = append(list, text)
		}
	}
	if got := fmt.Sprint(list); got != "[kitchen.pump:on 1 kitchen.pump:on 2 kitchen.pump:on 3 kitchen.pump:on 4 kitchen.pump:on 5 kitchen.pump:on 6]" {
		t.Errorf("heard %s", got)
	}
}

// TestTwins: two hubs of one name are told so.
func TestTwins(t *testing.T) {
	b := newBroker(t, "")
	o := nats.Options{URL: b.url(), Hub: "kitchen", Beat: 100 * time.Millisecond}
	one := openHouse(t, t.TempDir(), o)
	two := openHouse(t, t.TempDir(), o)
	for _, h := range []*house{one, two} {
		until(t, "each complains, and says what to do", func() bool {
			st := h.bridge.Status()
			return strings.Contains(st.Error, "same name") && strings.Contains(st.Remedy, "another name with hub")
		})
	}
	seen := make(map[time.Time]bool)
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if st := one.bridge.Status(); st.Connected {
			seen[st.Since] = true
		}
	}
	if len(seen) > 5 {
		t.Errorf("it connects %d times in 2 s", len(seen))
	}
}

// TestNearAway: what happens at another hub while this one is away is heard when it is back, and not again.
func TestNearAway(t *testing.T) {
	b := newBroker(t, "")
	o := nats.Options{URL: b.url(), Beat: 300 * time.Millisecond}
	near, far := o, o
	near.Hub, near.Hear = "near", everybody
	far.Hub = "kitchen"
	dir := t.TempDir()
	f := openHouse(t, t.TempDir(), far)
	s := f.sender("pump", hub.SenderOptions{Events: []string{"on"}})
	var runs [3]heard
	for i := range runs {
		n := openHouse(t, dir, near)
		n.listen(&runs[i])
		if i == 0 {
			until(t, "the far sender is there", runs[0].has("kitchen.pump:#connect"))
			f.report(s, "on", 1, 3)
		}
		if i == 2 {
			f.report(s, "on", 7, 1)
		}
		until(t, "the far events are heard", runs[i].has(fmt.Sprint("kitchen.pump:on ", min(3*i+3, 7))))
		n.stop()
		if i == 0 {
			f.report(s, "on", 4, 3)
			f.drained()
		}
	}
	for i, want := range []string{"[1 2 3]", "[4 5 6]", "[7]"} {
		var got []string
		for text := range strings.SplitSeq(runs[i].all(), "\n") {
			if number, ok := strings.CutPrefix(text, "kitchen.pump:on "); ok {
				got = append(got, number)
			}
		}
		if fmt.Sprint(got) != want {
			t.Errorf("run %d hears %s, want %s:\n%s", i, got, want, runs[i].all())
		}
	}
}

// TestSentAgain: a hub that hears what it has heard already, as when the stream had lost it, hears it no more: neither events, nor gaps, nor that a sender
// came and went; also if it has started meanwhile. What the sender has done since is known all the same.
func TestSentAgain(t *testing.T) {
	b := newBroker(t, "")
	b.makeStream(time.Minute)
	o := nats.Options{URL: b.url(), Hub: "near", Hear: everybody, Beat: time.Minute}
	dir := t.TempDir()
	var l heard
	n := openHouse(t, dir, o)
	js, end := jetStream(t, b.url())
	defer end()
	tell := func(position int, rest, data string) {
		t.Helper()
		m := &natsgo.Msg{Subject: "sighub.kitchen." + rest, Data: []byte(data), Header: natsgo.Header{}}
		for key, value := range map[string]string{
			nats.HeaderTime: "2026-01-02T03:04:05Z", nats.HeaderEpoch: fmt.Sprint(7 + position/5), nats.HeaderSeq: fmt.Sprint(position), nats.HeaderBatch: "b",
			nats.HeaderPosition: fmt.Sprint("1/", position), nats.HeaderJournal: "j",
		} {
			m.Header.Set(key, value)
		}
		if _, err := js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	row := func() {
		t.Helper()
		tell(1, "-.pump.#connect", `{"events":["on"],"requests":null,"time":"2026-01-02T03:04:05Z"}`)
		tell(2, "-.pump.on", "1")
		tell(3, "-.-.#gap", `{"count":1,"first":"2026-01-02T03:04:05Z","last":"2026-01-02T03:04:05Z","cause":"journal"}`)
		tell(4, "-.pump.#disconnect", `{"events":["on"],"requests":null,"time":"2026-01-02T03:04:05Z"}`)
		tell(5, "-.pump.#connect", `{"events":["on"],"requests":null,"time":"2026-01-02T03:04:05Z"}`)
		tell(6, "-.pump.on", "2")
	}
	until(t, "it is connected", func() bool { return n.bridge.Status().Connected })
	listen := func(n *house) {
		t.Helper()
		if _, err := n.hub.AddListener("kitchen.pump", "", l.add); err != nil {
			t.Fatal(err)
		}
	}
	for len(n.hub.Senders()) == 0 { // until it hears: it must not know the row before that
		if _, err := js.Publish(t.Context(), "sighub.shed.-.lamp.on", []byte("1")); err != nil {
			t.Fatal(err)
		}
	}
	listen(n)
	row()
	until(t, "it is heard", l.has("pump:on 2"))
	row()
	tell(7, "-.pump.on", "3")
	until(t, "what is new is heard", l.has("pump:on 3"))
	const want = "kitchen.pump:#connect\nkitchen.pump:on 1\nkitchen.pump:#gap\nkitchen.pump:#disconnect removed\nkitchen.pump:#connect\nkitchen.pump:on 2\nkitchen.pump:on 3"
	if got := l.all(); got != want {
		t.Errorf("heard\n%s\nwant\n%s", got, want)
	}
	n.stop()
	row()
	tell(7, "-.pump.on", "3")
	l = heard{}
	n = openHouse(t, dir, o)
	listen(n)
	tell(8, "-.pump.on", "4")
	until(t, "what is new is heard", l.has("pump:on 4"))
	if got := l.all(); !strings.HasSuffix(got, "kitchen.pump:#connect\nkitchen.pump:on 4") || strings.Count(got, ":on ") != 1 {
		t.Errorf("after the start, heard\n%s", got)
	}
	tell(9, "-.pump.#disconnect", `{"events":["on"],"requests":null,"time":"2026-01-02T03:04:05Z"}`)
	until(t, "the end is heard", l.has("pump:#disconnect"))
}
