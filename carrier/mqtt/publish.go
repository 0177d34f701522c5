package mqtt

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"sighub/carrier"
	"sighub/internal/lockrank"
	"sighub/internal/mqtt/packet"
	"sighub/internal/mqtt/topic"
	"sighub/internal/safetext"
)

const (
	maxBatch  = 1024 // signals that are handed on together
	maxRoutes = 1024 // topics whose meaning is remembered
	routeCost = 256  // bytes of one, beside its text
	againTime = time.Second
)

// publishing is what a client publishes. It belongs to the goroutine that reads.
type publishing struct {
	in      packet.PublishPacket
	batch   []carrier.Signal // received, and not handed on yet
	scratch []byte           // of their data, where that is not in the buffer of reading
	routes  map[string]*inRoute
	cost    int
	own     map[string]*ownSender // guarded by the session's lock, too
	late    map[eventKey]*late    // by what their topics stand for; the session's lock guards them
	added   chan struct{}         // closed when the hub has answered to the sender that was added last; nil: none was
}

func (p *publishing) init() {
	p.routes = make(map[string]*inRoute)
	p.own = make(map[string]*ownSender)
	p.late = make(map[eventKey]*late)
}

// has reports whether an event is the client's own. The session's lock is held.
func (p *publishing) has(sender, event string) bool {
	own := p.own[sender]
	return own != nil && (own.events[event] == owned || strings.HasPrefix(event, "#"))
}

// ownOf returns a sender that the client has, or is about to have. The session's lock is held.
func (p *publishing) ownOf(sender string) *ownSender {
	own := p.own[sender]
	if own == nil {
		own = &ownSender{events: make(map[string]ownership)}
		p.own[sender] = own
	}
	return own
}

// An inRoute is what a topic stands for.
type inRoute struct {
	topic.Name
	route carrier.Route
	kept  string // the topic, if it is one of kept messages
	bad   error  // why the topic is that of no event; nil: it is one

	// The session's lock guards these.
	refused *carrier.Reply // of the last addition; nil: it was done, or is not answered yet
	at      time.Time      // when it was refused
}

// An ownSender is a sender that the client has, or is about to have. The session's lock guards it.
type ownSender struct {
	events map[string]ownership
}

// An ownership says whose an event of a client's sender is.
type ownership byte

const (
	ofGuests  ownership = iota // only guests have published it
	undecided                  // the client publishes it, and the hub has not answered yet: the sender may be another one's
	owned
)

// publish handles a PUBLISH.
func (c *session) publish(l *link, p *packet.Raw) error {
	in := &c.publishing.in
	if err := packet.ParsePublish(l.version, p.Flags, p.Body, in); err != nil {
		return err
	}
	switch {
	case in.QoS == 2:
		return &packet.Error{Reason: packet.NoQoS, Text: "the Maximum QoS is 1"}
	case in.Properties.Has(packet.PropTopicAlias):
		return &packet.Error{Reason: packet.BadAlias, Text: "the Topic Alias Maximum is 0"}
	case len(in.Topic) == 0:
		return &packet.Error{Reason: packet.ProtocolError, Text: "a PUBLISH has no topic"}
	case l.version == packet.V5 && in.QoS > 0 && c.unacknowledged() >= l.server.options.Limits.Window:
		return &packet.Error{Reason: packet.ReceiveMaximum, Text: "more messages are unacknowledged than the Receive Maximum says"}
	}
	r := c.publishing.routes[string(in.Topic)]
	if r == nil {
		if err := packet.ValidTopic(in.Topic); err != nil {
			return err
		}
		r = c.newRoute(string(in.Topic))
	}
	switch {
	case r.bad != nil:
		if errors.Is(r.bad, carrier.ErrDenied) {
			return c.refusePublish(l, packet.NotAuthorized, r.bad)
		}
		return c.refusePublish(l, packet.BadTopic, r.bad)
	case in.Properties.PayloadFormat == 1 && !utf8.Valid(in.Payload):
		return c.refusePublish(l, packet.BadPayload, fmt.Errorf("%w: the payload is said to be UTF-8 and is not", carrier.ErrValue))
	case r.Kind == topic.Request:
		return c.publishRequest(r)
	case r.Kind == topic.Answer:
		return c.publishAnswer(l, r)
	case r.Kind == topic.Kept:
		return c.publishKept(l, r)
	}
	s := carrier.Signal{Route: &r.route}
	for _, u := range in.Properties.User {
		if string(u.Name) == "time" {
			s.Time, s.Err = timeOf(u.Value)
		}
	}
	o := c.offer(r)
	switch {
	case o.refused != nil:
		return c.refuseThis(l, reasonOf(*o.refused), o.refused.Err(), o.counted)
	case o.others() && s.Err != nil:
		c.withdraw(o.late)
		return c.refusePublish(l, packet.BadPayload, s.Err)
	}
	s.Data = c.value(in.Payload)
	if o.others() {
		if err := c.sendBy(&o, r, in.ID, &s); err != nil {
			return c.refusePublish(l, packet.QuotaExceeded, err)
		}
		return nil
	}
	c.acks.push(&c.writer, ack{id: in.ID, signal: true, route: r})
	c.publishing.batch = append(c.publishing.batch, s)
	if len(c.publishing.batch) >= maxBatch {
		c.deliver()
	}
	return nil
}

