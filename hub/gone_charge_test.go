package hub

import (
	"strings"
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
