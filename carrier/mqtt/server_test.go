package mqtt_test

import (
	"context"
	"strings"
	"testing"

	"sighub/hub"
	"sighub/internal/mqtt/packet"
)

// TestBothWays: what one client publishes, another one hears, and so do clients of other kinds.
func TestBothWays(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		w := newWorld(t, worldOptions{})
		sub, _ := w.connect(v, hello{id: "sub"})
		if got := sub.subscribe(1, "pump/state", "tele/+/SENSOR"); string(got) != "\x01\x01" {
			t.Errorf("SUBACK: % x", got)
		}
		heard := make(chan hub.Event, 16)
		if _, err := w.near.AddRemoteListener(t.Context(), "pump", "state", func(e hub.Event) { heard <- e }); err != nil {
			t.Fatal(err)
		}
		pub, _ := w.connect(v, hello{id: "pub"})
		for payload, want := range map[string]string{
			"on": `"on"`, "21.5": "21.5", `{"a":[1,null]}`: `{"a":[1,null]}`, "": "null", `quoted "text"` + "\n": `"quoted \"text\"\n"`,
			"\xff\x00": `"_wA"`, "NaN": `"NaN"`, "01": `"01"`, "grün": `"grün"`, "-0.5": "-0.5", " 7": " 7",
		} {
			if r := pub.publish("pump/state", payload); r != 0 {
				t.Fatalf("%q: PUBACK %x", payload, r)
			}
			if g := sub.event(); g.topic != "pump/state" || strings.TrimSpace(g.payload) != strings.TrimSpace(want) || g.qos != 1 {
				t.Errorf("published %q, heard %v with QoS %d, want %s", payload, g, g.qos, want)
			}
			if e := <-heard; e.Data.String() != strings.TrimSpace(want) {
				t.Errorf("published %q, the hub heard %s", payload, e.Data)
			}
		}
		pub.send(pub.publishPacket("tele/kitchen/SENSOR", "1", 0))
		if g := sub.event(); g.topic != "tele/kitchen/SENSOR" {
			t.Errorf("heard %v", g)
		}
		pub.send(pub.publishPacket("tele/kitchen/other", "1", 0), pub.publishPacket("tele/a/b/SENSOR", "1", 0), pub.publishPacket("pump/state", "2", 0))
		if g := sub.event(); g.topic != "pump/state" || g.payload != "2" {
			t.Errorf("heard %v", g)
		}
		// what the hub's own senders say
		s, err := w.router.AddSender("fan", hub.SenderOptions{Events: []string{"a/b+c"}})
		if err != nil {
			t.Fatal(err)
		}
		sub.subscribe(0, "fan/a%2Fb%2Bc")
		g, _ := s.Signal("a/b+c")
		if err := g.Trigger(t.Context(), map[string]any{"x": 1}); err != nil {
			t.Fatal(err)
		}
		if g := sub.event(); g.topic != "fan/a%2Fb%2Bc" || g.payload != `{"x":1}` || g.qos != 0 {
			t.Errorf("heard %v", g)
		}
		pub.send(frame(packet.Disconnect, 0, nil))
		pub.closed()
		w.until("the sender has gone with its client", func() bool { return !find(w.router.Senders(), "pump").Connected })
	})
}

func find(list []hub.SenderInfo, name string) hub.SenderInfo {
	for _, s := range list {
		if s.Name == name {
			return s
		}
	}
	return hub.SenderInfo{}
}

// TestMoreEvents: a sender that offers more is announced again, and does not go in between.
func TestMoreEvents(t *testing.T) {
	w := newWorld(t, worldOptions{})
	sub, _ := w.connect(5, hello{id: "sub"})
	sub.subscribe(0, "#")
	pub, _ := w.connect(5, hello{id: "pub"})
	var list []string
	seen, latest := map[string]bool{}, ""
	for _, event := range []string{"a", "b", "c", "a"} {
		if r := pub.publish("pump/"+event, "1"); r != 0 {
			t.Fatal(r)
		}
		for {
			g := sub.take()
			if g.retain { // who is connected may be told after the SUBACK, and of the sender as well
				continue
			}
			list = append(list, g.topic)
			if at := g.user["connection"]; g.topic == "pump/_state" {
				latest = at
			} else if at != latest {
				t.Errorf("%v is of connection %s, the latest is %s", g, at, latest)
			}
			if one := g.user["connection"] + " " + g.user["seq"]; seen[one] || g.user["time"] == "" {
				t.Errorf("%v has the number %s, like another one; properties: %v", g, one, g.user)
			} else {
				seen[one] = true
			}
			if g.topic == "pump/"+event {
				break
			}
		}
	}
	want := "pump/_state pump/a pump/_state pump/b pump/_state pump/c pump/a"
	if got := strings.Join(list, " "); got != want {
		t.Errorf("heard %s\nwant  %s", got, want)
	}
}