// timeOf reads when an event happened.
func timeOf(text []byte) (int64, error) {
	v := carrier.ValueOf(string(text))
	if len(text) > 0 && isNumber(text) {
		v = carrier.RawValue(carrier.JSON, text)
	}
	t, err := carrier.ReadTime(v)
	if err != nil {
		return 0, err
	}
	if !carrier.Tellable(t) {
		return 0, fmt.Errorf("%w: %s", carrier.ErrTime, text)
	}
	return t.UnixNano(), nil
}

// deliver hands on what was received. The turn is the caller's.
func (c *session) deliver() {
	p := &c.publishing
	if len(p.batch) == 0 {
		return
	}
	lockrank.MustBeFree("a handler is called")
	c.server.handler.HandleSignals(c.id, p.batch, c)
	clear(p.batch)
	p.batch = p.batch[:0]
	if cap(p.scratch) > largeRead {
		p.scratch = nil
	}
	p.scratch = p.scratch[:0]
}

// newRoute finds out what a topic stands for.
func (c *session) newRoute(text string) *inRoute {
	p := &c.publishing
	r := &inRoute{}
	kept := c.server.options.Shelf != nil && topic.IsKept(text)
	if kept && topic.IsOwn(text) {
		r.bad = errKept
	} else if r.Name, r.bad = topic.Parse(text); r.bad == nil && r.Kind == topic.Answer && r.Sender == "" {
		r.bad = fmt.Errorf("%w: answers go to the topic that the request has named", carrier.ErrMalformed)
	}
	if r.bad == nil && r.Kind == topic.Event {
		r.bad = checkNames(r.Sender, r.Name.Name) // else the hub would refuse the sender, and then the message as well
		r.route = carrier.Route{Sender: r.Sender, Event: r.Name.Name}
		if kept {
			r.Kind, r.kept = topic.Kept, text
		}
	}
	size := routeCost + 3*len(text)
	if len(p.routes) >= maxRoutes || c.account.Take(size) != nil {
		clear(p.routes)
		c.account.Give(p.cost)
		if p.cost = 0; c.account.Take(size) != nil {
			return r
		}
	}
	p.routes[text] = r
	p.cost += size
	return r
}

// errName is the kind of errors of names that the hub would not take.
var errName = carrier.NewRefusal("mqtt: bad name", "name")

func checkNames(sender, event string) error {
	for _, name := range []string{sender, event} {
		if err := safetext.CheckName(name); err != nil {
			return fmt.Errorf("%w: %w", errName, err)
		}
	}
	return nil
}

// An offered is what comes of an offer: nothing, if the client has the event itself.
type offered struct {
	host    *session       // that has the sender; nil: none of another client's
	late    *late          // the hub has not answered yet, or messages wait that came before it had; nil: neither
	refused *carrier.Reply // the hub's answer, if it refuses the event, or has refused it a moment ago
	counted bool           // the hub has counted the refusal just now
}

// others reports whether a message is not simply one of the client's own events.
func (o *offered) others() bool { return o.host != nil || o.late != nil }

