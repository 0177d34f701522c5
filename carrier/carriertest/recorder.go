package carriertest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"sighub/carrier"
)

// A Recorder is a [carrier.Handler] that remembers its clients and fails the test at each call that breaks a
// rule of the contract: calls for one client that overlap or come in the wrong order, an id used twice, a call
// after the last one. Set Handle before it is used.
type Recorder struct {
	// Handle handles messages; nil stands for [Answer].
	Handle func(id carrier.ClientID, m *carrier.Message, respond func(carrier.Reply))
	// Connected, if not nil, runs in ClientConnected, and Disconnected in ClientDisconnected.
	Connected    func(c carrier.Client)
	Disconnected func(id carrier.ClientID)

	t    testing.TB
	name string

	mu      sync.Mutex
	changed chan struct{} // closed at every change
	clients map[carrier.ClientID]*peer
	newest  *peer // of those that are connected
	closed  bool  // AllClientsDisconnected was called
	served  bool  // Serve has returned
}

type peer struct {
	carrier.Client
	running string // the call that runs now
	gone    bool
	cause   error
}

// NewRecorder returns a Recorder that reports to t; name stands in front of what it reports.
func NewRecorder(t testing.TB, name string) *Recorder {
	return &Recorder{t: t, name: name, changed: make(chan struct{}), clients: make(map[carrier.ClientID]*peer)}
}

// Answer is the handler that the suite's peers use: "echo" is answered with its params, "null" with nothing,
// "long" with a text of as many letters as its params say, "fail" with the status and the exception that its
// params list. It does not have other methods.
func Answer(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
	var err error
	switch m.Method {
	case "echo":
		respond(carrier.Done(m.Params))
		return
	case "null":
		respond(carrier.Done(nil))
		return
	case "long":
		var n int
		if err = m.Params.Decode(&n); err == nil {
			respond(carrier.Done(strings.Repeat("x", n)))
			return
		}
	case "fail":
		var r carrier.Reply
		err = m.Params.Fields(func(key string, v carrier.Value) error {
			if key == "status" {
				return v.Decode(&r.Status)
			}
			return v.Decode(&r.Exception)
		})
		if err == nil {
			respond(r)
			return
		}
	default:
		err = &carrier.StatusError{Status: carrier.StatusNoSuchMethod, Exception: m.Method}
	}
	respond(carrier.Failed(err))
}

// ClientConnected implements [carrier.Handler].
func (r *Recorder) ClientConnected(c carrier.Client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.late("ClientConnected")
	if c.ID == 0 || c.Codec == nil || c.Addr == "" {
		r.errorf("ClientConnected: the client needs an ID, an Addr and a Codec: %+v", c)
	}
	if r.clients[c.ID] != nil {
		r.errorf("ClientConnected: the id %d was used before", c.ID)
	}
	for id, other := range r.clients {
		if c.UID != "" && !other.gone && other.UID == c.UID {
			r.errorf("ClientConnected: client %d has the UID of client %d, %q", c.ID, id, c.UID)
		}
	}
	known := &peer{Client: c, running: "ClientConnected"}
	r.newest = known
	r.clients[c.ID] = known
	r.change()
	if r.Connected != nil {
		r.mu.Unlock()
		r.Connected(c)
		r.mu.Lock()
	}
	known.running = ""
}

// HandleMessage implements [carrier.Handler].
func (r *Recorder) HandleMessage(id carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
	defer r.enter(id, "HandleMessage "+m.Method)()
	if r.Handle != nil {
		r.Handle(id, m, respond)
		return
	}
	Answer(id, m, respond)
}

// ClientDisconnected implements [carrier.Handler].
func (r *Recorder) ClientDisconnected(id carrier.ClientID, cause error) {
	defer r.enter(id, "ClientDisconnected")()
	if r.Disconnected != nil {
		r.Disconnected(id)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if cause == nil {
		r.errorf("ClientDisconnected: no cause is given")
	}
	if c := r.clients[id]; c != nil {
		c.gone, c.cause = true, cause
	}
	r.newest = nil
	for _, c := range r.clients {
		if !c.gone && (r.newest == nil || c.ID > r.newest.ID) {
			r.newest = c
		}
	}
	r.change()
}

// AllClientsDisconnected implements [carrier.Handler].
func (r *Recorder) AllClientsDisconnected(cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.late("AllClientsDisconnected")
	if cause == nil {
		r.errorf("AllClientsDisconnected: no cause is given")
	}
	for id, c := range r.clients {
		if !c.gone {
			r.errorf("AllClientsDisconnected: client %d was not disconnected before", id)
		}
	}
	r.closed = true
	r.change()
}

// Client waits for a client to be connected, and returns the newest.
func (r *Recorder) Client(ctx context.Context) (carrier.Client, error) {
	var c carrier.Client
	err := r.until(ctx, func() bool {
		if r.newest != nil {
			c = r.newest.Client
		}
		return r.newest != nil
	})
	if err != nil {
		err = fmt.Errorf("%s waits for a client to connect: %w", r.name, err)
	}
	return c, err
}

// Gone waits for a client to be disconnected, and returns the cause.
func (r *Recorder) Gone(ctx context.Context, id carrier.ClientID) (cause error, err error) {
	err = r.until(ctx, func() bool {
		c := r.clients[id]
		if c == nil || !c.gone {
			return false
		}
		cause = c.cause
		return true
	})
	if err != nil {
		err = fmt.Errorf("%s waits for client %d to be disconnected: %w", r.name, id, err)
	}
	return cause, err
}

// Served notes that Serve has returned. A call of any other method of the handler then fails the test.
func (r *Recorder) Served() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.errorf("Serve has returned, and AllClientsDisconnected was not called")
	}
	r.served = true
}

// live returns how many clients are connected.
func (r *Recorder) live() (n int) {
	for _, c := range r.clients {
		if !c.gone {
			n++
		}
	}
	return n
}

// enter records the beginning of a call for a client. The function that it returns records the end.
func (r *Recorder) enter(id carrier.ClientID, call string) func() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.late(call)
	c := r.clients[id]
	switch {
	case c == nil:
		r.errorf("%s for client %d, which was not connected", call, id)
		return func() {}
	case c.gone:
		r.errorf("%s for client %d, which was disconnected before", call, id)
	case c.running != "":
		r.errorf("%s for client %d overlaps %s", call, id, c.running)
	}
	c.running = call
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		c.running = ""
	}
}

func (r *Recorder) late(call string) {
	switch {
	case r.served:
		r.errorf("%s after Serve has returned", call)
	case r.closed:
		r.errorf("%s after AllClientsDisconnected", call)
	}
}

func (r *Recorder) errorf(format string, args ...any) {
	r.t.Errorf("%s: %s", r.name, fmt.Sprintf(format, args...))
}

func (r *Recorder) change() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// until waits for cond, which is called with the lock held, to become true.
func (r *Recorder) until(ctx context.Context, cond func() bool) error {
	for {
		r.mu.Lock()
		ok, changed := cond(), r.changed
		r.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
