package hub

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

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

// A tryingCarrier is a messageCarrier that can transmit without waiting, when the test says so.
type tryingCarrier struct {
	*messageCarrier
	room bool
	with *carrier.Together // of the latest message that was tried
}

func (c *tryingCarrier) TryTransmit(id carrier.ClientID, m *carrier.Message, done func(carrier.Reply, error)) (bool, error) {
	if c.with = m.Together; !c.room {
		return false, nil
	}
	return true, c.Transmit(context.Background(), id, m, done)
}

// TestRequestsAreTried: a request that arrives with others is tried first, and otherwise transmitted as others are; either way its
// place in the window is given back.
func TestRequestsAreTried(t *testing.T) {
	for _, room := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newMessageWorld(t, ServerOptions{})
			trying := &tryingCarrier{messageCarrier: &w.carrier, room: room}
			w.handler.carrier = trying
			owner, asker := w.connect(4, true), w.connect(4, true)
			w.done(owner, "add_sender", `{"sender":"s","events":[],"requests":["m"]}`)
			var with carrier.Together
			for n := range 3 * cap(w.handler.client(owner).places()) {
				with.Begin()
				answer := new(messageReply)
				w.handler.HandleMessage(asker, &carrier.Message{
					Method: methodRequest, Params: carrier.RawValue(carrier.JSON, []byte(`{"sender":"s","method":"m"}`)), Together: &with,
				}, answer.respond)
				if trying.with != &with {
					t.Error("the request is not tried with what it arrived with")
				}
				synctest.Wait()
				sent := w.carrier.take()
				if len(sent) != 1 {
					t.Fatalf("request %d: %d messages are transmitted", n, len(sent))
				}
				sent[0].done(carrier.Reply{Response: carrier.ValueOf("yes"), Together: &with}, nil)
				synctest.Wait()
				if answer.count != 1 || answer.reply.Response.String() != `"yes"` || answer.reply.Together != &with {
					t.Fatalf("request %d: answered %d times, with %+v", n, answer.count, answer.reply)
				}
				with.End()
			}
			w.end()
		})
	}
}
