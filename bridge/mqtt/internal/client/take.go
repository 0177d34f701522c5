package client

import (
	"bytes"
	"fmt"

	"sighub/internal/mqtt/packet"
)

// read reads packets until the connection ends.
func (c *Client) read(r *packetReader) {
	r.alive = c.alive * 3 / 2
	for {
		p, err := r.next()
		if err == nil {
			err = c.take(&p)
		}
		if err != nil {
			c.end(err)
			return
		}
	}
}

// take deals with a packet.
func (c *Client) take(p *packet.Raw) (err error) {
	var props packet.Properties
	switch p.Type {
	case packet.Puback:
		var id uint16
		var code packet.Reason
		if id, code, err = packet.ParseAck(c.version, p.Body, &props); err == nil {
			return c.acknowledged(id, code, &props)
		}
	case packet.Suback, packet.Unsuback:
		var id uint16
		var reasons []packet.Reason
		if id, reasons, err = packet.ParseSuback(p.Type, c.version, p.Body); err == nil {
			return c.answered(id, reasons)
		}
	case packet.Publish:
		var in packet.PublishPacket
		if err = packet.ParseDelivered(c.version, p.Flags, p.Body, &in); err == nil {
			return c.delivered(&in)
		}
	case packet.Disconnect:
		if c.version != packet.V5 {
			return fmt.Errorf("%w: a packet %s, which no broker of MQTT 3.1.1 has", ErrProtocol, p.Type)
		}
		var code packet.Reason
		if code, err = packet.ParseEnd(p.Body, &props); err == nil {
			return &RefusedError{What: "go on", Code: code, Reason: string(props.ReasonText)}
		}
	case packet.Pingresp:
		err = packet.ParsePing(p.Body)
	default:
		return fmt.Errorf("%w: a packet %s", ErrProtocol, p.Type)
	}
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrProtocol, p.Type, err)
	}
	return nil
}

func (c *Client) acknowledged(id uint16, code packet.Reason, props *packet.Properties) error {
	f, there := c.land(id)
	if !there || f.done == nil {
		return fmt.Errorf("%w: an acknowledgement of nothing", ErrProtocol)
	}
	var err error
	if code >= packet.Unspecified {
		err = &RefusedError{What: "take what is published to " + f.topic, Code: code, Reason: string(props.ReasonText)}
	}
	f.done(err)
	<-c.slots
	return nil
}

func (c *Client) answered(id uint16, reasons []packet.Reason) error {
	f, there := c.land(id)
	if !there || f.answered == nil {
		return fmt.Errorf("%w: an answer to nothing", ErrProtocol)
	}
	if len(reasons) != f.filters && reasons != nil { // an UNSUBACK of MQTT 3.1.1 has none
		return fmt.Errorf("%w: %d answers for %d filters", ErrProtocol, len(reasons), f.filters)
	}
	f.answered <- reasons
	return nil
}

func (c *Client) delivered(in *packet.PublishPacket) error {
	props := &in.Properties
	switch {
	case in.QoS == 2:
		return fmt.Errorf("%w: a message with QoS 2, which was not asked for", ErrProtocol)
	case props.Has(packet.PropTopicAlias):
		return fmt.Errorf("%w: a message with a topic alias, which was not allowed", ErrProtocol)
	}
	m := &Message{Topic: string(in.Topic), Payload: bytes.Clone(in.Payload), Retain: in.Retain}
	m.ResponseTopic, m.CorrelationData = string(props.ResponseTopic), bytes.Clone(props.Correlation)
	for _, u := range props.User {
		m.User = append(m.User, User{Key: string(u.Name), Value: string(u.Value)})
	}
	c.handle(m)
	if in.QoS == 0 {
		return nil
	}
	return c.write(func(b []byte) []byte { return packet.AppendAck(b, c.version, in.ID, packet.Success, "") })
}
