package mqtt_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"sighub/carrier/mqtt"
	"sighub/internal/mqtt/packet"
)

// TestConnects: what a client says first, and what it hears.
func TestConnects(t *testing.T) {
	w := newWorld(t, worldOptions{})
	connect := func(name string, level, flags byte, rest ...byte) []byte {
		return frame(packet.Connect, 0, append(append(packet.AppendText(nil, name), level, flags, 0, 0), rest...))
	}
	id := packet.AppendText(nil, "x")
	v5 := func(props ...byte) []byte { return append(append([]byte{byte(len(props))}, props...), id...) }
	const closed = 0xFFF // without an answer
	for name, c := range map[string]struct {
		say  []byte
		want int
	}{
		"3.1.1":                     {connect("MQTT", 4, 2, id...), 0},
		"5":                         {connect("MQTT", 5, 2, v5()...), 0},
		"3.1":                       {connect("MQIsdp", 3, 2, id...), 1},
		"version 6":                 {connect("MQTT", 6, 2, v5()...), 0x84},
		"another protocol":          {connect("MQXX", 4, 2, id...), 1},
		"reserved flag":             {connect("MQTT", 4, 3, id...), 3},
		"reserved flag, 5":          {connect("MQTT", 5, 3, v5()...), 0x81},
		"will QoS without a will":   {connect("MQTT", 5, 2|8, v5()...), 0x81},
		"will QoS 3":                {connect("MQTT", 5, 2|4|0x18, v5()...), 0x81},
		"password without a name":   {connect("MQTT", 4, 2|0x40, id...), 3},
		"no client id, kept":        {connect("MQTT", 4, 0, 0, 0), 2},
		"no client id":              {connect("MQTT", 4, 2, 0, 0), 0},
		"no client id, 5, kept":     {connect("MQTT", 5, 0, 0, 0, 0), 0},
		"client id not UTF-8":       {connect("MQTT", 5, 2, 0, 0, 1, 0xff), 0x81},
		"client id with NUL":        {connect("MQTT", 5, 2, 0, 0, 1, 0), 0x81},
		"client id no name":         {connect("MQTT", 5, 2, 0, 0, 1, '\n'), 0x85},
		"more than it should":       {connect("MQTT", 4, 2, append(id, 0)...), 3},
		"less than it should":       {connect("MQTT", 4, 2|4, id...), 3},
		"Receive Maximum 0":         {connect("MQTT", 5, 2, v5(0x21, 0, 0)...), 0x82},
		"Maximum Packet Size 0":     {connect("MQTT", 5, 2, v5(0x27, 0, 0, 0, 0)...), 0x82},
		"property twice":            {connect("MQTT", 5, 2, v5(0x21, 0, 1, 0x21, 0, 1)...), 0x82},
		"property of another":       {connect("MQTT", 5, 2, v5(0x24, 1)...), 0x82},
		"property of nobody":        {connect("MQTT", 5, 2, v5(0x7f, 1)...), 0x82},
		"properties too long":       {connect("MQTT", 5, 2, 0x7f), 0x81},
		"authentication method":     {connect("MQTT", 5, 2, v5(0x15, 0, 1, 'x')...), 0x8C},
		"authentication data alone": {connect("MQTT", 5, 2, v5(0x16, 0, 1, 'x')...), 0x82},
		"will QoS 2":                {connect("MQTT", 5, 2|4|0x10, append(v5(), 0, 0, 3, 'a', '/', 'b', 0, 0)...), 0x9B},
		"will with a wildcard":      {connect("MQTT", 5, 2|4, append(v5(), 0, 0, 3, 'a', '/', '#', 0, 0)...), 0x90},
		"will of one level":         {connect("MQTT", 5, 2|4, append(v5(), 0, 0, 1, 'a', 0, 0)...), 0x90},
		"flags of the packet":       {append([]byte{0x11}, connect("MQTT", 4, 2, id...)[1:]...), closed},
		"a long length":             {[]byte{0x10, 0xff, 0xff, 0xff, 0xff, 1}, closed},
		"a padded length":           {[]byte{0x10, 0x80, 0}, closed},
		"too large":                 {[]byte{0x10, 0xff, 0xff, 0x7f}, closed},
	} {
		t.Run(name, func(t *testing.T) {
			p := w.dial(4)
			p.send(c.say)
			typ, _, body, err := p.next()
			switch {
			case c.want == closed && err == nil:
				t.Errorf("it is answered with %s % x", typ, body)
			case c.want == closed:
			case err != nil || typ != packet.Connack || int(body[1]) != c.want:
				t.Errorf("got %s % x (%v), want %#x", typ, body, err, c.want)
			}
			if c.want != 0 && err == nil {
				p.closed()
			}
		})
	}
}

