package mqtt

import (
	"time"

	"sighub/carrier"
	"sighub/internal/mqtt/topic"
)

// An eventKey says what a topic stands for.
type eventKey struct{ sender, event string }

func keyOf(n topic.Name) eventKey { return eventKey{n.Sender, n.Name} }

// A late is a topic to which the client publishes while the hub has not answered yet whose sender that is. The messages wait, as visits, and
// are then handed on by whoever has the sender, which may be the client itself. Those that come meanwhile stay behind them. The session's
// lock guards it.
type late struct {
	key      eventKey
	waiting  []*visit
	left     int      // messages that are not answered
	answered bool     // nothing waits any more
	to       *session // that has the sender, once it is answered; nil: the hub refuses it
	refused  carrier.Reply
}

// behind has a message wait for the hub's answer, or hands it on behind those that have waited.
func (c *session) behind(t *late, v *visit) {
	c.mu.Lock()
	waits := !t.answered
	if waits {
		t.waiting = append(t.waiting, v)
	}
	c.mu.Unlock()
	if !waits {
		t.pass(v)
	}
}

// answerLate hands on what has waited for the hub's answer.
func (c *session) answerLate(t *late, to *session, r carrier.Reply) {
	counted := true // the hub has counted the refusal once
	c.mu.Lock()
	defer c.mu.Unlock()
	t.to, t.refused = to, r
	for len(t.waiting) > 0 {
		list := t.waiting
		t.waiting = nil
		c.mu.Unlock()
		for _, v := range list {
			v.counted, counted = counted, false
			t.pass(v)
		}
		c.mu.Lock()
	}
	t.answered = true
	c.forgetLate(t)
}

// pass hands on a message once it is known whose the sender is.
func (t *late) pass(v *visit) {
	if t.to == nil {
		v.end(t.refused)
		return
	}
	t.to.receive(v)
}

// withdraw notes that a message is not sent after all; t may be nil.
func (c *session) withdraw(t *late) {
	if t == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t.left--
	c.forgetLate(t)
}

// forgetLate forgets a topic when the client's messages need not wait there any more. The lock is held.
func (c *session) forgetLate(t *late) {
	if t.answered && t.left == 0 {
		delete(c.publishing.late, t.key)
	}
}

// settleLate waits for a moment until the hub has answered, and hands on what has waited: the client goes, and what it has said before is to
// be heard. The turn is the caller's.
func (c *session) settleLate() {
	c.mu.Lock()
	waits := len(c.publishing.late) > 0
	c.mu.Unlock()
	if !waits {
		return
	}
	most := time.NewTimer(flushTime)
	defer most.Stop()
	select {
	case <-c.publishing.added:
	case <-most.C:
	}
	c.handOn()
}
