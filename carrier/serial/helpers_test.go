package serial

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"sighub/carrier"
)

const watchdog = time.Minute

// A recorder is a handler that keeps what it is told, and answers messages as the test says.
type recorder struct {
	mu      sync.Mutex
	log     []told
	changed chan struct{}
	handle  func(id carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) // nil: done
}

type told struct {
	what    string // connected, disconnected, all, or the method of a message
	client  carrier.Client
	id      carrier.ClientID
	cause   error
	message *carrier.Message
	at      time.Time
}

func newRecorder() *recorder { return &recorder{changed: make(chan struct{})} }

func (r *recorder) add(t told) {
	t.at = time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, t)
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *recorder) ClientConnected(c carrier.Client) {
	r.add(told{what: "connected", client: c, id: c.ID})
}

func (r *recorder) HandleMessage(id carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
	r.add(told{what: m.Method, id: id, message: m})
	if r.handle != nil {
		r.handle(id, m, respond)
		return
	}
	respond(carrier.Done(nil))
}

func (r *recorder) ClientDisconnected(id carrier.ClientID, cause error) {
	r.add(told{what: "disconnected", id: id, cause: cause})
}

func (r *recorder) AllClientsDisconnected(cause error) { r.add(told{what: "all", cause: cause}) }

// wait waits for the n-th thing of a kind, counted from 1.
func (r *recorder) wait(t testing.TB, what string, n int) told {
	t.Helper()
	deadline := time.After(watchdog)
	for {
		r.mu.Lock()
		changed, left := r.changed, n
		for _, e := range r.log {
			if e.what == what {
				if left--; left == 0 {
					r.mu.Unlock()
					return e
				}
			}
		}
		r.mu.Unlock()
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("waited in vain for %q number %d; have %v", what, n, r.summary())
		}
	}
}

func (r *recorder) summary() (s []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.log {
		s = append(s, fmt.Sprint(e.what, " ", e.id))
	}
	return s
}

// all returns what was told of a kind.
func (r *recorder) all(what string) (found []told) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.log {
		if e.what == what {
			found = append(found, e)
		}
	}
	return found
}

// serve serves a carrier until the test ends, or until stop is called.
func serve(t testing.TB, c carrier.Carrier, h carrier.Handler) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := c.Serve(ctx, h); err != nil {
			t.Errorf("Serve: %v", err)
		}
	}()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	return stop
}

// A signal is what a message "signal" says.
type signal struct {
	sender, event     string
	time, uncertainty int64
	data              any
}

func signalOf(t testing.TB, m *carrier.Message) (s signal) {
	t.Helper()
	err := m.Params.Fields(func(key string, v carrier.Value) error {
		switch key {
		case "info":
			return v.Fields(func(key string, v carrier.Value) error {
				switch key {
				case "sender":
					return v.Decode(&s.sender)
				case "event":
					return v.Decode(&s.event)
				case "time":
					return v.Decode(&s.time)
				case "uncertainty":
					return v.Decode(&s.uncertainty)
				}
				return fmt.Errorf("unknown field %s", key)
			})
		case "data":
			var err error
			s.data, err = v.Any()
			return err
		}
		return fmt.Errorf("unknown field %s", key)
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// lossOf returns the data of a gap.
func lossOf(t testing.TB, s signal) (loss gapData) {
	t.Helper()
	must(t, carrier.ValueOf(s.data).Decode(&loss))
	return loss
}

// call transmits a message and waits for the reply.
func call(t testing.TB, c carrier.Carrier, id carrier.ClientID, method string, params any) (carrier.Reply, error) {
	t.Helper()
	type result struct {
		reply carrier.Reply
		err   error
	}
	results := make(chan result, 1)
	ctx, cancel := context.WithTimeout(context.Background(), watchdog)
	defer cancel()
	err := c.Transmit(ctx, id, &carrier.Message{Method: method, Params: carrier.ValueOf(params)},
		func(r carrier.Reply, err error) { results <- result{r, err} })
	if err != nil {
		return carrier.Reply{}, err
	}
	select {
	case r := <-results:
		return r.reply, r.err
	case <-time.After(watchdog):
		return carrier.Reply{}, errors.New("no reply")
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// within fails the test if f takes too long.
func within(t testing.TB, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(watchdog):
		t.Fatalf("%s hangs", what)
	}
}
