package nats

import (
	"context"
	"time"

	"sighub/carrier"

	"github.com/nats-io/nats.go"
)

type far struct{ b *Bridge }

func (f *far) init(b *Bridge)          { f.b = b }
func (f *far) begin(h carrier.Handler) {}
func (f *far) end(cause error)         {}
func (f *far) wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}
func (b *Bridge) beat(ctx context.Context, conn *nats.Conn) error { <-ctx.Done(); return nil }

func (b *Bridge) Transmit(ctx context.Context, id carrier.ClientID, m *carrier.Message, done func(carrier.Reply, error)) error {
	return carrier.ErrNoClient
}
