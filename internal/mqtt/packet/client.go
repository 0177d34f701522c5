package packet

import "encoding/binary"

// AppendConnect appends a CONNECT: what p says, but for its properties and those of its will, which are given as they are written. Version
// 3.1.1 has none.
func AppendConnect(dst []byte, p *ConnectPacket, properties, will []byte) []byte {
	head := append(AppendText(nil, "MQTT"), p.Version, p.flags())
	head = binary.BigEndian.AppendUint16(head, p.KeepAlive)
	tail := AppendText(nil, p.ClientID)
	if p.Will {
		if p.Version == V5 {
			tail = append(AppendVarint(tail, len(will)), will...)
		}
		tail = AppendText(AppendText(tail, p.WillTopic), p.WillPayload)
	}
	if p.HasUser {
		tail = AppendText(tail, p.User)
	}
	if p.HasPassword {
		tail = AppendText(tail, p.Password)
	}
	return appendPacket(dst, Connect, head, properties, tail, p.Version)
}

func (p *ConnectPacket) flags() (bits byte) {
	for i, on := range [...]bool{1: p.CleanStart, 2: p.Will, 5: p.WillRetain, 6: p.HasPassword, 7: p.HasUser} {
		if on {
			bits |= 1 << i
		}
	}
	return bits | p.WillQoS<<3
}

// A ConnackPacket is what a server answers to CONNECT.
type ConnackPacket struct {
	Version    byte // that of the server: [V311] if it has answered in its own way to a client of MQTT 5
	Present    bool // the server has a session of the client's
	Reason     Reason
	Properties Properties // of MQTT 5; else empty
}

// oldReasons are the reasons that MQTT 3.1.1 has for refusing a CONNECT, by their codes (table 3.1).
var oldReasons = [...]Reason{Success, UnsupportedVersion, BadClientID, Unavailable, BadLogin, NotAuthorized}

// ParseConnack reads the body of a CONNACK, which answers a CONNECT of the given version. A server that knows MQTT 3.1.1 alone answers
// without properties, whoever asks.
func ParseConnack(version byte, body []byte) (*ConnackPacket, error) {
	r := &reader{data: body}
	if len(body) == 2 {
		version = V311
	}
	p := &ConnackPacket{Version: version}
	flags := r.byte("flags")
	code := r.byte("reason code")
	p.Present, p.Reason = flags&1 != 0, Reason(code)
	switch {
	case r.err != nil:
	case flags > 1:
		r.fail(malformed("CONNACK cannot have the flags 0x%02X", flags))
	case p.Present && code != 0:
		r.fail(protocolError("CONNACK has a session, and refuses the client"))
	case version == V5 && code > 0 && code < 0x80:
		r.fail(malformed("CONNACK cannot have the reason code 0x%02X", code))
	case version == V5:
		r.properties(&p.Properties, ofAnswer, "CONNACK")
	case int(code) < len(oldReasons):
		p.Reason = oldReasons[code]
	default:
		r.fail(malformed("CONNACK of MQTT 3.1.1 cannot have the code %d", code))
	}
	return p, r.end()
}

// ParseDelivered reads the body of a server's PUBLISH into p. Of several subscription identifiers, the last one is kept.
func ParseDelivered(version, flags byte, body []byte, p *PublishPacket) error {
	if err := parsePublish(version, flags, body, p, ofDelivered); err != nil {
		return err
	}
	if p.Properties.Has(PropTopicAlias) && len(p.Topic) == 0 {
		return nil // whoever has allowed aliases knows the topic
	}
	return ValidTopic(p.Topic)
}

// AppendSubscribe appends a SUBSCRIBE, or an UNSUBSCRIBE of the same filters. There must be one, at least.
func AppendSubscribe(dst []byte, t Type, version byte, id uint16, filters []Subscription, properties []byte) []byte {
	var tail []byte
	for _, f := range filters {
		tail = AppendText(tail, f.Filter)
		if t == Subscribe {
			tail = append(tail, f.options(version))
		}
	}
	return appendPacket(dst, t, []byte{byte(id >> 8), byte(id)}, properties, tail, version)
}

func (s *Subscription) options(version byte) byte {
	bits := s.QoS
	if version != V5 {
		return bits
	}
	if s.NoLocal {
		bits |= 4
	}
	if s.RetainAsPublished {
		bits |= 8
	}
	return bits | s.RetainHandling<<4
}

// ParseSuback reads the body of a SUBACK or an UNSUBACK: a reason for each filter, which for a SUBACK is the QoS that is granted, or at
// least 0x80. An UNSUBACK of MQTT 3.1.1 has no reasons.
func ParseSuback(t Type, version byte, body []byte) (id uint16, reasons []Reason, err error) {
	r := reader{data: body}
	id = r.id()
	if version == V5 {
		var props Properties
		r.properties(&props, ofAck, t.String())
	} else if t == Unsuback {
		return id, nil, r.end()
	}
	if r.err == nil && len(r.data) == 0 {
		r.fail(protocolError("%s has no reason", t))
	}
	for len(r.data) > 0 {
		code := r.byte("reason code")
		switch {
		case t == Suback && code > 2 && code < 0x80, version != V5 && code > 0x80:
			r.fail(malformed("%s cannot have the reason code 0x%02X", t, code))
		case len(reasons) == maxFilters:
			r.fail(protocolError("%s has more reasons than a packet has filters", t))
		}
		reasons = append(reasons, Reason(code))
	}
	return id, reasons, r.end()
}

// AppendPingreq appends a PINGREQ.
func AppendPingreq(dst []byte) []byte { return append(dst, byte(Pingreq)<<4, 0) }

// AppendGoodbye appends the DISCONNECT of a client that goes in order, so that the server forgets its will. It is the same in both versions.
func AppendGoodbye(dst []byte) []byte { return append(dst, byte(Disconnect)<<4, 0) }

// ParseEnd reads the body of a server's DISCONNECT, which only MQTT 5 has.
func ParseEnd(body []byte, props *Properties) (Reason, error) {
	return parseDisconnect(V5, body, props, ofServerEnd)
}
