package nats_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sighub/bridge/nats"
	"sighub/carrier"
	"sighub/hub"
)

// TestUp: what is reported is in the stream, with its headers.
func TestUp(t *testing.T) {
	b := newBroker(t, "")
	h := openHouse(t, t.TempDir(), nats.Options{URL: b.url(), Hub: "kitchen"})
	s := h.sender("light.1", hub.SenderOptions{Events: []string{"lux"}})
	h.report(s, "lux", 1, 3)
	h.drained()
	list := b.read("")
	var got []string
	for _, m := range list {
		data := m.data
		if strings.HasSuffix(m.subject, "#connect") {
			data = "…"
		}
		got = append(got, fmt.Sprint(m.subject, " ", data, " ", m.seq))
		if m.journal == "" || m.epoch == 0 {
			t.Errorf("the message is %+v", m)
		}
		if at, err := time.Parse(time.RFC3339Nano, m.at); err != nil || time.Since(at) > time.Minute {
			t.Errorf("it happened at %s, %v", m.at, err)
		}
	}
	want := "[sighub.kitchen.-.light%2E1.#connect … 1 sighub.kitchen.-.light%2E1.lux 1 2 sighub.kitchen.-.light%2E1.lux 2 3 sighub.kitchen.-.light%2E1.lux 3 4]"
	if fmt.Sprint(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if st := h.bridge.Status(); !st.Connected || st.Sent != 4 || st.Error != "" {
		t.Errorf("%+v", st)
	}
}

// complete checks that each number from 1 to n is in the stream once and in order for each sender, and that nothing is missing.
func complete(t *testing.T, list []message, senders int, n int) {
	t.Helper()
	next := make(map[string]int)
	last := make(map[string][2]uint64)
	for _, m := range list {
		sender := strings.Split(m.subject, ".")[3]
		at := [2]uint64{m.epoch, m.seq}
		if before := last[sender]; at[0] < before[0] || at[0] == before[0] && at[1] != before[1]+1 {
			t.Errorf("%s: %v comes after %v", sender, at, before)
		}
		last[sender] = at
		if !strings.HasSuffix(m.subject, ".n") {
			continue
		}
		number, err := strconv.Atoi(m.data)
		if err != nil || number != next[sender]+1 {
			t.Fatalf("%s: %s comes after %d", sender, m.data, next[sender])
		}
		next[sender] = number
	}
	if len(next) != senders {
		t.Errorf("%d senders, want %d", len(next), senders)
	}
	for sender, got := range next {
		if got != n {
			t.Errorf("%s: %d events, want %d", sender, got, n)
		}
	}
}

// TestServerKilled: the server is killed again and again while events go up. Each is in the stream once.
func TestServerKilled(t *testing.T) {
	b := newBroker(t, "")
	b.forgetful()
	h := openHouse(t, t.TempDir(), nats.Options{URL: b.url(), Hub: "kitchen"})
	const senders, rounds, each = 3, 6, 2000
	var all []*hub.Sender
	for i := range senders {
		all = append(all, h.sender(fmt.Sprint("s", i), hub.SenderOptions{Events: []string{"n"}}))
	}
	for round := range rounds {
		for i := range each / 100 {
			for _, s := range all {
				h.report(s, "n", round*each+i*100+1, 100)
			}
			if i == round*3 {
				b.kill()
			}
		}
		if round == 3 {
			h.drainedNot(t)
		}
		b.start()
	}
	h.drained()
	complete(t, b.read(""), senders, rounds*each)
}

func (h *house) drainedNot(t *testing.T) {
	t.Helper()
	until(t, "the bridge says that the server is away", func() bool {
		st := h.bridge.Status()
		return !st.Connected && st.Error != "" && st.Remedy != "" && st.Lag > 0 && st.Oldest != nil
	})
}

// TestRights: the rights that the documents list are enough, for a hub that sends and one that hears and asks.
func TestRights(t *testing.T) {
	b := newBroker(t, `authorization {
		users = [
			{user: kitchen, password: secret, permissions: {
				publish: ["sighub.kitchen.>", "sighub-alive.kitchen", "$JS.API.STREAM.INFO.sighub", "$JS.API.CONSUMER.CREATE.sighub.>",
					"$JS.API.CONSUMER.MSG.NEXT.sighub.>", "$JS.API.CONSUMER.DELETE.sighub.>", "_INBOX.>"]
				subscribe: ["_INBOX.>", "sighub-alive.kitchen", "sighub-ask.kitchen"]}},
			{user: near, password: secret, permissions: {
				publish: ["sighub.near.>", "sighub-alive.near", "$JS.API.STREAM.INFO.sighub", "$JS.API.CONSUMER.CREATE.sighub.>",
					"$JS.API.CONSUMER.MSG.NEXT.sighub.>", "$JS.API.CONSUMER.DELETE.sighub.>", "$JS.API.STREAM.CREATE.sighub", "sighub-ask.*"]
				subscribe: ["_INBOX.>", "sighub-alive.near", "sighub-alive.*"]}},
		]
	}`)
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := nats.Options{URL: b.url(), Beat: 2 * time.Second, Credentials: nats.Credentials{Password: password}}
	near, far := o, o
	near.Hub, near.Credentials.User, near.Hear = "near", "near", everybody
	far.Hub, far.Credentials.User, far.May = "kitchen", "kitchen", carrier.RightRequest
	n := openHouse(t, t.TempDir(), near)
	var l heard
	n.listen(&l)
	until(t, "the stream is made", func() bool { return n.bridge.Status().Connected })
	f := openHouse(t, t.TempDir(), far)
	s := f.sender("pump", hub.SenderOptions{Events: []string{"on"}, Requests: map[string]hub.RequestHandler{
		"add": func(context.Context, string, carrier.Value) (any, error) { return 5, nil },
	}})
	f.report(s, "on", 1, 1)
	until(t, "the far event is heard", l.has("kitchen.pump:on 1"))
	if v, err := n.hub.Request(t.Context(), "kitchen.pump", "add", nil); err != nil || v.String() != "5" {
		t.Errorf("the answer is %v, %v", v, err)
	}
	for _, h := range []*house{n, f} {
		if st := h.bridge.Status(); st.Error != "" {
			t.Errorf("%+v", st)
		}
	}

	wrong := o
	wrong.Hub, wrong.Credentials.User = "porch", "porch"
	p := openHouse(t, t.TempDir(), wrong)
	until(t, "a wrong password is told", func() bool {
		st := p.bridge.Status()
		return strings.Contains(strings.ToLower(st.Error), "authorization") && strings.Contains(st.Remedy, "credentials")
	})
}

// TestWrongStream: a stream that would lose events is refused, and it is said why.
func TestWrongStream(t *testing.T) {
	b := newBroker(t, "")
	js, end := jetStream(t, b.url())
	defer end()
	for name, c := range map[string]jetstream.StreamConfig{
		"drops what is read": {Subjects: []string{"sighub.>"}, Retention: jetstream.WorkQueuePolicy},
		"acknowledges":       {Subjects: []string{"sighub.>"}, NoAck: true},
		"does not take":      {Subjects: []string{"other.>"}},
	} {
		c.Name = "sighub"
		if _, err := js.CreateStream(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		h := openHouse(t, t.TempDir(), nats.Options{URL: b.url(), Hub: "kitchen"})
		until(t, name, func() bool {
			st := h.bridge.Status()
			return strings.Contains(st.Error, name) && strings.Contains(st.Remedy, "nats stream edit")
		})
		h.stop()
		if err := js.DeleteStream(t.Context(), "sighub"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestKilledWhileDraining: the server is killed again and again while all that it can take is on its way.
func TestKilledWhileDraining(t *testing.T) {
	b := newBroker(t, "")
	b.forgetful()
	b.kill()
	h := openHouse(t, t.TempDir(), nats.Options{URL: b.url(), Hub: "kitchen"})
	s := h.sender("s0", hub.SenderOptions{Events: []string{"n"}})
	const n = 60_000
	h.report(s, "n", 1, n)
	for range 5 {
		b.start()
		before := h.bridge.Status().Sent
		until(t, "something goes up", func() bool { st := h.bridge.Status(); return st.Sent > before+500 || st.Lag == 0 })
		b.kill()
	}
	b.start()
	h.drained()
	complete(t, b.read(""), 1, n)
}
