package packet

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// fromClient returns packets that a client writes.
func fromClient(version byte) [][]byte {
	c := &ConnectPacket{
		Version: version, CleanStart: true, KeepAlive: 10, ClientID: []byte("c"), HasUser: true, User: []byte("u"), HasPassword: true, Password: []byte("p"),
		Will: true, WillQoS: 1, WillRetain: true, WillTopic: []byte("t"), WillPayload: []byte("gone"),
	}
	filters := []Subscription{{Filter: []byte("a/#"), QoS: 1, RetainHandling: 2}, {Filter: []byte("b"), NoLocal: true, RetainAsPublished: true}}
	return [][]byte{
		AppendConnect(nil, c, AppendUint32(nil, PropMaxPacket, 1000), AppendUser(nil, "a", "b")),
		AppendSubscribe(nil, Subscribe, version, 7, filters, nil), AppendSubscribe(nil, Unsubscribe, version, 7, filters, nil),
		AppendPingreq(nil), AppendGoodbye(nil),
	}
}

// next returns the only packet of data.
func next(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, data []byte) Raw {
	t.Helper()
	p, rest, _, ok, err := Next(data, 1<<20)
	if !ok || err != nil || len(rest) > 0 {
		t.Fatalf("% x: %t, %v, and % x follows", data, ok, err, rest)
	}
	return p
}

// Texts as packets have them.
var (
	texts  = rapid.Map(rapid.StringN(0, 20, -1), func(s string) []byte { return []byte(strings.ReplaceAll(s, "\x00", "")) })
	topics = rapid.Map(texts, func(b []byte) []byte {
		return append([]byte("t"), bytes.Map(func(r rune) rune { return max(r, '0') }, b)...)
	})
	blobs    = rapid.SliceOfN(rapid.Byte(), 0, 20)
	versions = rapid.SampledFrom([]byte{V311, V5})
)

// TestConnectThereAndBack: what a client writes, a server reads.
func TestConnectThereAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		yes := rapid.Bool()
		c := &ConnectPacket{
			Version: versions.Draw(t, "version"), CleanStart: yes.Draw(t, "clean"), KeepAlive: rapid.Uint16().Draw(t, "alive"),
			ClientID: texts.Draw(t, "client"), HasUser: yes.Draw(t, "has user"), Will: yes.Draw(t, "will"),
		}
		if c.HasUser {
			c.User = texts.Draw(t, "user")
		}
		if c.HasPassword = (c.HasUser || c.Version == V5) && yes.Draw(t, "has password"); c.HasPassword {
			c.Password = blobs.Draw(t, "password")
		}
		if c.Will {
			c.WillQoS, c.WillRetain = byte(rapid.IntRange(0, 2).Draw(t, "qos")), yes.Draw(t, "retain")
			c.WillTopic, c.WillPayload = topics.Draw(t, "topic"), blobs.Draw(t, "payload")
		}
		properties := AppendUint16(AppendUint32(nil, PropMaxPacket, 1000), PropReceiveMax, 7)
		will := AppendUser(AppendUint32(nil, PropWillDelay, 3), "k", "v")
		got, err := ParseConnect(next(t, AppendConnect(nil, c, properties, will)).Body)
		if err != nil {
			t.Fatal(err)
		}
		if c.Version == V5 {
			if got.Properties.MaxPacket != 1000 || got.Properties.ReceiveMax != 7 {
				t.Errorf("properties %+v", got.Properties)
			}
			if w := got.WillProperties; c.Will && (w.WillDelay != 3 || len(w.User) != 1 || string(w.User[0].Value) != "v") {
				t.Errorf("properties of the will %+v", w)
			}
		}
		got.Properties, got.WillProperties = Properties{}, Properties{}
		for _, p := range []*ConnectPacket{c, got} { // nothing and none are the same
			for _, b := range []*[]byte{&p.ClientID, &p.User, &p.Password, &p.WillTopic, &p.WillPayload} {
				*b = append([]byte{}, *b...)
			}
		}
		if !reflect.DeepEqual(got, c) {
			t.Errorf("%+v is read as %+v", c, got)
		}
	})
}

