package serial

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/endpoint"
	"sighub/carrier/serial/internal/link"
	"sighub/carrier/serial/internal/wire"
)

// A client is one connection of a device. One goroutine, run, tells the handler of it, in order.
type client struct {
	*endpoint.Messenger
	server *Server
	device *link.Device
	record *deviceRecord
	hello  wire.Hello // as it was at the beginning
	window int
	line   *line
	id     carrier.ClientID // 0 until the handler is told
	dict   *wire.Dictionary
	after  []*client // to end before this one is told of

	answers handedAnswers
	routes  map[wire.EventName]*carrier.Route
	batch   []carrier.Signal // of the latest frame

	queue   *endpoint.Queue[event]
	fetched chan []byte   // replies to what fetch asks
	lost    chan struct{} // closed, after cause was set, when the device is gone
	cause   error
	done    chan struct{} // closed when the handler knows that, too
}

// An event is one thing for a client's goroutine to deal with; one of its parts is set.
type event struct {
	arrival    link.Arrival
	at         time.Time     // of arrival
	registered *registration // a reply to add_sender came
	reply      carrier.Reply
	gone       bool
}

func newClient(s *Server, p *link.Device, r *deviceRecord, l *line) *client {
	c := &client{
		Messenger: endpoint.NewMessenger(&s.mu, &p.Link, p.Wake),
		server:    s,
		device:    p,
		record:    r,
		hello:     p.Hello,
		window:    p.Link.Window(),
		line:      l,
		routes:    make(map[wire.EventName]*carrier.Route),
		queue:     endpoint.NewQueue(r.untold...),
		fetched:   make(chan []byte, 1),
		lost:      make(chan struct{}),
		done:      make(chan struct{}),
	}
	r.untold = nil
	return c
}

// follow lets the handler be told of this client only when it knows that the one before it is gone. The server's lock
// is held.
func (c *client) follow(before *client) {
	switch {
	case before == nil || slices.Contains(c.after, before):
	case before.cause != nil && before.id == 0: // it came and went while the handler was busy
		for _, b := range before.after {
			c.follow(b)
		}
	default:
		c.after = append(c.after, before)
	}
}

// arrived takes what the link has; the server's lock is held.
func (c *client) arrived(now time.Time, a link.Arrival) {
	switch {
	case a.Answered != nil && a.Answered.ID == fetchID:
		c.fetched <- a.Reply // there is but one of them at a time
	default:
		c.queue.Put(event{arrival: a, at: now})
	}
}

// lose ends the connection; the server's lock is held. Calls end at once, even while the handler is at work; on a
// goroutine of their own, because whoever made them may be waiting for the lock.
func (c *client) lose(cause error) {
	c.cause = cause
	fail := c.End(cause)
	delete(c.server.clients, c.id)
	close(c.lost)
	if c.id == 0 {
		c.record.untold = c.queue.Clear() // taken, and told to nobody: for the connection after this one
	}
	c.queue.Put(event{gone: true})
	c.server.running.Go(fail)
}

// run tells the handler of the connection, from its beginning to its end.
func (c *client) run() {
	defer c.finish()
	for _, before := range c.after {
		select {
		case <-before.done:
		case <-c.lost: // nobody was told of it, and whoever follows waits for those before it
			return
		}
	}
	log := c.server.o.Logger.With("port", c.line.path, "device", c.name(), "uid", c.device.ID)
	if err := c.learn(); err != nil {
		if errors.Is(err, carrier.ErrGone) {
			return
		}
		log.Error("the device's dictionary is of no use; it is served without", "error", err)
	}
	if !c.announce() {
		return
	}
	c.recall()
	h := c.server.handler
	h.ClientConnected(carrier.Client{
		ID: c.id, Name: c.name(), UID: c.device.ID, Addr: "serial://" + c.line.path,
		Codec: carrier.CBORText, Hello: true, Window: c.window, Naming: c.line.o.Naming,
	})
	log.Info("device connected", "firmware", c.hello.Firmware)
	desk := newRegistry(c)
	desk.offer()
	c.tellLosses()
	c.serve(desk)
	c.forget()
	log.Info("device gone", "reason", carrier.Reason(c.cause), "error", c.cause)
	h.ClientDisconnected(c.id, c.cause)
}

func (c *client) finish() {
	c.server.mu.Lock()
	if c.server.latest[c.device.ID] == c {
		delete(c.server.latest, c.device.ID)
	}
	c.server.mu.Unlock()
	close(c.done)
}

// forget lets those before this client be collected: they have ended.
func (c *client) forget() {
	c.server.mu.Lock()
	c.after = nil
	c.server.mu.Unlock()
}

// recall looks at what became of the device's senders before; those before this client have ended.
func (c *client) recall() {
	if c.dict != nil {
		c.server.mu.Lock()
		c.record.losses.gather(c.dict)
		c.server.mu.Unlock()
	}
}

// announce gives the client its id, unless it has gone already.
func (c *client) announce() bool {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if c.cause != nil {
		return false
	}
	c.server.lastID++
	c.id = c.server.lastID
	c.line.end.OfferFasterRates()
	c.line.wake.Give()
	c.server.clients[c.id] = c
	return true
}

func (c *client) name() string {
	if c.line.o.Name != "" {
		return c.line.o.Name
	}
	return c.hello.Title()
}

// serve deals with events until the device is gone.
func (c *client) serve(desk *registry) {
	for {
		e, ok := c.queue.Take()
		switch {
		case !ok:
			select {
			case <-c.queue.Ready:
			case <-desk.again():
				desk.offer()
			}
		case e.gone:
			return
		case e.registered != nil:
			if desk.answered(e.registered, e.reply) {
				c.tellLosses() // those that were refused before
			}
		case e.arrival.Answered != nil:
			c.Answered(e.arrival)
		default:
			switch {
			case c.Void(e.arrival.In): // taken back
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
	m, err := wire.UnpackMessage(a.Payload)
	if method, _, ok := wire.UnpackNumbered(a.Payload); ok {
		err = &carrier.StatusError{Status: carrier.StatusNoSuchMethod, Exception: fmt.Sprintf("the hub has no method %d", method)}
	}
	if err != nil {
		c.Respond(a.In, carrier.Failed(err))
		return
	}
	if m.Method == "signal" {
		c.server.mu.Lock()
		c.count(e.at, 1)
		c.server.mu.Unlock()
	}
	c.server.handler.HandleMessage(c.id, m, func(r carrier.Reply) { c.Respond(a.In, r) })
}

// count counts readings; the server's lock is held.
func (c *client) count(at time.Time, n int) {
	c.line.readings += uint64(n)
	c.line.average.add(at, n)
}

// transmit sends a message: in numbers, if it is a request that the device's dictionary names.
func (c *client) transmit(ctx context.Context, m *carrier.Message, done func(carrier.Reply, error)) error {
	payload, err := c.pack(m)
	if err != nil {
		return err
	}
	return c.Messenger.Transmit(ctx, payload, done)
}

func (c *client) pack(m *carrier.Message) ([]byte, error) {
	if m.Method == "request" && c.dict != nil && len(c.dict.Requests) > 0 {
		var name wire.RequestName
		var params carrier.Value
		// A request with fields that do not fit is for the device to complain about.
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
