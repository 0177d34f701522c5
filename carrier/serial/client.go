package serial

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"sighub/carrier"
	"sighub/carrier/serial/internal/endpoint"
	"sighub/carrier/serial/internal/link"
	"sighub/carrier/serial/internal/wire"
	"sighub/internal/lockrank"
)

// A client is one connection of a device. One goroutine, run, calls the handler for it, in order.
type client struct {
	*endpoint.Messenger
	server       *Server
	device       *link.Device
	record       *deviceRecord
	hello        wire.Hello // that began the connection
	since        time.Time
	window       int
	line         *line
	identity     string
	id           carrier.ClientID // 0 until the handler is to be told
	dict         *wire.Dictionary
	predecessors []*client // the handler must know of their end first

	senders knownSenders // the server's lock guards it
	ring    deviceRing   // the server's lock guards it
	problem *Problem     // with the dictionary; the server's lock guards it

	listed  bool // see enlist
	answers handedAnswers
	routes  map[wire.EventName]*carrier.Route
	batch   []carrier.Signal // scratch space

	queue   *endpoint.Queue[event]
	fetched chan []byte   // replies to piece
	lost    chan struct{} // closed when the device is gone, after cause is set
	cause   error
	done    chan struct{} // closed when the handler knows that
}

// An event is something for a client's goroutine to deal with. One of its parts is set.
type event struct {
	arrival    link.Arrival
	at         time.Time     // when arrival came
	registered *registration // whose reply came
	reply      carrier.Reply
	gone       bool
}

func newClient(s *Server, d *link.Device, r *deviceRecord, l *line) *client {
	c := &client{
		Messenger: endpoint.NewMessenger(&s.mu, &d.Link, d.Wake),
		server:    s,
		device:    d,
		record:    r,
		hello:     d.Hello,
		since:     time.Now(),
		window:    d.Link.Window(),
		line:      l,
		identity:  l.identity,
		ring:      newDeviceRing(),
		senders:   newKnownSenders(s.options.MaxSenders),
		routes:    make(map[wire.EventName]*carrier.Route),
		queue:     endpoint.NewQueue(r.unhandled...),
		fetched:   make(chan []byte, 1),
		lost:      make(chan struct{}),
		done:      make(chan struct{}),
	}
	r.unhandled = nil
	return c
}

// awaitEnd makes the handler hear of this client only after the end of the one before it. The server's lock is held.
func (c *client) awaitEnd(before *client) {
	switch {
	case before == nil || slices.Contains(c.predecessors, before):
	case before.cause != nil && before.id == 0: // the handler will never hear of it
		for _, b := range before.predecessors {
			c.awaitEnd(b)
		}
	default:
		c.predecessors = append(c.predecessors, before)
	}
}

// arrived takes an arrival from the link; the server's lock is held.
func (c *client) arrived(now time.Time, a link.Arrival) {
	if a.Answered != nil && a.Answered.ID == fetchID {
		c.fetched <- a.Reply // at most one at a time
	} else {
		c.queue.Put(event{arrival: a, at: now})
	}
}

// lose ends the connection; the server's lock is held. Calls end at once, even while the handler is busy: on a goroutine of
// their own, because their callbacks may take the lock.
func (c *client) lose(cause error) {
	c.cause = cause
	fail := c.End(cause)
	c.server.clients.Remove(c.id)
	close(c.lost)
	if c.id == 0 {
		c.record.unhandled = c.queue.Clear() // for the device's next connection
	}
	c.queue.Put(event{gone: true})
	c.server.running.Go(fail)
}

// run calls the handler for the connection, from its beginning to its end.
func (c *client) run() {
	defer c.finish()
	for _, before := range c.predecessors {
		select {
		case <-before.done:
		case <-c.lost: // the handler never hears of it
			return
		}
	}
	log := c.server.options.Logger.With("port", c.line.path, "device", c.name(), "uid", c.device.ID)
	if err := c.learn(); err != nil {
		if errors.Is(err, carrier.ErrGone) {
			return
		}
		c.complain(err) // the device is served with what can be used
	}
	if !c.announce() {
		return
	}
	lockrank.MustBeFree("a handler is told of a client")
	h := c.server.handler
	h.ClientConnected(carrier.Client{
		ID: c.id, Name: c.name(), UID: c.device.ID, Identity: c.identity, Addr: c.line.address(),
		Codec: carrier.CBORText, Hello: true, Window: c.window, Naming: c.line.options.Naming,
		Restricted: true, May: c.line.options.May,
		Refused: &c.record.refused.Refusals,
	})
	log.Info("device connected", "firmware", c.hello.Firmware)
	offers := newRegistrations(c)
	offers.offer()
	c.tellLosses()
	c.serve(offers)
	log.Info("device gone", "reason", carrier.Reason(c.cause), "error", c.cause)
	h.ClientDisconnected(c.id, c.cause)
}

func (c *client) finish() {
	c.server.mu.Lock()
	if c.server.latest[c.device.ID] == c {
		delete(c.server.latest, c.device.ID)
		c.server.store.here.Store(int64(len(c.server.latest)))
	}
	if c.id != 0 { // the others' are still needed: see awaitEnd
		c.predecessors = nil // so that they can be collected
	}
	c.server.mu.Unlock()
	close(c.done)
}

