package mqtt_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/mqtt"
	"sighub/hub"
	"sighub/hub/verb"
	"sighub/internal/mqtt/packet"
	"sighub/listen"
)

func answerFan(_ context.Context, _ string, params carrier.Value) (any, error) {
	return map[string]json.RawMessage{"started": json.RawMessage(params.String())}, nil
}

// rules are a policy: what identities may, as "verb sender name", with * at an end.
type rules map[string][]string

var verbs = map[verb.Verb]string{verb.Listen: "listen", verb.Request: "request", verb.Add: "add", verb.Trigger: "trigger", verb.Admin: "admin"}

func (r rules) May(identity string, v verb.Verb, sender, name string) (ok bool, rule string) {
	for _, rule := range r[identity] {
		f := strings.Fields(rule)
		fits := func(pattern, text string) bool {
			begin, more := strings.CutSuffix(pattern, "*")
			return text == "" || text == pattern || more && strings.HasPrefix(text, begin)
		}
		if f[0] == verbs[v] && fits(f[1], sender) && fits(f[2], name) {
			return true, rule
		}
	}
	return false, ""
}

func (r rules) identities() []string { return []string{"", "viewer", "maker"} }

func (r rules) Class(identity string) uint16 {
	for i, id := range r.identities() {
		if id == identity {
			return uint16(i)
		}
	}
	return 0
}

func (r rules) Hears(sender, event string) []uint64 {
	bits := uint64(0)
	for i, id := range r.identities() {
		if ok, _ := r.May(id, verb.Listen, sender, event); ok {
			bits |= 1 << i
		}
	}
	return []uint64{bits}
}

// TestRights: what the policy says holds here as for all clients, and is told in the words of MQTT.
func TestRights(t *testing.T) {
	login := func(_ context.Context, _ listen.Peer, s listen.Secret) (string, error) {
		switch {
		case s == listen.Secret{Token: "sgh_view"}, s.Name == "viewer" && s.Password == "right":
			return "viewer", nil
		case s == listen.Secret{Token: "sgh_make"}:
			return "maker", nil
		case s == listen.Secret{}:
			return "", nil
		}
		return "", &listen.LoginError{Public: "this is not the password", Cause: "denied", Err: errors.New("wrong")}
	}
	w := newWorld(t, worldOptions{Options: mqtt.Options{Login: login}})
	w.router.SetPolicy(rules{"viewer": {"listen green* *"}, "maker": {"add green* *", "trigger green* *", "add red *", "trigger red ok"}})
	for name, c := range map[string]struct {
		h        hello
		old, new byte
	}{
		"token": {hello{user: "any", pass: "sgh_view"}, 0, 0}, "password": {hello{user: "viewer", pass: "right"}, 0, 0},
		"wrong password": {hello{user: "viewer", pass: "wrong"}, 4, 0x86}, "wrong token": {hello{user: "x", pass: "sgh_none"}, 4, 0x86},
	} {
		for v, want := range map[byte]byte{4: c.old, 5: c.new} {
			p := w.dial(v)
			p.send(c.h.packet(v))
			if ack := p.expect(packet.Connack); ack[1] != want {
				t.Errorf("%s: CONNACK %02x, want %02x", name, ack[1], want)
			} else if v == 5 && want != 0 && !strings.Contains(string(ack), "this is not the password") {
				t.Errorf("%s: the reason is not told: % x", name, ack)
			}
		}
	}
	viewer, _ := w.connect(5, hello{id: "viewer", user: "x", pass: "sgh_view"})
	if got := viewer.subscribe(1, "green/a", "red/ok", "+/ok", "green/b"); string(got) != "\x01\x87\x01\x01" {
		t.Errorf("SUBACK: % x", got)
	}
	old, _ := w.connect(4, hello{id: "old viewer", user: "x", pass: "sgh_view"})
	if got := old.subscribe(1, "green/a", "red/ok"); string(got) != "\x01\x80" {
		t.Errorf("SUBACK: % x", got)
	}
	if r := viewer.publish("green/a", "1"); r != packet.NotAuthorized {
		t.Errorf("PUBACK %02x", r)
	}
	maker, _ := w.connect(5, hello{id: "maker", user: "x", pass: "sgh_make"})
	for topic, want := range map[string]packet.Reason{"green/a": 0, "red/ok": 0, "red/other": packet.NotAuthorized, "blue/x": packet.NotAuthorized} {
		if r := maker.publish(topic, "1"); r != want {
			t.Errorf("%s: PUBACK %02x, want %02x", topic, r, want)
		}
	}
	if r := maker.publish("green/b", "2"); r != 0 {
		t.Errorf("PUBACK %02x", r)
	}
	for {
		g := viewer.event()
		if strings.HasPrefix(g.topic, "red") {
			t.Errorf("heard %v", g)
		}
		if g.topic == "green/b" {
			break
		}
	}
	oldMaker, _ := w.connect(4, hello{id: "old maker", user: "x", pass: "sgh_make"})
	oldMaker.send(oldMaker.publishPacket("blue/x", "1", 1))
	oldMaker.closed() // nothing else tells a client of 3.1.1
	// what the viewer loses, it is told; and who is revoked, is disconnected
	w.router.SetPolicy(rules{"maker": {"add green* *", "trigger green* *"}})
	if n := w.router.Expel("maker"); n == 0 {
		t.Error("nobody was expelled")
	}
	if r := maker.closed(); r != packet.NotAuthorized {
		t.Errorf("DISCONNECT %02x", r)
	}
}

// TestSlow: a client that does not read harms nobody, whatever its policy is, and hears of what it has lost.
func TestSlow(t *testing.T) {
	for _, policy := range []string{"block", "latest", "disconnect"} {
		t.Run(policy, func(t *testing.T) {
			w := newWorld(t, worldOptions{hub: hub.ServerOptions{Outbox: hub.OutboxOptions{Limit: 64, Deadline: time.Second}}})
			slow, _ := w.connect(5, hello{id: "slow", props: packet.AppendUint16(nil, packet.PropReceiveMax, 4)})
			slow.send(slow.subscribePacket(7, 1, packet.AppendUser(nil, "policy", policy), "pump/n", "pump/_gap"))
			if got := slow.suback(); got[0] != 1 {
				t.Fatalf("SUBACK % x", got)
			}
			fast, _ := w.connect(5, hello{id: "fast"})
			fast.subscribe(1, "pump/n")
			pub, _ := w.connect(5, hello{id: "pub"})
			began := time.Now()
			const n = 500
			for i := range n {
				if r := pub.publish("pump/n", fmt.Sprint(i)); r != 0 {
					t.Fatal(r)
				}
				fast.numbers(i, 1)
			}
			if took := time.Since(began); took > time.Minute { // held up at each event, they would take eight times as long
				t.Errorf("the others were held up for %v", took)
			}
			if policy == "disconnect" {
				slow.closed()
				return
			}
			lost, heard := 0, 0
			for lost+heard < n {
				switch g := slow.take(); g.topic {
				case "pump/_gap":
					var loss struct{ Count int }
					if err := json.Unmarshal([]byte(g.payload), &loss); err != nil {
						t.Fatal(err)
					}
					lost += loss.Count
				case "pump/n":
					heard++
				}
			}
			if lost == 0 || lost+heard != n {
				t.Errorf("%d heard, %d lost, of %d", heard, lost, n)
			}
		})
	}
}
