package hub

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"sighub/carrier"
)

// TestListenerIsFoundOnArrival: an event that arrived before its listener was removed is accepted and not heard; one that
// arrives afterwards is refused, and so is one for which callbacks have no room.
func TestListenerIsFoundOnArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewClientRouter(ClientOptions{})
		h := &connectionHandler{router: r, serving: t.Context()}
		h.callbacks = runner{tasks: &h.tasks, limit: 3}
		c := &connection{handler: h, router: r, ctx: t.Context(), listeners: make(map[uint64]*Listener)}
		h.connection = c
		var heard []string
		hear := func(ev Event) { heard = append(heard, ev.Data.String()) }
		leaves, stays := &Listener{fn: hear, clientRouter: r}, &Listener{fn: hear, clientRouter: r}
		c.listeners[1], c.listeners[2] = leaves, stays
		tell := func(id, n int) *messageReply {
			reply := new(messageReply)
			params := fmt.Appendf(nil, `{"listener_id":%d,"info":{"sender":"s","event":"x"},"data":%d}`, id, n)
			h.HandleMessage(1, &carrier.Message{Method: "signal", Params: carrier.RawValue(carrier.JSON, params)}, reply.respond)
			return reply
		}
		gate := make(chan struct{})
		h.callbacks.do(func() { <-gate })
		synctest.Wait()
		replies := []*messageReply{tell(1, 0), tell(2, 1)}
		leaves.removed.Store(true)
		delete(c.listeners, 1)
		replies = append(replies, tell(1, 2), tell(2, 3), tell(2, 4))
		close(gate)
		synctest.Wait()
		want := []string{"done", "done", ErrNoListener.Error() + ": 1", "done", ErrBusy.Error()}
		if got := fmt.Sprint(replies); got != fmt.Sprint(want) {
			t.Errorf("the answers are %s, want %s", got, want)
		}
		if got := strings.Join(heard, " "); got != "1 3" {
			t.Errorf("heard %s", got)
		}
	})
}
