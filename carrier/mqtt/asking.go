package mqtt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"sighub/carrier"
	"sighub/internal/mqtt/packet"
	"sighub/internal/mqtt/topic"
	"sighub/internal/plain"
	"sighub/internal/safetext"
)

// requestPlaces is how many requests of others a client may leave unanswered.
const requestPlaces = 64

// asking is what a client is asked, and has not answered. The session's lock guards it.
type asking struct {
	waiting map[uint64]*asked
	order   map[string][]uint64 // by the topic of answers, the oldest first
	states  statesTold
}

// An asked request is one that the client has not answered.
type asked struct {
	answers string // the topic of answers
	timer   *time.Timer
}

func (a *asking) init() {
	a.waiting = make(map[uint64]*asked)
	a.order = make(map[string][]uint64)
}

// endAsking stops all timers.
func (c *session) endAsking() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, q := range c.asking.waiting {
		q.timer.Stop()
	}
	c.asking.init()
}

// addAsked adds the sender whose requests the client wants to answer, as a filter says. One that another client has it cannot have.
func (c *session) addAsked(f *topic.Filter, respond func(carrier.Reply)) {
	var method *string
	if m := f.Name.Name; m != "" {
		method = &m
	}
	c.addSender(f.Sender, nil, []*string{method}, func(r carrier.Reply) {
		if c.server.hostOf(&r) != nil {
			r = carrier.Failed(fmt.Errorf("%w: it is asked what is requested of %s", errTaken, f.Sender))
			c.refuse("subscribe", r.Err())
		}
		respond(r)
	})
}

var errTaken = carrier.NewRefusal("mqtt: the sender is another client's", "exists")

// transmit asks the client what others request of one of its senders.
func (c *session) transmit(ctx context.Context, m *carrier.Message, done func(carrier.Reply, error)) error {
	if m.Method != "request" {
		return &carrier.StatusError{Status: carrier.StatusNoSuchMethod, Exception: m.Method}
	}
	var sender, method string
	params := []byte("null")
	err := m.Params.Fields(func(key string, v carrier.Value) (err error) {
		switch key {
		case "sender":
			return v.Decode(&sender)
		case "method":
			return v.Decode(&method)
		case "params":
			params, err = v.AppendTo(nil, carrier.JSON)
		}
		return err
	})
	if err != nil {
		return err
	}
	text := topic.OfRequest(sender, method)
	if c.subscriptionFor(text) == nil {
		return &carrier.StatusError{Status: carrier.StatusNoSuchMethod, Exception: "the client of sender " + sender + " has not subscribed to " + text}
	}
	id, err := c.calls.Begin(ctx, done)
	if err != nil {
		return err
	}
	if err := c.ask(id, text, topic.OfAnswer(sender, method), params); err != nil {
		if c.calls.Drop(id) {
			return err
		}
		return nil
	}
	c.flush()
	return nil
}

// subscriptionFor returns a subscription that has a topic, or nil if no subscription has it.
func (c *session) subscriptionFor(text string) *subscription {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.find(text)
}

func (c *session) find(text string) *subscription {
	if s := c.subs[text]; s != nil {
		return s
	}
	for _, s := range c.subs {
		if s.filter.Matches(text) {
			return s
		}
	}
	return nil
}

// ask publishes a request to the client.
func (c *session) ask(id uint64, text, answers string, params []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	sub := c.find(text)
	switch {
	case c.closed || c.err != nil || sub == nil:
		return fmt.Errorf("%w: or it does not read", carrier.ErrGone)
	case c.replies > maxReplies:
		return fmt.Errorf("%w: the client has not read what waits for it", carrier.ErrLimit)
	}
	h := packet.Head{Version: c.version, Topic: []byte(text)}
	if c.version == packet.V5 {
		p := packet.AppendText([]byte{packet.PropResponseTopic}, answers)
		p = binary.BigEndian.AppendUint64(append(p, packet.PropCorrelation, 0, 8), id)
		h.Properties = withID(p, sub)
	}
	if size := h.Size(len(params)); size > c.maxPacket {
		return fmt.Errorf("%w: it has %d bytes, and the client takes %d", carrier.ErrTooLarge, size, c.maxPacket)
	}
	c.reply(func(b []byte) []byte { return h.Append(b, params) })
	q := &asked{answers: answers}
	q.timer = time.AfterFunc(c.server.options.Limits.ReplyTimeout, func() { c.expire(id) })
	c.asking.waiting[id] = q
	c.asking.order[answers] = append(c.asking.order[answers], id)
	return nil
}

// withID appends the Subscription Identifier to properties.
func withID(p []byte, sub *subscription) []byte {
	if sub != nil && sub.id > 0 {
		p = packet.AppendVarint(append(p, packet.PropSubscriptionID), int(sub.id))
	}
	return p
}

// expire gives the place of a request free that the client has not answered.
func (c *session) expire(id uint64) {
	if c.answered(id) {
		c.calls.Cancel(id, fmt.Errorf("mqtt: %s has not answered: %w", c.key.client, context.DeadlineExceeded))
	}
}

// answered takes a request out, and reports whether it was there.
func (c *session) answered(id uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.asking.waiting[id]
	if q == nil {
		return false
	}
	q.timer.Stop()
	delete(c.asking.waiting, id)
	rest := slices.DeleteFunc(c.asking.order[q.answers], func(other uint64) bool { return other == id })
	if c.asking.order[q.answers] = rest; len(rest) == 0 {
		delete(c.asking.order, q.answers)
	}
	return true
}