// announce gives the client its id, and finds out what the device may have lost: the connections before this one have ended.
// It reports false if the device has gone already.
func (c *client) announce() bool {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if c.cause != nil {
		return false
	}
	if c.dict != nil {
		c.record.losses.gather(c.dict, c.hello.Dictionary)
	}
	c.line.end.OfferFasterRates()
	c.line.wake.Give()
	c.id = c.server.clients.Add(c)
	return true
}

func (c *client) name() string { return cmp.Or(c.line.options.Name, c.hello.Title()) }

// serve deals with events until the device is gone.
func (c *client) serve(offers *registrations) {
	for {
		e, ok := c.queue.Take()
		switch {
		case !ok:
			select {
			case <-c.queue.Ready:
			case <-offers.retry:
				offers.offer()
			}
		case e.gone:
			return
		case e.registered != nil:
			if offers.answered(e.registered, e.reply) {
				c.tellLosses() // that were refused with the sender
			}
		case e.arrival.Answered != nil:
			c.Answered(e.arrival)
		default:
			c.enlist()
			switch {
			case c.Abandoned(e.arrival.In): // see link.ErrComesAgain
			case e.arrival.Kind == wire.FrameEvent:
				c.signals(e)
			default:
				c.message(e)
			}
			c.Consumed()
		}
	}
}

// message hands on the message of a MSG frame.
func (c *client) message(e event) {
	a := e.arrival
	if method, _, ok := wire.UnpackNumbered(a.Payload); ok {
		err := &carrier.StatusError{Status: carrier.StatusNoSuchMethod, Exception: fmt.Sprintf("the hub has no method %d", method)}
		c.refuseMessage(e, wire.Signal{}, err)
		return
	}
	m, err := wire.UnpackMessage(a.Payload)
	signal, reports := wire.FindSignal(a.Payload)
	if reports && signal.Data != nil {
		err = cmp.Or(wire.CheckValue(signal.Data), err)
	}
	switch {
	case err == nil:
	case c.Doubt(a.In):
		return
	default:
		c.refuseMessage(e, signal, err)
		return
	}
	m.Mark = c.markMessage(e, m)
	lockrank.MustBeFree("a handler gets a message")
	answer := &carrier.Answer{Send: func(_ carrier.Value, r carrier.Reply) { c.answered(a.In, m, r) }}
	c.server.handler.HandleMessage(c.id, m, answer.Respond)
}

// refuseMessage refuses a message. One that reports a reading is handed on as a signal that says so, since there may be
// listeners that miss it.
func (c *client) refuseMessage(e event, signal wire.Signal, err error) {
	reports := len(signal.Sender) > 0 && utf8.Valid(signal.Sender) && utf8.Valid(signal.Event)
	what, shown := "value", signal.Data
	if shown == nil {
		what, shown = "frame", e.arrival.Payload
	}
	c.server.mu.Lock()
	if reports {
		c.logRefusal("reading", err, "sender", string(signal.Sender), "event", string(signal.Event), what, shownBytes(shown))
		c.record.refused.note(err)
	} else {
		c.refuse("message", err, "frame", shownBytes(e.arrival.Payload))
	}
	mark := c.settle(e, c.messagePatience(e), func() []byte { return wire.PackReply(carrier.Failed(err), c.device.Link.PayloadLimit()) })
	c.server.mu.Unlock()
	respond := func() { c.Respond(e.arrival.In, carrier.Failed(err)) }
	if !reports {
		c.afterMark(mark, respond)
		return
	}
	route := &carrier.Route{Sender: string(signal.Sender), Event: string(signal.Event)}
	c.hand([]carrier.Signal{{Route: route, Time: e.at.UnixNano(), Err: err}}, handed{mark: mark, ended: func(*handed) { respond() }})
}

// answered passes on the handler's answer to a message, and notes what it means.
func (c *client) answered(in *link.Incoming, m *carrier.Message, r carrier.Reply) {
	c.server.mu.Lock()
	err := r.Err()
	switch m.Method {
	case methodAddSender, methodRemoveSender:
		err = c.senders.note(m, err)
	case methodSignal:
		if err == nil {
			c.count(time.Now(), 1)
		}
	}
	if err != nil {
		c.record.refused.note(err)
	}
	c.server.mu.Unlock()
	c.Respond(in, r)
}

// count counts readings; the server's lock is held.
func (c *client) count(at time.Time, n int) {
	c.line.readings += uint64(n)
	c.line.average.add(at, n)
}

// pack returns the payload of a message's frame: with a number, if it is a request that the device's dictionary has.
func (c *client) pack(m *carrier.Message) ([]byte, error) {
	if m.Method == "request" && c.dict != nil && len(c.dict.Requests) > 0 {
		var name wire.RequestName
		var params carrier.Value
		// A request with unfit fields travels as it is: the device refuses it.
		_ = m.Params.Fields(func(key string, v carrier.Value) error {
			switch key {
			case "sender":
				return v.Decode(&name.Sender)
			case "method":
				return v.Decode(&name.Method)
			case "params":
				params = v
			}
			return nil
		})
		if n := c.dict.RequestNumber(name); n != 0 {
			return wire.PackNumbered(n, params)
		}
	}
	return wire.PackMessage(m)
}