// TestPackets: what a client says later, and how it ends.
func TestPackets(t *testing.T) {
	publish := func(flags byte, rest ...byte) []byte { return frame(packet.Publish, flags, rest) }
	for name, c := range map[string]struct {
		say   []byte
		want  packet.Reason // of MQTT 5; 3.1.1 closes
		only5 bool
	}{
		"CONNECT again":             {say: hello{id: "x"}.packet(5), want: 0x82},
		"type 0":                    {say: []byte{0, 0}, want: 0x81},
		"CONNACK":                   {say: frame(packet.Connack, 0, []byte{0, 0}), want: 0x82},
		"PUBREC":                    {say: frame(packet.Pubrec, 0, []byte{0, 1}), want: 0x82},
		"PUBREL":                    {say: frame(packet.Pubrel, 2, []byte{0, 1}), want: 0x82},
		"PINGRESP":                  {say: frame(packet.Pingresp, 0, nil), want: 0x82},
		"AUTH":                      {say: frame(packet.Auth, 0, nil), want: 0x82},
		"PINGREQ with a body":       {say: frame(packet.Pingreq, 0, []byte{1}), want: 0x81},
		"PINGREQ with flags":        {say: frame(packet.Pingreq, 1, nil), want: 0x81},
		"PUBLISH with QoS 2":        {say: publish(4, 0, 3, 'a', '/', 'b', 0, 1, 0), want: 0x9B},
		"PUBLISH with QoS 3":        {say: publish(6, 0, 3, 'a', '/', 'b', 0, 1, 0), want: 0x81},
		"PUBLISH, QoS 0, DUP":       {say: publish(8, 0, 3, 'a', '/', 'b', 0), want: 0x81},
		"PUBLISH with identifier 0": {say: publish(2, 0, 3, 'a', '/', 'b', 0, 0, 0), want: 0x82},
		"PUBLISH cut":               {say: publish(2, 0, 3, 'a'), want: 0x81},
		"PUBLISH without a topic":   {say: publish(0, 0, 0, 0), want: 0x82},
		"PUBLISH to a wildcard":     {say: publish(0, 0, 3, 'a', '/', '+', 0), want: 0x90},
		"PUBLISH to a bad text":     {say: publish(0, 0, 3, 'a', '/', 0xff, 0), want: 0x81},
		"PUBLISH with NUL":          {say: publish(0, 0, 3, 'a', '/', 0, 0), want: 0x81},
		"topic alias":               {say: publish(0, 0, 3, 'a', '/', 'b', 3, 0x23, 0, 1), want: 0x94, only5: true},
		"subscription identifier":   {say: publish(0, 0, 3, 'a', '/', 'b', 2, 0x0B, 1), want: 0x82, only5: true},
		"payload format 2":          {say: publish(0, 0, 3, 'a', '/', 'b', 2, 1, 2), want: 0x82, only5: true},
		"response to a wildcard":    {say: publish(0, append(append([]byte{0, 12}, "a/_request/x"...), 4, 8, 0, 1, '#')...), want: 0x82, only5: true},
		"SUBSCRIBE of nothing":      {say: frame(packet.Subscribe, 2, []byte{0, 1, 0}), want: 0x82, only5: true},
		"SUBSCRIBE of nothing, 3":   {say: frame(packet.Subscribe, 2, []byte{0, 1}), want: 0x81},
		"SUBSCRIBE without flags":   {say: frame(packet.Subscribe, 0, []byte{0, 1, 0, 0, 1, 'a', 0}), want: 0x81},
		"SUBSCRIBE with QoS 3":      {say: frame(packet.Subscribe, 2, []byte{0, 1, 0, 0, 1, 'a', 3}), want: 0x81},
		"SUBSCRIBE, reserved":       {say: frame(packet.Subscribe, 2, []byte{0, 1, 0, 0, 1, 'a', 0xC0}), want: 0x81},
		"SUBSCRIBE, retain 3":       {say: frame(packet.Subscribe, 2, []byte{0, 1, 0, 0, 1, 'a', 0x30}), want: 0x81},
		"SUBSCRIBE, identifier 0":   {say: frame(packet.Subscribe, 2, []byte{0, 0, 0, 0, 1, 'a', 0}), want: 0x82},
		"SUBSCRIBE, property 0":     {say: frame(packet.Subscribe, 2, []byte{0, 1, 2, 0x0B, 0, 0, 1, 'a', 0}), want: 0x82, only5: true},
		"UNSUBSCRIBE of nothing":    {say: frame(packet.Unsubscribe, 2, []byte{0, 1, 0}), want: 0x82, only5: true},
		"shared, No Local":          {say: frame(packet.Subscribe, 2, append(append([]byte{0, 1, 0, 0, 10}, "$share/g/a"...), 4)), want: 0x82, only5: true},
		"PUBACK cut":                {say: frame(packet.Puback, 0, []byte{1}), want: 0x81},
		"PUBACK of 0":               {say: frame(packet.Puback, 0, []byte{0, 0}), want: 0x82},
		"DISCONNECT, property":      {say: frame(packet.Disconnect, 0, []byte{0, 2, 0x24, 1}), want: 0x82, only5: true},
		"DISCONNECT, kept after all": {
			say: frame(packet.Disconnect, 0, []byte{0, 5, 0x11, 0, 0, 0, 9}), want: 0x82, only5: true,
		},
		"too large": {say: append([]byte{0x30, 0xff, 0xff, 0xff, 0x7f}, bytes.Repeat([]byte{0}, 100)...), want: 0x95},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, worldOptions{})
			for _, v := range []byte{4, 5} {
				if v == 4 && c.only5 {
					continue
				}
				p, _ := w.connect(v, hello{id: "x"})
				p.send(c.say)
				if got := p.closed(); v == 5 && got != c.want {
					t.Errorf("DISCONNECT %02x, want %02x", got, c.want)
				}
			}
		})
	}
}

