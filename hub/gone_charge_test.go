package hub

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
)

// TestGoneClientIsCharged: a request that nobody has answered yet is charged to whoever made it, also when that client has gone
// and its carrier has closed the account. So to connect again and again does not make the hub hold more than it may.
func TestGoneClientIsCharged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 100_000
		w := newMessageWorld(t, ServerOptions{})
		defer w.end()
		w.done(w.connect(8, true), "add_sender", `{"sender":"deaf","events":[],"requests":[null]}`)
		budget := w.opts.Memory
		before := budget.Used()
		for range 10 {
			account := budget.Open("there")
			w.clients++
			w.handler.ClientConnected(carrier.Client{ID: w.clients, Codec: carrier.JSON, Hello: true, Account: account})
			w.tell(w.clients, "request", `{"sender":"deaf","method":"m","params":"%s"}`, strings.Repeat("x", size))
			synctest.Wait()
			w.handler.ClientDisconnected(w.clients, carrier.ErrClosed)
			account.Close()
		}
		synctest.Wait()
		if held := budget.Used() - before; held < 10*size {
			t.Errorf("%d bytes are held for clients that have gone, of %d", held, 10*size)
		}
		time.Sleep(w.opts.RequestTimeout)
		synctest.Wait()
		if held := budget.Used() - before; held != 0 {
			t.Errorf("%d bytes are held when the time of the requests is over", held)
		}
	})
}

// TestGoneClientWantsNoTurn: what a client asked for that has gone does not wait for its turn behind the work of others.
func TestGoneClientWantsNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMessageWorld(t, ServerOptions{})
		for range 200 { // others want turns
			go func() { w.pace.Do(t.Context(), func() { time.Sleep(time.Millisecond) }) }()
		}
		synctest.Wait()
		id := w.connect(8, true)
		for i := range 100 {
			w.tell(id, "list_senders", `{}`)
			w.tell(id, "add_sender", `{"sender":"s%d","events":[]}`, i)
		}
		w.handler.ClientDisconnected(id, carrier.ErrClosed)
		began := time.Now()
		w.end()
		if took := time.Since(began); took > 0 {
			t.Errorf("its calls end %v after it has gone", took)
		}
		time.Sleep(time.Minute)
	})
}

// TestGoneClientIsNotAwaited: a hub that ends waits until its clients have answered, but not for one that goes without an answer: its stream
// has ended, and nothing is answered any more.
func TestGoneClientIsNotAwaited(t *testing.T) {
	s := NewServerRouter(ServerOptions{})
	var tasks sync.WaitGroup
	d := &carrierHandler{server: s, serving: t.Context(), tasks: &tasks, clients: make(map[carrier.ClientID]*client)}
	d.ClientConnected(carrier.Client{ID: 1, Codec: carrier.CBOR, Hello: true, Window: 100, Signals: new(stuckSink)})
	c := d.client(1)
	l := &Listener{sender: "light", router: s.Router, client: c, policy: Block}
	if err := s.listen(l, false); err != nil {
		t.Fatal(err)
	}
	c.keep(l)
	if _, err := s.AddSender("light", SenderOptions{}); err != nil { // its #connect is on its way to the client
		t.Fatal(err)
	}
	flushed := c.outbox.flushed()
	select {
	case <-flushed:
		t.Fatal("nothing is on its way to the client")
	default:
	}
	d.ClientDisconnected(1, carrier.ErrClosed)
	select {
	case <-flushed:
	default:
		t.Error("a client that has gone is waited for")
	}
	tasks.Wait()
}
