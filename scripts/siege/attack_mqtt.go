//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"sighub/internal/mqtt/packet"
)

// An mqttHello is what an attacker says of itself in a CONNECT of MQTT 5.
type mqttHello struct {
	client     string
	clean      bool
	properties []byte
	will       string // its topic; empty: none
}

// mqtt connects as a client of MQTT 5, and returns when the hub has let it in.
func (t *target) mqtt(ctx context.Context, h mqttHello) (*client, error) {
	c, err := t.dial(ctx)
	if err != nil {
		return nil, err
	}
	flags := byte(0)
	payload := packet.AppendText(nil, h.client)
	if h.clean {
		flags |= 1 << 1
	}
	if h.will != "" {
		flags |= 1<<2 | 1<<3 // at QoS 1
		payload = packet.AppendText(packet.AppendText(append(payload, 0), h.will), "gone")
	}
	if t.token != "" {
		flags |= 1<<7 | 1<<6
		payload = packet.AppendText(packet.AppendText(payload, fewName), t.token)
	}
	body := append(packet.AppendText(nil, "MQTT"), packet.V5, flags, 0, 0)
	body = append(packet.AppendVarint(body, len(h.properties)), h.properties...)
	err = c.put(mqttPacket(packet.Connect, 0, append(body, payload...)))
	if err == nil {
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second)) // it fails if the connection has ended, as reading does
		err = c.skip(packet.Connack)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// skip reads packets until one of a type.
func (c *client) skip(until packet.Type) error {
	for {
		first, err := c.in.ReadByte()
		if err != nil {
			return err
		}
		n, err := binary.ReadUvarint(c.in) // in the same form
		if err != nil {
			return err
		}
		if _, err := io.CopyN(io.Discard, c.in, int64(min(n, 1<<28))); err != nil {
			return err
		}
		if packet.Type(first>>4) == until {
			return nil
		}
	}
}

func mqttPacket(t packet.Type, flags byte, body []byte) []byte {
	return append(packet.AppendVarint([]byte{byte(t)<<4 | flags}, len(body)), body...)
}

// mqttSubscribe returns a SUBSCRIBE at QoS 1.
func mqttSubscribe(id uint16, properties []byte, filters ...string) []byte {
	body := append(packet.AppendVarint([]byte{byte(id >> 8), byte(id)}, len(properties)), properties...)
	for _, f := range filters {
		body = append(packet.AppendText(body, f), 1)
	}
	return mqttPacket(packet.Subscribe, 2, body)
}

// mqttPublish returns a PUBLISH; with identifier 0 at QoS 0, else at QoS 1.
func mqttPublish(id uint16, topic string, payload []byte) []byte {
	h := packet.Head{Version: packet.V5, Topic: []byte(topic), ID: id}
	if id > 0 {
		h.QoS = 1
	}
	return h.Append(nil, payload)
}

// mqttDeaf are subscribers to everything that read nothing, of each policy, some with sessions that are kept, while others of them publish
// long messages as fast as they can, and read no acknowledgement.
func mqttDeaf(ctx context.Context, t *target) {
	payload := bytes.Repeat([]byte("m"), 100_000)
	repeat(ctx, 52, func(ctx context.Context, i int) error {
		h := mqttHello{client: fmt.Sprint("deaf", i), clean: i%2 == 0, properties: packet.AppendUint16(nil, packet.PropReceiveMax, 65_535)}
		if i%2 == 1 {
			h.properties = packet.AppendUint32(h.properties, packet.PropSessionExpiry, 1<<32-1)
		}
		c, err := t.mqtt(ctx, h)
		if err != nil {
			return err
		}
		defer c.Close()
		c.deaf()
		if i >= 48 {
			for n := uint16(1); ctx.Err() == nil; n = max(n+1, 1) {
				if err := c.put(mqttPublish(n, fmt.Sprintf("few%d/e", i), payload)); err != nil {
					return err
				}
			}
			return nil
		}
		policy := packet.AppendUser(nil, "policy", []string{"block", "latest", "disconnect"}[i%3])
		if err := c.put(mqttSubscribe(1, policy, preySender+"/#", "few/#", "+/_gap")); err != nil {
			return err
		}
		c.hang(ctx)
		return nil
	})
}