// TestConnack: what the CONNACK of MQTT 5 promises.
func TestConnack(t *testing.T) {
	w := newWorld(t, worldOptions{Options: mqtt.Options{Limits: mqtt.Limits{Window: 300, MaxMessage: 70000}}})
	_, ack := w.connect(5, hello{props: []byte{packet.PropRequestResponse, 1}})
	for what, want := range map[string][]byte{
		"Maximum QoS": {packet.PropMaxQoS, 1}, "Receive Maximum": {packet.PropReceiveMax, 1, 44},
		"Maximum Packet Size": {packet.PropMaxPacket, 0, 1, 17, 112}, "no shared subscriptions": {packet.PropSharedAvailable, 0},
		"Assigned Client Identifier": append([]byte{packet.PropAssignedID, 0, 23}, "sighub-"...),
		"Response Information":       append([]byte{packet.PropResponseInfo, 0, 32}, "_answer/sighub-"...),
	} {
		if !bytes.Contains(ack, want) {
			t.Errorf("%s is not in % x", what, ack)
		}
	}
	p, _ := w.connect(5, hello{id: "greedy"})
	for i := range uint16(2000) { // nobody acknowledges so fast
		if _, err := p.Write(p.publishPacket("a/b", strings.Repeat("x", 500), i+1)); err != nil {
			break
		}
	}
}

// TestKeepAlive: a client that is silent for one and a half times its keep alive has gone.
func TestKeepAlive(t *testing.T) {
	w := newWorld(t, worldOptions{})
	began := time.Now() // the hub counts from a later moment
	p, _ := w.connect(5, hello{id: "silent", keepAlive: 1})
	if r := p.closed(); r != packet.KeepAliveTimeout {
		t.Errorf("DISCONNECT %02x", r)
	}
	if took := time.Since(began); took < 1400*time.Millisecond {
		t.Errorf("it is closed after %v", took)
	}
	half, _ := newWorld(t, worldOptions{Options: mqtt.Options{Limits: mqtt.Limits{MessageTimeout: 50 * time.Millisecond}}}).connect(5, hello{id: "half"})
	half.send([]byte{0x30, 10, 0})
	half.closed()
}

// TestTakeOver: a client takes the place of a connection with the same identifier.
func TestTakeOver(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		w := newWorld(t, worldOptions{})
		first, _ := w.connect(v, hello{id: "one"})
		first.publish("pump/state", "1")
		second, _ := w.connect(v, hello{id: "one"})
		if r := second.publish("pump/state", "2"); r != 0 {
			t.Errorf("PUBACK %02x", r)
		}
		if r := first.closed(); v == 5 && r != packet.TakenOver {
			t.Errorf("DISCONNECT %02x", r)
		}
	})
}

