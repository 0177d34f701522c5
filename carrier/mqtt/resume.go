package mqtt

import (
	"slices"
	"sync/atomic"

	"sighub/carrier"
	"sighub/internal/mqtt/topic"
)

// resume begins the subscriptions of a session that was kept in the journal. They go on where the client has acknowledged. What the client
// subscribes to meanwhile waits until all have begun. One that the rules do not allow any more is dropped; another one that is refused is
// begun again when the client comes next, unless it subscribes itself.
func (c *session) resume() {
	if c.kept == nil {
		return
	}
	k := &c.server.kept
	k.mu.Lock()
	subs := slices.Clone(c.kept.Subs)
	k.mu.Unlock()
	c.turn.Lock()
	defer c.turn.Unlock()
	c.mu.Lock()
	c.orders.running = true
	c.mu.Unlock()
	var left atomic.Int32
	left.Store(1)
	done := func() {
		if left.Add(-1) == 0 {
			c.ordered()
		}
	}
	defer done()
	for _, s := range subs {
		f, err := c.server.parseFilter(s.Filter)
		if err != nil {
			continue
		}
		sub := &subscription{
			filter: f, qos: s.QoS, noLocal: s.NoLocal, retainAsPublished: s.Retain, id: s.ID, policy: s.Policy, deadline: s.Deadline,
			cursors: s.Cursors,
		}
		if err := c.account.Take(sub.cost()); err != nil {
			c.refuse("resume", err)
			return
		}
		c.mu.Lock()
		c.subs[f.String()] = sub
		c.changes++
		c.mu.Unlock()
		left.Add(1)
		begun := func(r carrier.Reply) {
			defer done()
			if r.Status == carrier.StatusDone {
				return
			}
			c.mu.Lock()
			if c.subs[f.String()] == sub {
				delete(c.subs, f.String())
				c.account.Give(sub.cost())
			}
			ids := sub.listeners
			c.changes++
			c.mu.Unlock()
			c.later(func() { c.stopListening(ids, nil) }, len(ids) > 0)
			if r.Status == carrier.StatusDenied {
				c.server.kept.changed(c, nil)
			}
			c.refuse("resume", r.Err())
		}
		switch f.Kind {
		case topic.Request:
			c.addAsked(f, begun)
		case topic.Answer, topic.Nothing:
			begun(carrier.Reply{})
		case topic.Kept:
			if err := c.openShelf(sub); err != nil {
				begun(carrier.Failed(err))
				break
			}
			begun(carrier.Reply{})
			c.tellKept(sub, true)
		default:
			c.listen(sub, false, begun)
		}
	}
}