// TestSubscribeThereAndBack: likewise for filters, and for what the server answers.
func TestSubscribeThereAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		version, id := versions.Draw(t, "version"), rapid.Uint16Min(1).Draw(t, "id")
		filters := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Subscription {
			s := Subscription{Filter: topics.Draw(t, "filter"), QoS: byte(rapid.IntRange(0, 2).Draw(t, "qos"))}
			if version == V5 {
				s.NoLocal, s.RetainAsPublished = rapid.Bool().Draw(t, "no local"), rapid.Bool().Draw(t, "as published")
				s.RetainHandling = byte(rapid.IntRange(0, 2).Draw(t, "handling"))
			}
			return s
		}), 1, 5).Draw(t, "filters")
		s, err := ParseSubscribe(version, next(t, AppendSubscribe(nil, Subscribe, version, id, filters, nil)).Body)
		if err != nil || s.ID != id || !reflect.DeepEqual(s.Subscriptions, filters) {
			t.Errorf("%+v is read as %+v, %v", filters, s, err)
		}
		u, err := ParseUnsubscribe(version, next(t, AppendSubscribe(nil, Unsubscribe, version, id, filters, nil)).Body)
		if err != nil || u.ID != id || len(u.Subscriptions) != len(filters) || !bytes.Equal(u.Subscriptions[0].Filter, filters[0].Filter) {
			t.Errorf("%+v is read as %+v, %v", filters, u, err)
		}

		reasons := rapid.SliceOfN(rapid.SampledFrom([]Reason{0, 1, 2, Unspecified, NotAuthorized}), 1, 5).Draw(t, "reasons")
		for _, kind := range []Type{Suback, Unsuback} {
			got, list, err := ParseSuback(kind, version, next(t, AppendSuback(nil, kind, version, id, reasons, "why")).Body)
			want := slices.Clone(reasons)
			for i := range want {
				if version == V311 && want[i] >= Unspecified {
					want[i] = Unspecified
				}
			}
			if version == V311 && kind == Unsuback {
				want = nil
			}
			if err != nil || got != id || !slices.Equal(list, want) {
				t.Errorf("%s of %v is read as %v, %v", kind, reasons, list, err)
			}
		}
	})
}

// TestAnswersThereAndBack: what a server writes, a client reads.
func TestAnswersThereAndBack(t *testing.T) {
	for _, version := range []byte{V311, V5} {
		for _, reason := range []Reason{Success, UnsupportedVersion, BadClientID, BadLogin, NotAuthorized, Unavailable, QuotaExceeded} {
			present := reason == Success
			data := AppendConnack(nil, version, present, reason, AppendReasonText(AppendUint16(nil, PropServerKeepAlive, 9), "why"))
			p, err := ParseConnack(version, next(t, data).Body)
			want := reason
			if version == V311 && reason == QuotaExceeded {
				want = Unavailable
			}
			if err != nil || p.Version != version || p.Present != present || p.Reason != want {
				t.Errorf("version %d, reason %#x: %+v, %v", version, reason, p, err)
			}
			if version == V5 && (p.Properties.ServerKeepAlive != 9 || string(p.Properties.ReasonText) != "why") {
				t.Errorf("%+v", p.Properties)
			}
		}
		data := AppendAck(nil, version, 7, NotAuthorized, "why")
		var props Properties
		if id, reason, err := ParseAck(version, next(t, data).Body, &props); err != nil || id != 7 || version == V5 && reason != NotAuthorized {
			t.Errorf("PUBACK %d, %#x, %v", id, reason, err)
		}
	}
	var props Properties
	if reason, err := ParseEnd(next(t, AppendDisconnect(nil, TakenOver, "why")).Body, &props); err != nil || reason != TakenOver || string(props.ReasonText) != "why" {
		t.Errorf("DISCONNECT %#x, %q, %v", reason, props.ReasonText, err)
	}
	if reason, err := ParseDisconnect(V311, next(t, AppendGoodbye(nil)).Body, &props); err != nil || reason != Success {
		t.Errorf("a goodbye: %#x, %v", reason, err)
	}
	for _, data := range [][]byte{AppendPingreq(nil), AppendPingresp(nil)} {
		if err := ParsePing(next(t, data).Body); err != nil {
			t.Error(err)
		}
	}
	h := Head{
		Version: V5, QoS: 1, ID: 7, Topic: []byte("a"),
		Properties: AppendUser(nil, "k", "v"), More: append(AppendVarint([]byte{PropSubscriptionID}, 3), PropSubscriptionID, 4),
	}
	var in PublishPacket
	raw := next(t, h.Append(nil, []byte("x")))
	if err := ParseDelivered(V5, raw.Flags, raw.Body, &in); err != nil || in.ID != 7 || in.Properties.SubscriptionID != 4 || string(in.Payload) != "x" {
		t.Errorf("%+v, %v", in, err)
	}
	if err := ParsePublish(V5, raw.Flags, raw.Body, &in); ReasonOf(err) != ProtocolError {
		t.Errorf("a client's PUBLISH with a subscription identifier: %v", err)
	}
}