// offer makes sure that the client has a sender with this event.
func (c *session) offer(r *inRoute) offered {
	event := r.Name.Name
	c.mu.Lock()
	if t := c.publishing.late[keyOf(r.Name)]; t != nil {
		t.left++
		c.mu.Unlock()
		return offered{late: t}
	}
	own := c.publishing.ownOf(r.Sender)
	if own.events[event] != ofGuests {
		c.mu.Unlock()
		return offered{}
	}
	if r.refused != nil && time.Since(r.at) < againTime {
		refused := r.refused
		c.mu.Unlock()
		return offered{refused: refused}
	}
	own.events[event], r.refused = undecided, nil
	c.mu.Unlock()
	c.deliver() // what came before goes first
	added := make(chan struct{})
	c.publishing.added = added
	var host *session
	var behind *late
	answered := false
	c.addSender(r.Sender, []string{event}, nil, func(reply carrier.Reply) {
		defer close(added)
		other := c.server.hostOf(&reply)
		to := other
		c.mu.Lock()
		if reply.Status == carrier.StatusDone && other == nil {
			c.publishing.own[r.Sender] = own
			own.events[event] = owned // before the hub tells anybody what the client publishes
			to = c
		} else {
			delete(own.events, event)
			if len(own.events) == 0 && c.publishing.own[r.Sender] == own {
				delete(c.publishing.own, r.Sender) // its route knows the refusal
			}
			if host = other; other == nil {
				r.refused, r.at = &reply, time.Now()
			}
		}
		c.changes++
		answered = true
		c.mu.Unlock()
		if behind != nil { // it was set before
			c.answerLate(behind, to, reply)
		}
	})
	wait := time.NewTimer(offerTime) // the hub may have much to do for this client, such as to wait until it reads
	defer wait.Stop()
	select {
	case <-added:
	case <-wait.C:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !answered {
		behind = &late{key: keyOf(r.Name), left: 1}
		c.publishing.late[behind.key] = behind
		return offered{late: behind}
	}
	return offered{host: host, refused: r.refused, counted: r.refused != nil}
}

// addSender adds a sender to the hub's, or something to one that the client has.
func (c *session) addSender(sender string, events []string, requests any, respond func(carrier.Reply)) {
	if events == nil {
		events = []string{}
	}
	c.message("add_sender", carrier.Object{
		{Key: "sender", Value: sender}, {Key: "events", Value: events}, {Key: "requests", Value: requests}, {Key: "more", Value: true},
	}, respond)
}

// errCounted is wrapped by what ends a connection because of a refusal that was counted before.
var errCounted = errors.New("mqtt: a message is refused")

// refusePublish refuses the message that is being read. In MQTT 5 the client is told, and goes on; in 3.1.1 nothing but the end of the
// connection tells it, if it waits for an acknowledgement.
func (c *session) refusePublish(l *link, reason packet.Reason, err error) error {
	return c.refuseThis(l, reason, err, false)
}

// refuseThis is refusePublish, and counted means that the hub has counted the refusal.
func (c *session) refuseThis(l *link, reason packet.Reason, err error, counted bool) error {
	in := &c.publishing.in
	c.deliver()
	told := &packet.Error{Reason: reason, Text: err.Error()}
	switch {
	case counted:
	case carrier.Cause(err) == carrier.CauseOther:
		c.refuse("publish", told)
	default:
		c.refuse("publish", err)
	}
	if in.QoS > 0 && l.version != packet.V5 {
		return fmt.Errorf("%w: %w", errCounted, told)
	}
	if in.QoS > 0 {
		c.acks.push(&c.writer, ack{id: in.ID, reason: reason, text: err.Error()})
		c.settleAcks()
	}
	return nil
}

// value returns the value that a payload stands for: JSON, or else a text, or else bytes. It may lie in the payload.
func (c *session) value(payload []byte) carrier.Value { return c.publishing.value(payload) }

func (p *publishing) value(payload []byte) carrier.Value {
	if len(payload) == 0 {
		return carrier.RawValue(carrier.JSON, nullValue)
	}
	if isNumber(payload) || mayBeJSON(payload[0]) && carrier.IsJSON(payload) {
		return carrier.RawValue(carrier.JSON, payload)
	}
	start := len(p.scratch)
	if !utf8.Valid(payload) {
		p.scratch = append(carrier.AppendCBORHead(p.scratch, carrier.CBORBytes, uint64(len(payload))), payload...)
		return carrier.RawValue(carrier.CBOR, p.scratch[start:len(p.scratch):len(p.scratch)])
	}
	if plainText(payload) {
		p.scratch = append(append(append(p.scratch, '"'), payload...), '"')
	} else if b, err := carrier.JSON.Append(p.scratch, string(payload)); err == nil {
		p.scratch = b
	} else {
		return carrier.ValueOf(string(payload))
	}
	return carrier.RawValue(carrier.JSON, p.scratch[start:len(p.scratch):len(p.scratch)])
}

var nullValue = []byte("null")

func mayBeJSON(first byte) bool {
	switch first {
	case '{', '[', '"', '-', 't', 'f', 'n', ' ', '\t', '\r', '\n':
		return true
	}
	return '0' <= first && first <= '9'
}

// isNumber reports whether a payload is a decimal number of the usual kind, which is JSON.
func isNumber(b []byte) bool {
	if b[0] == '-' {
		b = b[1:]
	}
	digits := func() (n int) {
		for n < len(b) && '0' <= b[n] && b[n] <= '9' {
			n++
		}
		b = b[n:]
		return n
	}
	if len(b) == 0 || b[0] == '0' && len(b) > 1 && b[1] != '.' || digits() == 0 {
		return false
	}
	if len(b) > 0 && b[0] == '.' {
		if b = b[1:]; digits() == 0 {
			return false
		}
	}
	return len(b) == 0
}

// plainText reports whether a text stands in JSON as it is.
func plainText(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c == '"' || c == '\\' || c > '~' {
			return false
		}
	}
	return true
}