// TestFlowControl: no more messages are sent than the client takes, and none that are larger.
func TestFlowControl(t *testing.T) {
	w := newWorld(t, worldOptions{})
	p, _ := w.connect(5, hello{id: "p", props: append(packet.AppendUint16(nil, packet.PropReceiveMax, 3), packet.AppendUint32(nil, packet.PropMaxPacket, 400)...)})
	p.send(p.subscribePacket(7, 1, append([]byte{packet.PropSubscriptionID, 5}, packet.AppendUser(nil, "policy", "latest")...), "a/#"))
	p.suback()
	pub, _ := w.connect(5, hello{id: "pub"})
	for range 10 {
		pub.publish("a/b", "1")
	}
	var ids []uint16
	for len(ids) < 3 {
		g := p.message()
		if g.props.SubscriptionID != 5 {
			t.Errorf("the Subscription Identifier is %d", g.props.SubscriptionID)
		}
		if g.qos > 0 {
			ids = append(ids, g.id)
		}
	}
	p.ping() // nothing else comes before this is answered
	for _, id := range ids {
		p.send(pubackPacket(id))
	}
	p.message()
	_ = p.Close()
	q, _ := w.connect(5, hello{id: "q", props: packet.AppendUint32(nil, packet.PropMaxPacket, 400)})
	q.subscribe(1, "a/b", "a/_gap")
	pub.publish("a/b", `"`+strings.Repeat("x", 1000)+`"`)
	pub.publish("a/b", "2")
	told, heard := 0, 0
	for range 2 { // what is on its way already comes before the gap
		switch g := q.take(); {
		case g.topic == "a/_gap" && strings.Contains(g.payload, `"count":1,`) && strings.Contains(g.payload, `"size"`):
			told++
		case g.topic == "a/b" && g.payload == "2":
			heard++
		default:
			t.Errorf("heard %v", g)
		}
	}
	if told != 1 || heard != 1 {
		t.Errorf("%d gaps are told, and %d events heard", told, heard)
	}
}

// TestOptions: what a subscription of MQTT 5 may ask for, and its end.
func TestOptions(t *testing.T) {
	w := newWorld(t, worldOptions{})
	p, _ := w.connect(5, hello{id: "p"})
	p.send(p.subscribePacket(7, 1, []byte{packet.PropSubscriptionID, 1}, "pump/n"))
	p.suback()
	p.send(p.subscribePacket(7, 1|4|8, []byte{packet.PropSubscriptionID, 2}, "+/n")) // No Local, Retain As Published
	p.suback()
	p.send(p.subscribePacket(7, 2, []byte{packet.PropSubscriptionID, 3}, "+/n/x", "#"))
	if got := p.suback(); string(got) != "\x01\x01" {
		t.Errorf("QoS 2 is granted as % x", got)
	}
	hear := func(want map[uint32]bool) { // by identifier, whether it is said to be retained
		t.Helper()
		got := map[uint32]bool{}
		for len(got) < len(want) {
			g := p.event()
			got[g.props.SubscriptionID] = g.retain
		}
		p.ping2()
		for id, retain := range want {
			if r, ok := got[id]; !ok || r != retain {
				t.Errorf("heard by subscriptions %v, want %v", got, want)
			}
		}
	}
	p.send(p.publishPacket("pump/n", "1", 0))
	hear(map[uint32]bool{1: false, 3: false})
	other, _ := w.connect(5, hello{id: "other"})
	other.publish("fan/n", "1")
	hear(map[uint32]bool{2: true, 3: false})
	p.send(p.subscribePacket(7, 0, []byte{packet.PropSubscriptionID, 9}, "+/n")) // in the place of the one before
	p.suback()
	other.publish("fan/n", "2")
	hear(map[uint32]bool{9: false, 3: false})
	p.send(p.unsubscribePacket(8, "#", "+/n", "pump/n", "nothing/x"))
	if body := p.expect(packet.Unsuback); string(body[3:]) != "\x00\x00\x00\x11" {
		t.Errorf("UNSUBACK % x", body)
	}
	other.publish("fan/n", "3")
	p.ping()
}
