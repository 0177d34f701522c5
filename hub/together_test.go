package hub

import (
	"context"
	"sync"
	"testing"

	"sighub/carrier"
)

type flushed chan struct{}

func (f flushed) FlushNow() { close(f) }

// TestWaitingHoldsNothingBack: a message that waits for memory does not hold back what was passed on because of those that came with
// it.
func TestWaitingHoldsNothingBack(t *testing.T) {
	s := NewServerRouter(ServerOptions{})
	var tasks sync.WaitGroup
	d := &carrierHandler{server: s, serving: context.Background(), tasks: &tasks, clients: make(map[carrier.ClientID]*client)}
	budget := carrier.NewBudget(1 << 20)
	d.ClientConnected(carrier.Client{ID: 1, Codec: carrier.CBOR, Hello: true, Window: 10, Account: budget.Open("here")})
	c := d.client(1)
	c.backlog.enter(c.ctx, 1) // something is being handled
	taken := 0
	for size := 1 << 20; size > 0; size /= 2 {
		for c.account.Take(size) == nil {
			taken += size
		}
	}
	var with carrier.Together
	with.Begin()
	f := make(flushed)
	if !with.Join(f) {
		t.Fatal("nothing joins")
	}
	answered := make(chan struct{})
	tasks.Go(func() {
		d.HandleMessage(1, &carrier.Message{Method: methodVersion, Together: &with}, func(carrier.Reply) { close(answered) })
	})
	<-f
	c.account.Give(taken)
	c.backlog.leave(1)
	<-answered
	d.ClientDisconnected(1, carrier.ErrClosed)
	tasks.Wait()
}
