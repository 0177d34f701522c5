package packet

import "bytes"

// A ConnectPacket is what a client says first.
type ConnectPacket struct {
	Version    byte
	CleanStart bool
	KeepAlive  uint16 // seconds; 0: none
	ClientID   []byte
	Properties Properties

	Will           bool
	WillQoS        byte
	WillRetain     bool
	WillTopic      []byte
	WillPayload    []byte
	WillProperties Properties

	HasUser, HasPassword bool
	User, Password       []byte
}

// ParseConnect reads the body of a CONNECT. If the version is not spoken, the reason of the error is [UnsupportedVersion], and Version
// is what the client said.
func ParseConnect(body []byte) (*ConnectPacket, error) {
	r := &reader{data: body}
	c := &ConnectPacket{}
	name := r.text("protocol name")
	c.Version = r.byte("protocol level")
	switch {
	case r.err != nil:
		return c, r.err
	case string(name) == "MQIsdp" && c.Version == 3, string(name) == "MQTT" && c.Version != V311 && c.Version != V5:
		return c, &Error{UnsupportedVersion, "only MQTT 3.1.1 and 5 are spoken here"}
	case string(name) != "MQTT":
		return c, &Error{UnsupportedVersion, "the protocol is not MQTT"}
	}
	flags := r.byte("flags")
	c.CleanStart = flags&2 != 0
	c.Will, c.WillQoS, c.WillRetain = flags&4 != 0, flags>>3&3, flags&0x20 != 0
	c.HasPassword, c.HasUser = flags&0x40 != 0, flags&0x80 != 0
	switch {
	case r.err != nil:
	case flags&1 != 0:
		r.fail(malformed("the lowest flag of CONNECT must be 0"))
	case !c.Will && (c.WillQoS != 0 || c.WillRetain), c.WillQoS == 3:
		r.fail(malformed("the flags of the will do not fit together"))
	case c.HasPassword && !c.HasUser && c.Version == V311:
		r.fail(malformed("MQTT 3.1.1 has no password without a user name"))
	}
	c.KeepAlive = r.uint16("keep alive")
	if c.Version == V5 {
		r.properties(&c.Properties, ofConnect, "CONNECT")
		if p := &c.Properties; r.err == nil && p.Has(PropAuthData) && !p.Has(PropAuthMethod) {
			r.fail(protocolError("CONNECT has authentication data without a method"))
		}
	}
	c.ClientID = r.text("client identifier")
	if c.Will {
		if c.Version == V5 {
			r.properties(&c.WillProperties, ofWill, "a will")
		}
		c.WillTopic = r.text("topic of the will")
		c.WillPayload = r.binary("payload of the will")
		if r.err == nil && !isTopic(c.WillTopic) {
			r.fail(&Error{BadTopic, "the topic of the will is empty, or has a wildcard"})
		}
	}
	if c.HasUser {
		c.User = r.text("user name")
	}
	if c.HasPassword {
		c.Password = r.binary("password")
	}
	return c, r.end()
}

// A PublishPacket is a message for others.
type PublishPacket struct {
	Dup, Retain bool
	QoS         byte
	Topic       []byte // checked by ValidTopic, which whoever knows the topic need not call
	ID          uint16 // 0 with QoS 0
	Payload     []byte
	Properties  Properties // of MQTT 5; else empty
}

// ParsePublish reads the body of a client's PUBLISH into p.
func ParsePublish(version, flags byte, body []byte, p *PublishPacket) error {
	return parsePublish(version, flags, body, p, ofPublish)
}

func parsePublish(version, flags byte, body []byte, p *PublishPacket, allowed uint64) error {
	r := reader{data: body}
	p.Dup, p.QoS, p.Retain, p.ID = flags&8 != 0, flags>>1&3, flags&1 != 0, 0
	if p.QoS == 3 || p.QoS == 0 && p.Dup {
		return malformed("PUBLISH cannot have the flags %d", flags)
	}
	p.Topic = r.binary("topic")
	if p.QoS > 0 {
		p.ID = r.id()
	}
	if version == V5 {
		switch {
		case len(r.data) > 0 && r.data[0] == 0: // the usual case
			r.data = r.data[1:]
			if p.Properties.seen != 0 {
				p.Properties = Properties{User: p.Properties.User[:0]}
			}
		default:
			r.properties(&p.Properties, allowed, "PUBLISH")
		}
	} else if p.Properties.seen != 0 {
		p.Properties = Properties{}
	}
	p.Payload = r.data
	return r.err
}