// mqttSessions are clients with a new identifier each time, that want their sessions kept for ever, with many long filters and a will, and
// go without a word; and some that take over the same session from each other.
func mqttSessions(ctx context.Context, t *target) {
	forever := packet.AppendUint32(nil, packet.PropSessionExpiry, 1<<32-1)
	long := strings.Repeat("s", 200)
	repeat(ctx, 16, func(ctx context.Context, i int) error {
		for n := 0; ; n++ {
			name := fmt.Sprint("session", i, "-", n)
			if i%4 == 0 {
				name = "the same"
			}
			c, err := t.mqtt(ctx, mqttHello{client: name, properties: forever, will: fmt.Sprintf("few%d/will", i)})
			if err != nil {
				return err
			}
			for id := range uint16(32) {
				var filters []string
				for k := range 16 {
					filters = append(filters, fmt.Sprintf("%s/%d-%d/e", long, id, k))
				}
				if err = c.put(mqttSubscribe(id+1, nil, filters...)); err != nil {
					break
				}
			}
			c.Close()
			if err != nil {
				return err
			}
		}
	})
}

// mqttGarbage are clients that are let in, and then say what no client may: packets that are damaged, of a server's, out of order, or too
// long; topics that stand for nothing; more aliases, acknowledgements and identifiers than there are.
func mqttGarbage(ctx context.Context, t *target) {
	text := func(s string) []byte { return packet.AppendText(nil, s) }
	evil := "few\x1b]0;evil\a\u202e"
	said := [][]byte{
		mqttPacket(packet.Connack, 0, []byte{0, 0, 0}), mqttPacket(packet.Puback, 0, []byte{0, 9}), mqttPacket(packet.Puback, 5, []byte{0, 9}),
		mqttPacket(packet.Pubrel, 2, []byte{0, 9}), mqttPacket(packet.Publish, 6, text("few/e")), mqttPacket(packet.Publish, 4, append(text("few/e"), 0, 1, 0)),
		mqttPacket(packet.Publish, 0, append(text(""), 3, packet.PropTopicAlias, 255, 255)), mqttPacket(packet.Publish, 0, append(text("few/#"), 0)),
		mqttPacket(packet.Publish, 0, append(text(evil), 0)), mqttPublish(1, "few/"+evil, []byte("1")), mqttPublish(1, "few/e", []byte(evil)),
		mqttPublish(0, "$SYS/few", []byte("1")), mqttPublish(1, "_answer/x", []byte("1")), mqttPublish(1, preySender+"/"+tick, []byte("66")),
		mqttPublish(1, "few/_state", []byte("1")), mqttPublish(1, preySender+"/_request/m", []byte("{")), mqttSubscribe(0, nil, "few/e"),
		mqttSubscribe(1, nil), mqttSubscribe(1, nil, "a/#/b", "+a", "$share/g/few/e", evil), mqttPacket(packet.Unsubscribe, 2, []byte{0, 1, 0}),
		{byte(packet.Publish) << 4, 0xff, 0xff, 0xff, 0xff, 0x7f}, {byte(packet.Publish) << 4, 0xff, 0xff, 0xff, 0x7f}, {0, 0}, {0xf0, 0},
	}
	repeat(ctx, 8, func(ctx context.Context, i int) error {
		for n := i; ; {
			c, err := t.mqtt(ctx, mqttHello{client: fmt.Sprint("garbage", i), clean: true})
			if err != nil {
				return err
			}
			for ; err == nil; n++ {
				if err = c.put(said[n%len(said)]); err == nil {
					_ = c.SetReadDeadline(time.Now().Add(5 * time.Millisecond)) // it fails if the connection has ended, as reading does
					_, err = io.Copy(io.Discard, c.in)                          // whatever the hub says
					if errors.Is(err, os.ErrDeadlineExceeded) {
						err = nil
					} else if err == nil {
						err = io.EOF
					}
				}
			}
			c.Close()
		}
	})
}
