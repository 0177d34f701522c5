package hub

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
)

// A silentHub answers nothing. A message ends when its time is over, before Transmit returns, as a carrier may do it.
type silentHub struct {
	carrier.Carrier
	signals carrier.SignalSink
}

func (s *silentHub) Serve(ctx context.Context, h carrier.Handler) error {
	h.ClientConnected(carrier.Client{ID: 1, Codec: carrier.JSON, Hello: true, Window: 16, Signals: s.signals})
	<-ctx.Done()
	h.ClientDisconnected(1, carrier.ErrShutdown)
	return nil
}

func (s *silentHub) Transmit(ctx context.Context, _ carrier.ClientID, _ *carrier.Message, done func(carrier.Reply, error)) error {
	<-ctx.Done()
	done(carrier.Reply{}, context.Cause(ctx))
	return nil
}

// TestNoAnswerInTime: an event that the hub does not answer fails with the same words, as a message and in a stream.
func TestNoAnswerInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := &stuckSink{total: new(atomic.Int64)}
		for _, hub := range []*silentHub{{}, {signals: stream}} {
			r := NewClientRouter(ClientOptions{})
			ctx, stop := context.WithCancel(t.Context())
			served := make(chan error)
			go func() { served <- r.Serve(ctx, hub) }()
			if err := r.WaitConnected(ctx); err != nil {
				t.Fatal(err)
			}
			s, err := newSender("s", SenderOptions{Events: []string{"x"}})
			if err != nil {
				t.Fatal(err)
			}
			s.clientRouter = r
			for range 50 {
				short, cancel := context.WithTimeout(ctx, time.Second)
				err := s.signals["x"].Trigger(short, 1)
				cancel()
				if want := "hub: no answer to signal in time: context deadline exceeded"; err == nil || err.Error() != want {
					t.Errorf("the error is %v, want %s", err, want)
				}
			}
			stop()
			if err := <-served; err != nil {
				t.Error(err)
			}
		}
	})
}
