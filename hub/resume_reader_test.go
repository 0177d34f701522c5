package hub

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/hub/internal/runner"
)

// A countingReader counts those who are about to wait.
type countingReader struct{ resumed int }

func (r *countingReader) Lend(func()) bool { return false }
func (r *countingReader) Resume()          { r.resumed++ }

// A lateCarrier answers after a second.
type lateCarrier struct{ carrier.Carrier }

func (lateCarrier) Transmit(_ context.Context, _ carrier.ClientID, _ *carrier.Message, done func(carrier.Reply, error)) error {
	time.AfterFunc(time.Second, func() { done(carrier.Reply{}, nil) })
	return nil
}

// TestWaitingResumesReading: whoever waits for the hub has said so before, since it may be on the goroutine that should read.
func TestWaitingResumesReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		router, reader := NewClientRouter(ClientOptions{}), new(countingReader)
		h := &connectionHandler{router: router, carrier: lateCarrier{}, serving: t.Context()}
		c := &connection{handler: h, router: router, ctx: t.Context(), reader: reader, orders: runner.Runner{Tasks: &h.tasks}}
		router.connection = c
		s, err := newSender("s", SenderOptions{Events: []string{"x"}})
		if err != nil {
			t.Fatal(err)
		}
		s.clientRouter = router
		for name, wait := range map[string]func() error{
			"a call": func() error { _, err := router.Call(t.Context(), "m", nil); return err },
			"a registration": func() error {
				return c.add(t.Context(), "m", nil, func(carrier.Value) (func(), error) { return nil, nil })
			},
			"an event": func() error { return s.signals["x"].Trigger(t.Context(), 1) },
			"a full window": func() error {
				rs := &reports{sink: &writtenSink{}, resume: c.resume}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				rs.mu.Lock()
				defer rs.mu.Unlock()
				_ = rs.wait(ctx) // in vain
				return nil
			},
		} {
			reader.resumed = 0
			if err := wait(); err != nil || reader.resumed != 1 {
				t.Errorf("%s: %v, and reading is resumed %d times", name, err, reader.resumed)
			}
		}
		h.tasks.Wait()
	})
}
