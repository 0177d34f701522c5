package carrier

import (
	"context"
	"slices"
	"sync"
)

// Calls holds the unanswered messages of one client. It keeps to the client's window, gives each message its id, and ends
// each message exactly once. Carriers use it to implement Transmit.
type Calls struct {
	mu      sync.Mutex
	window  int
	next    uint64
	pending map[uint64]*call
	waiting []chan struct{} // goroutines in Begin, in the order of their arrival
	granted int             // places kept for goroutines that were let in and have not taken them yet
	err     error           // set once the client has gone
}

type call struct {
	done func(Reply, error)
	stop func() bool // ends the watch over the context
}

// NewCalls returns the Calls of a client that takes window unanswered messages at a time.
func NewCalls(window int) *Calls {
	return &Calls{window: window}
}

// SetWindow changes the window.
func (c *Calls) SetWindow(window int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.window = window
	c.admit()
}

// Begin waits until the window has room and registers done for a new message, whose id it returns. Its error is that of
// ctx, or the one given to Fail; done is then not called. When ctx is done later on, done is called with its error; the
// message keeps its place in the window until it is answered, because the client still has it.
func (c *Calls) Begin(ctx context.Context, done func(Reply, error)) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, context.Cause(ctx)
	}
	c.mu.Lock()
	// A place that becomes free is kept for the first in the queue: nobody overtakes.
	if c.err == nil && (len(c.waiting) > 0 || !c.room()) {
		turn := make(chan struct{})
		c.waiting = append(c.waiting, turn)
		c.mu.Unlock()
		select {
		case <-turn:
			c.mu.Lock()
			c.granted--
		case <-ctx.Done():
			c.mu.Lock()
			c.leave(turn)
			c.mu.Unlock()
			return 0, context.Cause(ctx)
		}
	}
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, c.err
	}
	id, k := c.begin(done)
	if ctx.Done() != nil {
		k.stop = context.AfterFunc(ctx, func() { c.expire(id, context.Cause(ctx)) })
	}
	return id, nil
}

// TryBegin is Begin without a context, if that would not wait. Otherwise it returns false.
func (c *Calls) TryBegin(done func(Reply, error)) (id uint64, ok bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, true, c.err
	}
	if len(c.waiting) > 0 || !c.room() {
		return 0, false, nil
	}
	id, _ = c.begin(done)
	return id, true, nil
}

// begin registers a message. The lock is held.
func (c *Calls) begin(done func(Reply, error)) (uint64, *call) {
	c.next++
	k := &call{done: done}
	if c.pending == nil { // a client may never be sent a message
		c.pending = make(map[uint64]*call)
	}
	c.pending[c.next] = k
	return c.next, k
}

// Answer ends the message id with the client's reply. It reports whether such a message was outstanding.
func (c *Calls) Answer(id uint64, r Reply) bool {
	done, ok := c.take(id)
	if done != nil {
		done(r, nil)
	}
	return ok
}

// Cancel ends the message id with err, if it has not ended yet, and frees its place in the window. It is for a message that
// was never sent, or whose answer is not expected any more.
func (c *Calls) Cancel(id uint64, err error) {
	if done, _ := c.take(id); done != nil {
		done(Reply{}, err)
	}
}

// Drop forgets the message id without calling its done: for a message that could not be sent, so that Transmit returns an
// error. It reports whether it has forgotten the message; if not, done was called or will be.
func (c *Calls) Drop(id uint64) bool {
	done, _ := c.take(id)
	return done != nil
}

// Fail ends every message with err, and lets every later Begin return it. Only its first call counts; a later one returns
// at once, even while the first one still calls dones.
func (c *Calls) Fail(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	failed := c.pending
	c.pending = nil
	for _, turn := range c.waiting {
		c.granted++
		close(turn)
	}
	c.waiting = nil
	c.mu.Unlock()
	for _, k := range failed {
		if k.stop != nil {
			k.stop()
		}
		if k.done != nil {
			k.done(Reply{}, err)
		}
	}
}

// Outstanding returns how many messages are not answered yet.
func (c *Calls) Outstanding() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.pending)
}

func (c *Calls) take(id uint64) (done func(Reply, error), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.pending[id]
	if !ok {
		return nil, false
	}
	delete(c.pending, id)
	if k.stop != nil {
		k.stop()
	}
	c.admit()
	return k.done, true
}

func (c *Calls) expire(id uint64, err error) {
	c.mu.Lock()
	var done func(Reply, error)
	if k := c.pending[id]; k != nil {
		done, k.done = k.done, nil
	}
	c.mu.Unlock()
	if done != nil {
		done(Reply{}, err)
	}
}

func (c *Calls) room() bool { return len(c.pending)+c.granted < c.window }

// admit lets in as many waiting goroutines as there is room for.
func (c *Calls) admit() {
	for len(c.waiting) > 0 && c.room() {
		c.granted++
		close(c.waiting[0])
		c.waiting = c.waiting[1:]
	}
}

// leave removes a goroutine that gave up from the queue. If it already had its turn, the next one gets it.
func (c *Calls) leave(turn chan struct{}) {
	if i := slices.Index(c.waiting, turn); i >= 0 {
		c.waiting = slices.Delete(c.waiting, i, i+1)
		return
	}
	c.granted--
	c.admit()
}
