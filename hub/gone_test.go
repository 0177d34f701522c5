package hub_test

import (
	"context"
	"strings"
	"testing"

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
