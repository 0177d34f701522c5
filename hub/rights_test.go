package hub

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/hub/internal/names"
)

// device connects a client that may only do what every client may, and what is said.
func (w *messageWorld) device(uid, addr string, may carrier.Rights) carrier.ClientID {
	w.clients++
	w.handler.ClientConnected(carrier.Client{ID: w.clients, Codec: carrier.JSON, Hello: true, Window: 16, UID: uid, Addr: addr,
		Restricted: true, May: may})
	return w.clients
}

// refused tells a client's message that is to be refused, with words in the answer.
func (w *messageWorld) refused(id carrier.ClientID, words, method, params string) {
	w.t.Helper()
	r := w.tell(id, method, "%s", params)
	synctest.Wait()
	if got := r.String(); !strings.HasPrefix(got, carrier.ErrDenied.Error()) || !strings.Contains(got, words) {
		w.t.Fatalf("%s %s: %s", method, params, got)
	}
}

// TestRights: a restricted client may do what concerns its own senders, and what its rights say. Nothing that it is refused
// has any effect.
func TestRights(t *testing.T) {
	calls := []struct {
		method, params string
		needs          carrier.Rights
	}{
		{"get_version", `{}`, 0},
		{"add_sender", `{"sender":"own","events":["e"],"requests":["r"]}`, 0},
		{"signal", `{"info":{"sender":"own","event":"e"},"data":1}`, 0},
		{"add_listener", `{"sender":null,"event":null}`, carrier.RightListen},
		{"add_listener", `{"sender":"own","event":"e"}`, carrier.RightListen},
		{"remove_listener", `{"listener_id":1}`, carrier.RightListen},
		{"request", `{"sender":"pump","method":"set","params":true}`, carrier.RightRequest},
		{"list_senders", `{}`, carrier.RightList},
		{"list_ports", `{}`, carrier.RightList},
		{"remove_sender", `{"sender":"own"}`, 0},
	}
	for may := range carrier.AllRights + 1 {
		t.Run(may.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				set := 0
				w := newMessageWorld(t, ServerOptions{Methods: map[string]Method{
					"list_ports": func(context.Context, carrier.Value) (any, error) { return nil, nil },
				}})
				defer w.end()
				_, err := w.AddSender("pump", SenderOptions{Requests: map[string]RequestHandler{
					"set": func(context.Context, string, carrier.Value) (any, error) { set++; return nil, nil },
				}})
				if err != nil {
					t.Fatal(err)
				}
				id := w.device("spy", "serial:///dev/a", may)
				for _, c := range calls {
					if c.needs&^may != 0 {
						w.refused(id, fmt.Sprintf("%s needs the right %q", c.method, c.needs), c.method, c.params)
						continue
					}
					r := w.tell(id, c.method, "%s", c.params)
					synctest.Wait()
					if got := r.String(); strings.Contains(got, "not allowed") || strings.Contains(got, "answers") {
						t.Errorf("%s: %s", c.method, got)
					}
				}
				for method := range methods { // that are not in the table need a right, too
					_, known := rightFor[method]
					if err := w.handler.client(id).allowed(method); !known && (err == nil) != (may&carrier.RightList != 0) {
						t.Errorf("%s: %v", method, err)
					}
				}
				if r := w.tell(id, "no_such_method", `{}`); !strings.Contains(waited(r), "no such method") {
					t.Error(r)
				}
				if want := may & carrier.RightRequest >> 1; set != int(want) {
					t.Errorf("the pump was set %d times", set)
				}
				if may&carrier.RightListen == 0 && len(w.carrier.take()) > 0 {
					t.Error("it hears events")
				}
			})
		})
	}
}

func waited(r *messageReply) string {
	synctest.Wait()
	return r.String()
}

// TestKeptNames: a device cannot take a name of the hub's own, nor that of another client that has gone a moment ago. What
// comes back, what stands at its port, and anybody later, can.
func TestKeptNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const own = `{"sender":"cpu","events":[],"requests":null}`
		const boiler = `{"sender":"boiler","events":[],"requests":null}`
		const page = `{"sender":"page","events":[],"requests":null}`
		w := newMessageWorld(t, ServerOptions{})
		defer w.end()
		w.Reserve("cpu", "disk")
		good := w.device("good", "serial:///dev/a", 0)
		spy := w.device("spy", "serial:///dev/b", carrier.AllRights)
		network := w.connect(16, true)
		w.refused(spy, "cpu is one of the hub's own", "add_sender", own)
		w.done(network, "add_sender", own) // it is not restricted
		w.done(good, "add_sender", boiler)
		w.done(network, "add_sender", page)

		gone := func(id carrier.ClientID) {
			w.handler.ClientDisconnected(id, carrier.ErrUnplugged)
			synctest.Wait()
		}
		gone(good)
		w.done(network, "remove_sender", `{"sender":"page"}`)
		w.refused(spy, "boiler was that of serial:///dev/a", "add_sender", boiler)
		w.refused(spy, "page was that of", "add_sender", page)
		w.done(network, "add_sender", page)

		back := w.device("good", "serial:///dev/c", 0) // on another port
		w.done(back, "add_sender", boiler)
		gone(back)
		other := w.device("other", "serial:///dev/c", 0) // another device on that port
		w.done(other, "add_sender", boiler)
		gone(other)

		time.Sleep(names.KeptFor - time.Second)
		w.refused(spy, "boiler was that of", "add_sender", boiler)
		time.Sleep(time.Second)
		w.done(spy, "add_sender", boiler)
	})
}
