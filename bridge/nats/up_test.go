package nats_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"sighub/bridge/nats"
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
		if m.id != fmt.Sprintf("kitchen/light.1/%d/%d", m.epoch, m.seq) || m.journal == "" || m.epoch == 0 {
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