// publishAnswer handles the client's answer to a request.
func (c *session) publishAnswer(l *link, r *inRoute) error {
	in := &c.publishing.in
	c.deliver()
	id := uint64(0)
	if in.Properties.Has(packet.PropCorrelation) && len(in.Properties.Correlation) == 8 {
		id = binary.BigEndian.Uint64(in.Properties.Correlation)
	} else {
		c.mu.Lock()
		if list := c.asking.order[topic.OfAnswer(r.Sender, r.Name.Name)]; len(list) > 0 {
			id = list[0]
		}
		c.mu.Unlock()
	}
	if !c.answered(id) {
		return c.refusePublish(l, packet.NoMatchingSubscribers, fmt.Errorf("%w: nobody waits for an answer there", carrier.ErrMalformed))
	}
	reply := carrier.Reply{Response: c.value(in.Payload).Clone()}
	for _, u := range in.Properties.User {
		if string(u.Name) == "error" {
			reply = carrier.Reply{Status: carrier.StatusFailed, Exception: string(u.Value)}
		}
	}
	if err := reply.Response.Check("response"); err != nil {
		reply = carrier.Failed(err)
	}
	c.calls.Answer(id, reply)
	c.acks.push(&c.writer, ack{id: in.ID})
	c.settleAcks()
	return nil
}

// publishRequest handles a request of the client's to a sender.
func (c *session) publishRequest(r *inRoute) error {
	in := &c.publishing.in
	answers := string(in.Properties.ResponseTopic)
	wanted := in.Properties.Has(packet.PropResponseTopic)
	switch {
	case !wanted:
		answers = topic.OfAnswer(r.Sender, r.Name.Name)
	case packet.ValidTopic(in.Properties.ResponseTopic) != nil:
		return &packet.Error{Reason: packet.ProtocolError, Text: "the Response Topic is empty, or has a wildcard"}
	}
	correlation := slices.Clone(in.Properties.Correlation)
	has := in.Properties.Has(packet.PropCorrelation)
	params := c.value(in.Payload).Clone()
	c.deliver()
	c.acks.push(&c.writer, ack{id: in.ID})
	c.settleAcks()
	c.message("request", carrier.Object{
		{Key: "sender", Value: r.Sender}, {Key: "method", Value: r.Name.Name}, {Key: "params", Value: params},
	}, func(reply carrier.Reply) { c.answer(answers, correlation, has, reply, wanted) })
	return nil
}

// answer publishes the answer to a request of the client's, if it has subscribed to it. If it has not named the topic, wanted is false: then
// it may not want to know.
func (c *session) answer(text string, correlation []byte, has bool, reply carrier.Reply, wanted bool) {
	payload, err := reply.Response.AppendTo(nil, carrier.JSON)
	if err != nil && reply.Status == carrier.StatusDone {
		reply = carrier.Failed(err)
	}
	c.mu.Lock()
	err = c.putAnswer(text, correlation, has, &reply, payload)
	c.mu.Unlock()
	switch {
	case err == nil:
		c.flush()
	case errors.Is(err, errNoAnswer) && !wanted:
		if reply.Status != carrier.StatusDone {
			c.server.options.Logger.Warn("a request has failed, and who asked does not hear the answer", "client", c.key.client, "topic", text, "error", reply.Err())
		}
	default:
		c.refuse("answer", err)
	}
}

// longestError is how many bytes of an error a client is told.
const longestError = 1024

var errNoAnswer = errors.New("mqtt: the client has not subscribed to the topic of the answer")

// putAnswer puts an answer. The lock is held.
func (c *session) putAnswer(text string, correlation []byte, has bool, reply *carrier.Reply, payload []byte) error {
	sub := c.find(text)
	switch {
	case c.closed || c.ended.Load():
		return nil // it has gone
	case sub == nil:
		return fmt.Errorf("%w: %s", errNoAnswer, text)
	case c.replies > 4*maxReplies:
		return fmt.Errorf("%w: it does not read what waits for it", carrier.ErrLimit)
	}
	h, why := packet.Head{Version: c.version, Topic: []byte(text)}, ""
	for {
		if reply.Status != carrier.StatusDone {
			why = safetext.Short(plain.Text(reply.Err().Error()), longestError)
			payload, _ = carrier.JSON.Append(nil, map[string]any{"status": int(reply.Status), "error": why})
		}
		if c.version == packet.V5 {
			h.Properties = nil
			if has {
				h.Properties = packet.AppendText([]byte{packet.PropCorrelation}, correlation)
			}
			if reply.Status != carrier.StatusDone {
				h.Properties = packet.AppendUser(h.Properties, "status", strconv.Itoa(int(reply.Status)))
				h.Properties = packet.AppendUser(h.Properties, "error", why)
			}
			h.Properties = withID(h.Properties, sub)
		}
		if h.Size(len(payload)) <= c.maxPacket {
			break
		}
		if reply.Status == carrier.StatusTooLarge {
			return carrier.ErrTooLarge
		}
		*reply = carrier.Reply{Status: carrier.StatusTooLarge}
	}
	c.reply(func(b []byte) []byte { return h.Append(b, payload) })
	return nil
}