// TestRequests: clients ask, and answer, by topics.
func TestRequests(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		w := newWorld(t, worldOptions{})
		pump, _ := w.connect(v, hello{id: "pump"})
		if got := pump.subscribe(0, "pump/_request/+"); got[0] >= 0x80 {
			t.Fatalf("SUBACK: % x", got)
		}
		answer := make(chan string, 1)
		ask := func() {
			r, err := w.near.RemoteRequest(context.Background(), "pump", "start", map[string]any{"speed": 3})
			if err != nil {
				answer <- err.Error()
				return
			}
			answer <- r.String()
		}
		go ask()
		g := pump.take()
		if g.topic != "pump/_request/start" || g.payload != `{"speed":3}` {
			t.Fatalf("asked %v", g)
		}
		back := "pump/_answer/start"
		if v == 5 && string(g.props.ResponseTopic) != back {
			t.Errorf("the Response Topic is %s", g.props.ResponseTopic)
		}
		var props []byte
		if v == 5 {
			props = packet.AppendText([]byte{packet.PropCorrelation}, g.props.Correlation)
		}
		if r := pump.publish(back, `{"running":true}`, props...); r != 0 {
			t.Errorf("PUBACK %x", r)
		}
		if got := <-answer; got != `{"running":true}` {
			t.Errorf("answered %s", got)
		}
		if v == 5 {
			go ask()
			g := pump.take()
			props := packet.AppendText([]byte{packet.PropCorrelation}, g.props.Correlation)
			pump.publish(back, "", packet.AppendUser(props, "error", "it is dry")...)
			if got := <-answer; !strings.Contains(got, "it is dry") {
				t.Errorf("answered %s", got)
			}
			if r := pump.publish(back, "1", props...); r != packet.NoMatchingSubscribers {
				t.Errorf("an answer that nobody waits for: PUBACK %x", r)
			}
		}
		// a client asks another one
		asker, _ := w.connect(v, hello{id: "asker"})
		topicOfAnswer := "pump/_answer/stop"
		props = nil
		if v == 5 {
			topicOfAnswer = "_answer/asker/1"
			props = packet.AppendText([]byte{packet.PropResponseTopic}, topicOfAnswer)
			props = packet.AppendText(append(props, packet.PropCorrelation), "x\x00y")
		}
		asker.subscribe(0, topicOfAnswer)
		if r := asker.publish("pump/_request/stop", "now", props...); r != 0 {
			t.Errorf("PUBACK %x", r)
		}
		g = pump.take()
		if g.topic != "pump/_request/stop" || g.payload != `"now"` {
			t.Errorf("asked %v", g)
		}
		props = nil
		if v == 5 {
			props = packet.AppendText([]byte{packet.PropCorrelation}, g.props.Correlation)
		}
		pump.publish("pump/_answer/stop", "done", props...)
		if g = asker.take(); g.topic != topicOfAnswer || g.payload != `"done"` || v == 5 && string(g.props.Correlation) != "x\x00y" {
			t.Errorf("answered %v", g)
		}
		// one that cannot be done
		props = nil
		if v == 5 {
			props = packet.AppendText([]byte{packet.PropResponseTopic}, "nowhere/_answer/stop")
		}
		asker.subscribe(0, "nowhere/_answer/stop")
		asker.publish("nowhere/_request/stop", "", props...)
		if g = asker.take(); !strings.Contains(g.payload, "no such sender") {
			t.Errorf("answered %v", g)
		}
		if v == 5 && (g.user["status"] != "-2" || g.user["error"] == "") {
			t.Errorf("properties: %v", g.user)
		}
	})
}

