package mqtt

import (
	"time"

	"sighub/carrier"
	"sighub/internal/mqtt/packet"
	"sighub/internal/mqtt/topic"
)

// statesTold are the senders that have connected or disconnected while the client is being told which ones are connected: what it was
// told at the time is newer than the list. The session's lock guards them.
type statesTold struct {
	lists int // that are being told
	newer map[string]bool
}

// maxNewer is how many of them are remembered.
const maxNewer = 4096

// stateTold notes that the client is told of a sender that connects or disconnects.
func (a *asking) stateTold(sender string) {
	if t := &a.states; t.lists > 0 && len(t.newer) < maxNewer {
		if t.newer == nil {
			t.newer = make(map[string]bool)
		}
		t.newer[sender] = true
	}
}

// tellStates tells the client which senders are connected, as far as a subscription has their topics, with messages that are retained.
// The turn is the caller's.
func (c *session) tellStates(sub *subscription) {
	c.mu.Lock()
	c.asking.states.lists++
	c.mu.Unlock()
	c.nextStates(sub, "")
}

// nextStates tells those behind a name. The turn is the caller's.
func (c *session) nextStates(sub *subscription, after string) {
	params := carrier.Object{{Key: "limit", Value: 500}}
	if after != "" {
		params = append(params, carrier.Field{Key: "after", Value: after})
	}
	c.message("list_senders", params, func(r carrier.Reply) {
		last, more := c.tellPage(sub, &r)
		if more {
			c.later(func() {
				c.turn.Unlock()
				c.awaitRead()
				c.turn.Lock()
				c.nextStates(sub, last)
			}, true)
			return
		}
		c.mu.Lock()
		if t := &c.asking.states; t.lists > 0 {
			if t.lists--; t.lists == 0 {
				t.newer = nil
			}
		}
		c.mu.Unlock()
	})
}

// awaitRead waits until the client has read most of what waits for it.
func (c *session) awaitRead() {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := time.NewTimer(flushTime)
	defer t.Stop()
	for c.replies > maxReplies/4 && c.err == nil && !c.closed {
		if !wait(&c.writer, t.C) {
			return
		}
	}
}

// tellPage tells what a page of the list says. It returns the last name in it, and whether there are more.
func (c *session) tellPage(sub *subscription, r *carrier.Reply) (last string, more bool) {
	if r.Status != carrier.StatusDone {
		return "", false
	}
	ended := false
	_ = r.Response.Items(func(v carrier.Value) error { // what is not a list has no items
		var name string
		var connected, isNull bool
		err := v.Fields(func(key string, v carrier.Value) error {
			switch key {
			case "sender":
				if isNull = v.IsNull(); !isNull {
					return v.Decode(&name)
				}
			case "connected":
				return v.Decode(&connected)
			}
			return nil
		})
		if err != nil || isNull {
			ended = true
			return err
		}
		last = name
		c.tellState(sub, name, connected)
		return nil
	})
	c.flush()
	exact := sub.filter.Sender
	return last, !ended && last != "" && (exact == "" || last < exact)
}

// tellState tells the client whether a sender is connected.
func (c *session) tellState(sub *subscription, name string, connected bool) {
	text := topic.Of(name, topic.Connect)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !sub.tells(text) || c.asking.states.newer[name] || c.err != nil || c.subs[sub.filter.String()] != sub {
		return
	}
	h := packet.Head{Version: c.version, Retain: true, Topic: []byte(text)}
	if c.version == packet.V5 {
		h.Properties = withID(nil, sub)
	}
	payload := stateOf(nil, connected)
	if h.Size(len(payload)) <= c.maxPacket {
		c.reply(func(b []byte) []byte { return h.Append(b, payload) })
	}
}
