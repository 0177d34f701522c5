package packet

import (
	"bytes"
	"strings"
	"testing"
)

// TestNext: packets are cut from a stream wherever it was cut itself.
func TestNext(t *testing.T) {
	h := Head{Version: V5, QoS: 1, ID: 7, Topic: []byte("a/b"), Properties: AppendUser(nil, "x", "y")}
	for _, size := range []int{0, 1, 100, 127, 128, 200, 16383, 16384, 70000} {
		payload := bytes.Repeat([]byte("p"), size)
		whole := h.Append(nil, payload)
		if got := h.Size(size); got != len(whole) {
			t.Errorf("%d bytes: Size says %d, it has %d", size, got, len(whole))
		}
		for _, cut := range []int{0, 1, 2, 3, len(whole) / 2, len(whole) - 1} {
			_, rest, n, ok, err := Next(whole[:cut], 1<<20)
			if ok || err != nil || len(rest) != cut || n != 0 && n != len(whole) {
				t.Errorf("%d of %d bytes: %d, %t, %v", cut, len(whole), n, ok, err)
			}
		}
		p, rest, n, ok, err := Next(append(bytes.Clone(whole), 0xC0), 1<<20)
		if !ok || err != nil || len(rest) != 1 || n != len(whole) || p.Type != Publish {
			t.Fatalf("%d bytes: %v %t %v", size, p.Type, ok, err)
		}
		var in PublishPacket
		if err := ParsePublish(V5, p.Flags, p.Body, &in); err != nil {
			t.Fatal(err)
		}
		if in.ID != 7 || in.QoS != 1 || string(in.Topic) != "a/b" || !bytes.Equal(in.Payload, payload) || len(in.Properties.User) != 1 {
			t.Errorf("%d bytes: %+v", size, in)
		}
		if _, _, _, _, err := Next(whole, len(whole)-1); ReasonOf(err) != TooLarge {
			t.Errorf("one that is too large: %v", err)
		}
	}
}

// TestAllocatesNothing: a PUBLISH and a PUBACK are read without an allocation.
func TestAllocatesNothing(t *testing.T) {
	h := Head{Version: V5, QoS: 1, ID: 7, Topic: []byte("a/b"), Properties: AppendUser(nil, "x", "y")}
	data := AppendAck(h.Append(nil, []byte("21.5")), V311, 7, Success, "")
	var in PublishPacket
	in.Properties.User = make([]UserProperty, 0, 4)
	var props Properties
	if n := testing.AllocsPerRun(100, func() {
		p, rest, _, _, _ := Next(data, 1000)
		if ParsePublish(V5, p.Flags, p.Body, &in) != nil {
			t.Error("it is not read")
		}
		p, _, _, _, _ = Next(rest, 1000)
		if _, _, err := ParseAck(V5, p.Body, &props); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzParse: no bytes panic, and what is read can be written again.
func FuzzParse(f *testing.F) {
	for _, version := range []byte{V311, V5} {
		h := Head{Version: version, QoS: 1, ID: 7, Topic: []byte("a/b"), Retain: true}
		f.Add(version, h.Append(nil, []byte("21.5")))
		f.Add(version, AppendAck(nil, version, 3, NotAuthorized, "no"))
		f.Add(version, AppendConnack(nil, version, true, BadLogin, nil))
		f.Add(version, AppendSuback(nil, Suback, version, 3, []Reason{0, 1, 0x87}, "no"))
		f.Add(version, AppendPingresp(nil))
		f.Add(version, AppendDisconnect(nil, TakenOver, "gone"))
		f.Add(version, []byte("\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05paho1"))
		f.Add(version, []byte("\x10\x1d\x00\x04MQTT\x05\xc6\x00\x3c\x03\x21\x00\x0a\x00\x01x\x00\x00\x01t\x00\x01p\x00\x01u\x00\x01p"))
		for _, p := range fromClient(version) {
			f.Add(version, p)
		}
		f.Add(version, []byte("\x82\x0b\x00\x01\x02\x0b\x05\x00\x03a/#\x05"))
		f.Add(version, []byte("\xa2\x08\x00\x01\x00\x00\x03a/#"))
		f.Add(version, []byte("\xe0\x07\x04\x05\x11\x00\x00\x00\x09"))
	}
	f.Fuzz(func(t *testing.T, version byte, data []byte) {
		if version != V5 {
			version = V311
		}
		for len(data) > 0 {
			p, rest, size, ok, err := Next(data, 1<<16)
			if err != nil || !ok {
				return
			}
			if size != len(data)-len(rest) {
				t.Fatalf("a packet of %d bytes takes %d", size, len(data)-len(rest))
			}
			parse(t, version, &p)
			data = rest
		}
	})
}

func parse(t *testing.T, version byte, p *Raw) {
	var props Properties
	switch p.Type {
	case Connect:
		c, err := ParseConnect(p.Body)
		if err == nil && strings.ContainsAny(string(c.WillTopic), "+#") {
			t.Errorf("the topic of a will is %q", c.WillTopic)
		}
	case Publish:
		var in PublishPacket
		if ParsePublish(version, p.Flags, p.Body, &in) != nil || in.QoS == 2 {
			return
		}
		h := Head{Version: version, QoS: in.QoS, ID: in.ID, Topic: in.Topic, Retain: in.Retain, Dup: in.Dup}
		again := h.Append(nil, in.Payload)
		q, _, _, ok, err := Next(again, 1<<20)
		var out PublishPacket
		if !ok || err != nil || ParsePublish(version, q.Flags, q.Body, &out) != nil {
			t.Fatalf("what is written cannot be read: % x", again)
		}
		if out.ID != in.ID || !bytes.Equal(out.Topic, in.Topic) || !bytes.Equal(out.Payload, in.Payload) || out.Retain != in.Retain {
			t.Errorf("%+v is read as %+v", in, out)
		}
		_ = ValidTopic(in.Topic) // it may be anything
	case Puback:
		_, _, _ = ParseAck(version, p.Body, &props)
	case Subscribe:
		if s, err := ParseSubscribe(version, p.Body); err == nil && len(s.Subscriptions) == 0 {
			t.Error("a SUBSCRIBE of nothing")
		}
	case Unsubscribe:
		_, _ = ParseUnsubscribe(version, p.Body)
	case Disconnect:
		_, _ = ParseDisconnect(version, p.Body, &props)
	default:
		_ = ParsePing(p.Body)
	}
}
