package mqtt

import (
	"bytes"
	"fmt"

	"sighub/internal/mqtt/packet"
	"sighub/internal/plain"
)

// maxOrders is how many SUBSCRIBE and UNSUBSCRIBE may wait for their turn before the client is read from no more.
const maxOrders = 64

// orders are the changes of a session's subscriptions, one at a time: the hub's answer to one decides what the next one finds. The
// session's lock guards them.
type orders struct {
	running bool
	waiting []order
}

// An order is a SUBSCRIBE or an UNSUBSCRIBE that waits.
type order struct {
	link *link
	kind packet.Type
	p    *packet.SubscribePacket
	size int
}

// order handles a SUBSCRIBE or an UNSUBSCRIBE: at once, or after those before it. The turn is the caller's.
func (c *session) order(l *link, p *packet.Raw) error {
	o := order{link: l, kind: p.Type, size: len(p.Body)}
	var err error
	body := bytes.Clone(p.Body) // it may wait
	if o.kind == packet.Subscribe {
		o.p, err = packet.ParseSubscribe(l.version, body)
	} else {
		o.p, err = packet.ParseUnsubscribe(l.version, body)
	}
	if err != nil {
		return err
	}
	c.mu.Lock()
	if c.orders.running {
		defer c.mu.Unlock()
		if err := c.account.Take(o.size); err != nil {
			return fmt.Errorf("a SUBSCRIBE cannot wait for the one before it: %w", err)
		}
		c.orders.waiting = append(c.orders.waiting, o)
		return nil
	}
	c.orders.running = true
	c.mu.Unlock()
	c.run(&o)
	return nil
}

func (c *session) run(o *order) {
	if o.kind == packet.Subscribe {
		c.subscribe(o.link, o.p)
	} else {
		c.unsubscribe(o.link, o.p)
	}
}

// ordered ends an order, and has the next one carried out. One whose connection has ended is not: nobody could be told.
func (c *session) ordered() {
	c.mu.Lock()
	var next *order
	for list := c.orders.waiting; len(list) > 0 && next == nil; list = c.orders.waiting {
		o := list[0]
		c.orders.waiting = list[:copy(list, list[1:])]
		list[len(list)-1] = order{}
		c.account.Give(o.size)
		if o.link == c.link {
			next = &o
		}
	}
	c.orders.running = next != nil
	c.notify()
	c.mu.Unlock()
	c.later(func() { c.run(next) }, next != nil)
}

// text returns what a client is told in words, unless a packet with it would be larger than the client takes, which has so many bytes
// beside it. The lock is held.
func (c *session) text(text string, beside int) string {
	const most = 40 // bytes of a packet, beside a text and a list
	text = plain.Text(text)
	if c.link == nil || !c.link.problems || packet.ReasonSize(text)+most+beside > c.maxPacket {
		return ""
	}
	return text
}