// ValidTopic returns an error unless a PUBLISH may have this topic.
func ValidTopic(topic []byte) error {
	r := reader{data: topic}
	if !validText(topic) {
		r.fail(malformed("its topic is not UTF-8, or has U+0000 in it"))
		return r.err
	}
	if !isTopic(topic) {
		return &Error{BadTopic, "a topic must not be empty, nor have the wildcards + and #"}
	}
	return nil
}

func isTopic(topic []byte) bool { return len(topic) > 0 && !bytes.ContainsAny(topic, "+#") }

// ParseAck reads the body of a PUBACK.
func ParseAck(version byte, body []byte, props *Properties) (id uint16, reason Reason, err error) {
	r := reader{data: body}
	id = r.id()
	if version == V5 && len(r.data) > 0 {
		reason = Reason(r.byte("reason code"))
		if len(r.data) > 0 {
			r.properties(props, ofAck, "PUBACK")
		}
	}
	return id, reason, r.end()
}

// A Subscription is one filter of a SUBSCRIBE.
type Subscription struct {
	Filter            []byte
	QoS               byte
	NoLocal           bool
	RetainAsPublished bool
	RetainHandling    byte // 0: retained messages are sent; 1: if the subscription is new; 2: they are not
}

// A SubscribePacket asks for messages, or asks for none any more: then it is an UNSUBSCRIBE.
type SubscribePacket struct {
	ID            uint16
	Subscriptions []Subscription
	Properties    Properties
}

// maxFilters is how many filters a packet may have.
const maxFilters = 1024

// ParseSubscribe reads the body of a SUBSCRIBE.
func ParseSubscribe(version byte, body []byte) (*SubscribePacket, error) {
	r := &reader{data: body}
	s := &SubscribePacket{ID: r.id()}
	if version == V5 {
		r.properties(&s.Properties, ofSub, "SUBSCRIBE")
	}
	for len(r.data) > 0 && r.err == nil {
		f := r.text("topic filter")
		o := r.byte("options")
		sub := Subscription{Filter: f, QoS: o & 3}
		reserved := o&^byte(3) != 0
		if version == V5 {
			sub.NoLocal, sub.RetainAsPublished, sub.RetainHandling = o&4 != 0, o&8 != 0, o>>4&3
			reserved = o&0xC0 != 0 || sub.RetainHandling == 3
		}
		if r.err == nil && (sub.QoS == 3 || reserved) {
			r.fail(malformed("SUBSCRIBE cannot have the options 0x%02X", o))
		}
		if sub.NoLocal && bytes.HasPrefix(f, []byte(Shared)) {
			r.fail(protocolError("a shared subscription cannot have No Local"))
		}
		r.filter(s, sub)
	}
	return s, r.endFilters(s)
}

// Shared begins the filter of a shared subscription.
const Shared = "$share/"

// ParseUnsubscribe reads the body of an UNSUBSCRIBE.
func ParseUnsubscribe(version byte, body []byte) (*SubscribePacket, error) {
	r := &reader{data: body}
	s := &SubscribePacket{ID: r.id()}
	if version == V5 {
		r.properties(&s.Properties, ofUnsub, "UNSUBSCRIBE")
	}
	for len(r.data) > 0 && r.err == nil {
		r.filter(s, Subscription{Filter: r.text("topic filter")})
	}
	return s, r.endFilters(s)
}

func (r *reader) filter(s *SubscribePacket, sub Subscription) {
	switch {
	case r.err != nil:
	case len(s.Subscriptions) == maxFilters:
		r.fail(&Error{QuotaExceeded, "there are too many topic filters in one packet"})
	default:
		s.Subscriptions = append(s.Subscriptions, sub)
	}
}

func (r *reader) endFilters(s *SubscribePacket) error {
	if r.err == nil && len(s.Subscriptions) == 0 {
		r.fail(protocolError("it has no topic filter"))
	}
	return r.end()
}

// ParseDisconnect reads the body of a client's DISCONNECT.
func ParseDisconnect(version byte, body []byte, props *Properties) (Reason, error) {
	return parseDisconnect(version, body, props, ofEnd)
}

func parseDisconnect(version byte, body []byte, props *Properties, allowed uint64) (Reason, error) {
	r := reader{data: body}
	reason := Success
	*props = Properties{}
	if version == V5 && len(r.data) > 0 {
		reason = Reason(r.byte("reason code"))
		if len(r.data) > 0 {
			r.properties(props, allowed, "DISCONNECT")
		}
	}
	return reason, r.end()
}

// ParsePing checks the body of a PINGREQ or a PINGRESP.
func ParsePing(body []byte) error {
	r := reader{data: body}
	return r.end()
}
