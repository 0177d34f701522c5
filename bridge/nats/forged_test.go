package nats_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"sighub/bridge/nats"
	"sighub/hub"
)

// forge publishes a message in the name of another hub.
func forge(t *testing.T, conn *natsgo.Conn, subject, data string, headers map[string]string) {
	t.Helper()
	m := &natsgo.Msg{Subject: subject, Data: []byte(data), Header: natsgo.Header{}}
	for key, value := range headers {
		m.Header.Set(key, value)
	}
	if err := conn.PublishMsg(m); err != nil {
		t.Fatal(err)
	}
}

// TestForgedEvents: a hub hears others whose messages are forged. It takes what can be taken, and hears those that are honest.
func TestForgedEvents(t *testing.T) {
	b := newBroker(t, "")
	o := nats.Options{URL: b.url(), Beat: 200 * time.Millisecond}
	near, far := o, o
	near.Hub, near.Hear, far.Hub = "near", everybody, "kitchen"
	n := openHouse(t, t.TempDir(), near)
	var l heard
	var harmful atomic.Bool
	if _, err := n.hub.AddListener("", "", func(ev hub.Event) {
		if ev.Sender == "kitchen.pump" {
			l.add(ev)
		}
		if strings.ContainsAny(ev.Sender+ev.Name, "\x00\x1b") {
			harmful.Store(true)
		}
	}); err != nil {
		t.Fatal(err)
	}
	f := openHouse(t, t.TempDir(), far)
	s := f.sender("pump", hub.SenderOptions{Events: []string{"on"}})
	f.report(s, "on", 1, 1)
	until(t, "the honest one is heard", l.has("kitchen.pump:on 1"))
	liar, err := natsgo.Connect(b.url())
	if err != nil {
		t.Fatal(err)
	}
	defer liar.Close()
	wild := map[string]string{
		nats.HeaderTime: "9999-12-31T23:59:59Z", nats.HeaderUncertainty: "9223372036854775807", nats.HeaderEpoch: "18446744073709551615",
		nats.HeaderSeq: "18446744073709551615", nats.HeaderPosition: "4294967295/18446744073709551615", nats.HeaderJournal: "\x1b[31m",
	}
	for i, headers := range []map[string]string{nil, wild, {nats.HeaderTime: "x", nats.HeaderUncertainty: "-1"}} {
		for _, hubName := range []string{"evil", "kitchen", "near", "%zz", "a%2Eb", "%1B%5B31m", "-"} {
			for _, data := range []string{"", "1", "{", strings.Repeat("[", 5000), `"` + strings.Repeat("x", 5000) + `"`, "\xff", `{"events":[""," ","\u001b"],"units":{"a":"\u0000"},"requests":[null]}`} {
				for _, rest := range []string{"-.pump2.#connect", "-.pump2.on", "-.pump2.#disconnect", "-.-.#gap", "-.%1B.%00", "-.pump2.#gap", "x.%2e.-"} {
					forge(t, liar, "sighub."+hubName+"."+rest, data, headers)
				}
			}
		}
		if i == 0 {
			for k := range 1100 { // more than may be
				forge(t, liar, fmt.Sprint("sighub.many.-.s", k, ".#connect"), "{}", headers)
				forge(t, liar, fmt.Sprint("sighub.one.-.s.e", k), "1", headers)
			}
		}
		for _, beat := range []string{"", "{", `{"boot":"x","beat":9223372036854775807}`, `{"boot":"x","beat":-9223372036854775808}`, `{"boot":"y","beat":0}`, `{"gone":true}`} {
			for _, hubName := range []string{"evil", "many", "%zz", strings.Repeat("x", 2000)} {
				if err := liar.Publish("sighub-alive."+hubName, []byte(beat)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := liar.Flush(); err != nil {
			t.Fatal(err)
		}
		f.report(s, "on", i+2, 1)
		until(t, "the honest one is heard", l.has(fmt.Sprint("kitchen.pump:on ", i+2)))
		if st := n.bridge.Status(); !st.Connected || st.Error != "" {
			t.Errorf("%+v", st)
		}
	}
	if harmful.Load() {
		t.Error("a name with control characters is heard")
	}
}
