package hub

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/hub/internal/runner"
)

// TestListenerIsFoundOnArrival: an event that arrived before its listener was removed is accepted and not heard; one that
// arrives afterwards is refused, and so is one for which callbacks have no room.
func TestListenerIsFoundOnArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewClientRouter(ClientOptions{})
		h := &connectionHandler{router: r, serving: t.Context()}
		h.callbacks = runner.Runner{Tasks: &h.tasks, Limit: 3}
		c := &connection{handler: h, router: r, ctx: t.Context(), listeners: make(map[uint64]*Listener)}
		h.connection = c
		var heard []string
		hear := func(ev Event) { heard = append(heard, ev.Data.String()) }
		leaves := &Listener{fn: hear, clientRouter: r, elsewhere: new(elsewhere)}
		stays := &Listener{fn: hear, clientRouter: r, elsewhere: new(elsewhere)}
		c.listeners[1], c.listeners[2] = leaves, stays
		tell := func(id, n int) *messageReply {
			reply := new(messageReply)
			params := fmt.Appendf(nil, `{"listener_id":%d,"info":{"sender":"s","event":"x"},"data":%d}`, id, n)
			h.HandleMessage(1, &carrier.Message{Method: "signal", Params: carrier.RawValue(carrier.JSON, params)}, reply.respond)
			return reply
		}
		gate := make(chan struct{})
		h.callbacks.Do(func() { <-gate })
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

// TestHeardIsAnsweredInTime: an event whose callback has returned does not wait for those of slow callbacks after it. What has
// not been heard when the client ends stays unanswered, as a message and in a stream.
func TestHeardIsAnsweredInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		serving, stop := context.WithCancel(t.Context())
		h := &connectionHandler{router: NewClientRouter(ClientOptions{}), serving: serving}
		h.callbacks = runner.Runner{Tasks: &h.tasks}
		c := &connection{handler: h, router: h.router, ctx: serving, listeners: make(map[uint64]*Listener)}
		h.connection = c
		var heard []string
		gate := make(chan struct{})
		c.listeners[1] = &Listener{clientRouter: h.router, elsewhere: new(elsewhere), fn: func(ev Event) {
			heard = append(heard, ev.Data.String())
			if <-gate; len(heard) < 3 {
				time.Sleep(2 * answerAfter)
			}
		}}
		var signals []carrier.Signal
		for i, id := range []uint64{1, 7, 1, 1, 1} {
			signals = append(signals, carrier.Signal{Route: &carrier.Route{Listener: id, Sender: "s", Event: "x"}, Data: carrier.ValueOf(i)})
		}
		var answers orderedAnswers
		h.HandleSignals(1, signals, &answers)
		params := []byte(`{"listener_id":1,"info":{"sender":"s","event":"x"},"data":9}`)
		message := new(messageReply)
		h.HandleMessage(1, &carrier.Message{Method: "signal", Params: carrier.RawValue(carrier.JSON, params)}, message.respond)
		for _, want := range []string{"done failed", "done failed done"} {
			gate <- struct{}{}
			time.Sleep(3 * answerAfter)
			synctest.Wait()
			if got := answers.String(); got != want {
				t.Errorf("the answers are %q, want %q", got, want)
			}
		}
		stop()
		close(gate)
		h.tasks.Wait()
		if got := answers.String() + ", " + message.String(); got != "done failed done done, 0 answers" {
			t.Errorf("at the end, the answers are %q", got)
		}
		if got := strings.Join(heard, " "); got != "0 2 3" {
			t.Errorf("heard %s", got)
		}
	})
}

// TestRemovedListenerIsForgotten: a connection does not keep a listener that is removed.
func TestRemovedListenerIsForgotten(t *testing.T) {
	r := NewClientRouter(ClientOptions{})
	c := &connection{router: r, ctx: t.Context(), listeners: make(map[uint64]*Listener)}
	l := &Listener{clientRouter: r, id: 5, elsewhere: &elsewhere{at: c}}
	other := &Listener{clientRouter: r, id: 6, elsewhere: &elsewhere{at: c}}
	r.listeners, c.listeners[5], c.listeners[6] = []*Listener{l, other}, l, other
	if at, id, ok := r.forgetListener(l); at != c || id != 5 || !ok || len(c.listeners) != 1 || c.listeners[6] != other {
		t.Errorf("forgotten as %d, %v; the connection knows %v", id, ok, c.listeners)
	}
	if _, _, ok := r.forgetListener(l); ok {
		t.Error("it is forgotten twice")
	}
}