// TestAnswersOfOthers: what no server must send is told, and what one of MQTT 3.1.1 answers to a client of MQTT 5 is understood.
func TestAnswersOfOthers(t *testing.T) {
	connack := func(version byte) func([]byte) error {
		return func(b []byte) error { _, err := ParseConnack(version, b); return err }
	}
	suback := func(kind Type, version byte) func([]byte) error {
		return func(b []byte) error { _, _, err := ParseSuback(kind, version, b); return err }
	}
	delivered := func(b []byte) error { return ParseDelivered(V5, 0, b, new(PublishPacket)) }
	for name, row := range map[string]struct {
		parse func([]byte) error
		body  string
		want  Reason
	}{
		"no code":                      {connack(V5), "\x00", Malformed},
		"no properties":                {connack(V5), "\x00\x00\x05", Malformed},
		"flags":                        {connack(V5), "\x02\x00\x00", Malformed},
		"session and refused":          {connack(V5), "\x01\x87\x00", ProtocolError},
		"an odd reason":                {connack(V5), "\x00\x01\x00", Malformed},
		"a client's property":          {connack(V5), "\x00\x00\x05\x18\x00\x00\x00\x01", ProtocolError},
		"QoS 2 as its most":            {connack(V5), "\x00\x00\x02\x24\x02", ProtocolError},
		"no flag":                      {connack(V5), "\x00\x00\x02\x28\x07", ProtocolError},
		"no window":                    {connack(V5), "\x00\x00\x03\x21\x00\x00", ProtocolError},
		"a property twice":             {connack(V5), "\x00\x00\x06\x13\x00\x01\x13\x00\x01", ProtocolError},
		"no UTF-8":                     {connack(V5), "\x00\x00\x04\x12\x00\x01\xff", Malformed},
		"more behind":                  {connack(V5), "\x00\x00\x00\x00", Malformed},
		"a code of 3.1.1":              {connack(V311), "\x00\x06", Malformed},
		"properties in 3.1.1":          {connack(V311), "\x00\x00\x00", Malformed},
		"no reason":                    {suback(Suback, V5), "\x00\x01\x00", ProtocolError},
		"identifier 0":                 {suback(Suback, V5), "\x00\x00\x00\x00", ProtocolError},
		"a QoS of 3":                   {suback(Suback, V5), "\x00\x01\x00\x03", Malformed},
		"a reason in 3.1.1":            {suback(Suback, V311), "\x00\x01\x87", Malformed},
		"reasons of an old UNSUBACK":   {suback(Unsuback, V311), "\x00\x01\x00", Malformed},
		"no reasons of a new UNSUBACK": {suback(Unsuback, V5), "\x00\x01\x00", ProtocolError},
		"too many reasons":             {suback(Suback, V5), "\x00\x01\x00" + strings.Repeat("\x00", maxFilters+1), ProtocolError},
		"a wildcard":                   {delivered, "\x00\x01#\x00", BadTopic},
		"no topic":                     {delivered, "\x00\x00\x00", BadTopic},
		"a topic that is not UTF-8":    {delivered, "\x00\x01\xff\x00", Malformed},
		"a property of CONNECT":        {delivered, "\x00\x01a\x05\x11\x00\x00\x00\x01", ProtocolError},
		"a response topic, two":        {delivered, "\x00\x01a\x08\x08\x00\x01b\x08\x00\x01b", ProtocolError},
		"a session expiry of DISCONNECT": {func(b []byte) error { _, err := ParseEnd(b, new(Properties)); return err },
			"\x00\x05\x11\x00\x00\x00\x01", ProtocolError},
	} {
		if err := row.parse([]byte(row.body)); err == nil || ReasonOf(err) != row.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, row := range []struct {
		body string
		want Reason
	}{{"\x00\x01", UnsupportedVersion}, {"\x00\x00", Success}, {"\x00\x05", NotAuthorized}} {
		p, err := ParseConnack(V5, []byte(row.body))
		if err != nil || p.Version != V311 || p.Reason != row.want {
			t.Errorf("% x: %+v, %v", row.body, p, err)
		}
	}
	if err := delivered([]byte("\x00\x00\x03\x23\x00\x01")); err != nil {
		t.Errorf("an alias: %v", err)
	}
}

// FuzzAnswers: no bytes of a server panic in a client, and what is read of a message is what was written.
func FuzzAnswers(f *testing.F) {
	for _, version := range []byte{V311, V5} {
		f.Add(version, AppendConnack(nil, version, true, Success, AppendUint16(nil, PropReceiveMax, 20)))
		f.Add(version, []byte("\x20\x02\x00\x01"))
		f.Add(version, AppendSuback(nil, Suback, version, 3, []Reason{0, 1, 0x87}, "no"))
		f.Add(version, AppendSuback(nil, Unsuback, version, 3, []Reason{0}, ""))
		f.Add(version, AppendAck(nil, version, 3, NotAuthorized, "no"))
		f.Add(version, AppendDisconnect(nil, TakenOver, "gone"))
		h := Head{Version: version, QoS: 1, ID: 7, Topic: []byte("a/b"), Properties: []byte{PropSubscriptionID, 3, PropSubscriptionID, 4}}
		f.Add(version, h.Append(nil, []byte("21.5")))
	}
	f.Fuzz(func(t *testing.T, version byte, data []byte) {
		if version != V5 {
			version = V311
		}
		p, _, _, ok, err := Next(data, 1<<16)
		if err != nil || !ok {
			return
		}
		var props Properties
		switch p.Type {
		case Connack:
			if c, err := ParseConnack(version, p.Body); err == nil && c.Version > version {
				t.Errorf("version %d answers %d", c.Version, version)
			}
		case Publish:
			var in PublishPacket
			if ParseDelivered(version, p.Flags, p.Body, &in) == nil && !in.Properties.Has(PropTopicAlias) && ValidTopic(in.Topic) != nil {
				t.Errorf("the topic is %q", in.Topic)
			}
		case Suback, Unsuback:
			if id, _, err := ParseSuback(p.Type, version, p.Body); err == nil && id == 0 {
				t.Error("an identifier is 0")
			}
		case Puback:
			_, _, _ = ParseAck(version, p.Body, &props)
		default:
			_, _ = ParseEnd(p.Body, &props)
			_ = ParsePing(p.Body)
		}
	})
}
