package hub

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/hub/internal/fair"
)

// TestPatienceWithAPlace: clients at one place that are slow in turn, whether they were there before or connect again, hold a
// sender up for two deadlines in all. Those at other places have their own, and after ten minutes so have these.
func TestPatienceWithAPlace(t *testing.T) {
	const deadline = 2 * time.Second
	for _, stay := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newMessageWorld(t, ServerOptions{Outbox: OutboxOptions{Limit: 8, Deadline: deadline}})
			defer w.end()
			s := addTo(t, w.Router, "s", []string{"x"})
			held := func() time.Duration {
				t.Helper()
				began := time.Now()
				for range 20 {
					if err := s.signals["x"].Trigger(t.Context(), nil); err != nil {
						t.Fatal(err)
					}
				}
				return time.Since(began)
			}
			connect := func(addr string) carrier.ClientID {
				w.clients++
				w.handler.ClientConnected(carrier.Client{ID: w.clients, Codec: carrier.JSON, Hello: true, Window: 1, Addr: addr})
				return w.clients
			}
			var there []carrier.ClientID
			for i := range 20 * 2 {
				there = append(there, connect(fmt.Sprint("tcp://10.0.0.1:", i)))
			}
			all := time.Duration(0)
			for i := range 20 {
				id := there[i]
				if !stay {
					id = connect(fmt.Sprint("tcp://10.0.0.1:", 100+i))
				}
				w.done(id, "add_listener", `{"sender":"s","event":"x"}`)
				all += held()
				if !stay {
					w.handler.ClientDisconnected(id, carrier.ErrClosed)
				}
			}
			if want := 2 * deadline; all < want/2 || all > want+want/10 {
				t.Errorf("stay: %v, clients of one place hold a sender up for %s", stay, all)
			}
			w.done(connect("tcp://10.0.0.2:1"), "add_listener", `{"sender":"s","event":"x"}`)
			if took := held(); took != deadline {
				t.Errorf("stay: %v, a client of another place holds a sender up for %s", stay, took)
			}
			time.Sleep(fair.PlaceRecovery)
			w.done(there[30], "add_listener", `{"sender":"s","event":"x"}`)
			if took := held(); took != deadline {
				t.Errorf("stay: %v, after ten minutes, a client holds a sender up for %s", stay, took)
			}
		})
	}
}

// TestPatienceWithManyAddresses: a place is what the carrier says, so one machine gains nothing by its many addresses.
func TestPatienceWithManyAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const deadline = 2 * time.Second
		w := newMessageWorld(t, ServerOptions{Outbox: OutboxOptions{Limit: 8, Deadline: deadline}})
		s := addTo(t, w.Router, "s", []string{"x"})
		began := time.Now()
		for i := range 10 {
			w.clients++
			account := w.opts.Memory.Open("this machine")
			w.handler.ClientConnected(carrier.Client{
				ID: w.clients, Codec: carrier.JSON, Hello: true, Window: 1, Addr: fmt.Sprintf("tcp://127.0.0.%d:1", i+1), Account: account,
			})
			w.done(w.clients, "add_listener", `{"sender":"s","event":"x"}`)
			for range 20 {
				if err := s.signals["x"].Trigger(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
			}
			w.handler.ClientDisconnected(w.clients, carrier.ErrClosed)
			account.Close()
		}
		if took := time.Since(began); took > 2*deadline+deadline/10 {
			t.Errorf("clients of one machine hold a sender up for %s", took)
		}
		w.end()
	})
}