// TestWill: a client that goes without a word says its will, as an event of its sender.
func TestWill(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		w := newWorld(t, worldOptions{})
		sub, _ := w.connect(v, hello{id: "sub"})
		sub.subscribe(1, "pump/+")
		for _, how := range []string{"cut", "goodbye"} {
			p, _ := w.connect(v, hello{id: "pump", will: "pump/LWT=Offline", willQoS: 1})
			p.publish("pump/LWT", "Online")
			if g := sub.event(); g.payload != `"Online"` {
				t.Errorf("heard %v", g)
			}
			if how == "goodbye" {
				p.send(frame(packet.Disconnect, 0, nil))
			}
			_ = p.Close()
			var list []string
			for {
				g := sub.take()
				if strings.HasPrefix(g.payload, `{"connected":true`) { // which it may be told as what is so when it begins to listen, too
					continue
				}
				list = append(list, g.topic+" "+g.payload)
				if strings.HasPrefix(g.payload, `{"connected":false`) {
					break
				}
			}
			if got := strings.Join(list, "\n"); (how == "cut") != strings.HasPrefix(got, `pump/LWT "Offline"`) {
				t.Errorf("%s: heard %s", how, got)
			}
		}
	})
}

// TestRefused: what is refused is told as far as the version can.
func TestRefused(t *testing.T) {
	w := newWorld(t, worldOptions{})
	s, err := w.router.AddSender("taken", hub.SenderOptions{Events: []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Remove()
	p, _ := w.connect(5, hello{id: "p"})
	for text, want := range map[string]packet.Reason{
		"taken/x": packet.NotAuthorized, "alone": packet.BadTopic, "a/_state": packet.BadTopic, "$SYS/x": packet.BadTopic,
		"a/%zz": packet.BadTopic, "a/": packet.BadTopic, "/a": packet.BadTopic, "_answer/x": packet.BadTopic, "a/ x": packet.BadTopic,
	} {
		if r := p.publish(text, "1"); r != want {
			t.Errorf("%s: PUBACK %02x, want %02x", text, r, want)
		}
	}
	for payload, want := range map[string]packet.Reason{`{"a":1,"a":2}`: packet.BadPayload, "1e999": packet.BadPayload, "1": 0} {
		if r := p.publish("mine/x", payload); r != want {
			t.Errorf("%s: PUBACK %02x, want %02x", payload, r, want)
		}
	}
	if r := p.publish("mine/x", "1", packet.AppendUser(nil, "time", "yesterday")...); r != packet.BadPayload {
		t.Errorf("a bad time: PUBACK %02x", r)
	}
	if r := p.publish("mine/x", "\xff", packet.PropPayloadFormat, 1); r != packet.BadPayload {
		t.Errorf("not UTF-8: PUBACK %02x", r)
	}
	for filter, want := range map[string]packet.Reason{
		"$share/g/a/b": packet.NoShared, "a/#/b": packet.BadFilter, "a+/b": packet.BadFilter, "": packet.BadFilter, "+/_request/+": packet.BadFilter,
		"taken/_request/+": packet.NotAuthorized, "a/_other": packet.BadFilter, "$SYS/#": 0, "a/ b": packet.BadFilter,
	} {
		if got := p.subscribe(0, filter); packet.Reason(got[0]) != want {
			t.Errorf("%q: SUBACK % x, want %02x", filter, got, want)
		}
	}
	p.send(p.subscribePacket(7, 0, packet.AppendUser(nil, "policy", "never"), "a/b"))
	if got := p.suback(); got[0] < 0x80 {
		t.Errorf("an unknown policy: % x", got)
	}
	p.send(p.unsubscribePacket(9, "taken/_request/+", "$SYS/#"))
	if body := p.expect(packet.Unsuback); string(body[3:]) != "\x11\x00" {
		t.Errorf("UNSUBACK: % x", body)
	}
	old, _ := w.connect(4, hello{id: "old"})
	old.send(old.publishPacket("taken/x", "1", 0)) // it can only be counted
	old.ping()
	if got := old.subscribe(0, "$share/g/a/b", "a/b"); string(got) != "\x80\x00" {
		t.Errorf("SUBACK: % x", got)
	}
	old.send(old.publishPacket("taken/x", "1", 5))
	old.closed()
}
