package hub

import (
	"context"
	"errors"
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
		router.connection.Store(c)
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

// A silentCarrier never answers. As a carrier.Trier, it takes messages at once; without that, it watches their contexts.
type silentCarrier struct{ carrier.Carrier }

func (silentCarrier) Transmit(ctx context.Context, _ carrier.ClientID, _ *carrier.Message, done func(carrier.Reply, error)) error {
	context.AfterFunc(ctx, func() { done(carrier.Reply{}, context.Cause(ctx)) })
	return nil
}

type silentTrier struct{ silentCarrier }

func (silentTrier) TryTransmit(carrier.ClientID, *carrier.Message, func(carrier.Reply, error)) (bool, error) {
	return true, nil
}

// TestCallsEnd: a call that is not answered ends when its context does or, if that has no deadline, when requests end.
func TestCallsEnd(t *testing.T) {
	for name, medium := range map[string]carrier.Carrier{"waits": silentCarrier{}, "tries": silentTrier{}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				router := NewClientRouter(ClientOptions{RequestTimeout: 7 * time.Second})
				h := &connectionHandler{router: router, carrier: medium, serving: t.Context()}
				router.connection.Store(&connection{handler: h, router: router, ctx: t.Context()})
				canceled, cancel := context.WithCancel(t.Context())
				time.AfterFunc(3*time.Second, cancel)
				short, end := context.WithTimeout(t.Context(), 5*time.Second)
				defer end()
				for _, c := range []struct {
					ctx  context.Context
					want time.Duration
					err  error
					text string
				}{
					{canceled, 3 * time.Second, context.Canceled, "context canceled"},
					{short, 2 * time.Second, context.DeadlineExceeded, "hub: no answer to m in time: context deadline exceeded"},
					{t.Context(), 7 * time.Second, context.DeadlineExceeded, "hub: no answer to m in time: context deadline exceeded"},
					{t.Context(), 7 * time.Second, context.DeadlineExceeded, "hub: no answer to m in time: context deadline exceeded"},
				} {
					begun := time.Now()
					_, err := router.Call(c.ctx, "m", nil)
					if took := time.Since(begun); took != c.want || !errors.Is(err, c.err) || err.Error() != c.text {
						t.Errorf("it ends after %v: %v, want %v: %s", took, err, c.want, c.text)
					}
				}
				synctest.Wait()
			})
		})
	}
}
