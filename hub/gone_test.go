package hub_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/hub"
)

// TestRequestWhenItsClientGoes: whoever asked is told at once that the client has gone, and why.
func TestRequestWhenItsClientGoes(t *testing.T) {
	for range 20 { // it is noticed in several places
		n := serveNetwork(t, hub.ServerOptions{})
		owner, stop := n.client(carrier.CBOR)
		asked, release := make(chan struct{}), make(chan struct{})
		if _, err := owner.AddRemoteSender(n.ctx, "light", hub.SenderOptions{
			Default: func(context.Context, string, carrier.Value) (any, error) {
				close(asked)
				<-release
				return nil, nil
			},
		}); err != nil {
			t.Fatal(err)
		}
		other, _ := n.client(carrier.CBOR)
		answer := make(chan error, 1)
		go func() {
			_, err := other.RemoteRequest(n.ctx, "light", "read", nil)
			answer <- err
		}()
		<-asked
		stopped := make(chan struct{})
		go func() { stop(); close(stopped) }()
		if err := <-answer; err == nil || !strings.Contains(err.Error(), "client gone: carrier: closed") {
			t.Error(err)
		}
		close(release)
		<-stopped
		n.stop()
	}
}

// TestGoneSenderLeavesNothing: who goes on to trigger a sender that was removed does not keep the hub from forgetting it.
func TestGoneSenderLeavesNothing(t *testing.T) {
	r := hub.NewRouter(hub.Options{})
	for range 3000 {
		s, err := r.AddSender("light", hub.SenderOptions{Events: []string{"lux"}})
		if err != nil {
			t.Fatal(err)
		}
		lux, err := s.Signal("lux")
		if err != nil {
			t.Fatal(err)
		}
		l, err := r.AddListener("light", "lux", func(hub.Event) {})
		if err != nil {
			t.Fatal(err)
		}
		s.Remove()
		var triggering sync.WaitGroup
		var begun, over atomic.Bool
		triggering.Go(func() {
			for !over.Load() {
				if err := lux.Trigger(t.Context(), 1); !errors.Is(err, hub.ErrNotConnected) {
					t.Error(err)
				}
				begun.Store(true)
			}
		})
		for !begun.Load() {
			runtime.Gosched()
		}
		l.Remove()
		over.Store(true)
		triggering.Wait()
		if left := r.Senders(); len(left) > 0 {
			t.Fatalf("%+v is left", left)
		}
	}
}

// TestUsedWhileItEnds: a router may be used while its Serve ends. Nothing is started then that Serve does not wait for, which
// the race detector would see, and what is asked is answered.
func TestUsedWhileItEnds(t *testing.T) {
	for range 60 {
		w := serve(t, hub.ServerOptions{RequestTimeout: patience})
		c, _, stop := w.client(t, "c", hub.ClientOptions{})
		other, _, stopOther := w.client(t, "other", hub.ClientOptions{})
		if _, err := c.AddRemoteSender(t.Context(), "s", hub.SenderOptions{Default: echo}); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		var users sync.WaitGroup
		use := func(f func() error) {
			users.Go(func() {
				for {
					select {
					case <-ended:
						return
					default:
						_ = f() // it fails from some time on
					}
				}
			})
		}
		begun := make(chan struct{}, 1)
		use(func() error {
			_, err := w.Request(t.Context(), "s", "echo", nil)
			select {
			case begun <- struct{}{}:
			default:
			}
			return err
		})
		use(func() error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			l, err := other.AddRemoteListener(ctx, "s", "", func(hub.Event) {})
			if err == nil {
				l.Remove()
			}
			return err
		})
		<-begun
		stopOther()
		w.stop()
		close(ended)
		users.Wait()
		stop()
	}
}
