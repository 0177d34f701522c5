package tcp

import (
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"sighub/carrier"
)

// TestAccount: the total holds what waits and what is being written, in steps, and nothing of a connection that has ended.
func TestAccount(t *testing.T) {
	var total atomic.Int64
	a, b := unwritten{total: &total}, unwritten{total: &total}
	want := func(n int64) {
		t.Helper()
		if got := total.Load(); got != n {
			t.Errorf("the total is %d, not %d", got, n)
		}
	}
	a.add(1, countStep-1)
	want(0)
	a.add(1, 20)
	b.add(1, 2*countStep)
	want(3*countStep + 19)
	if a.answered(1) {
		t.Error("one that is not taken is answered")
	}
	a.take()
	a.add(1, 10)
	want(3*countStep + 19)
	if !a.answered(2) || a.answered(1) {
		t.Error("two were taken to be written")
	}
	a.written()
	want(2*countStep + 10)
	a.take()
	a.written()
	want(2 * countStep)
	b.take()
	b.end()
	want(0)
	b.written()
	want(0)
}

// TestAnswersToNothing: who answers signals that it cannot have read is disconnected.
func TestAnswersToNothing(t *testing.T) {
	for _, answer := range []string{`[1]`, `[-2,"no"]`} {
		ctx, p, h, c := speakStreams(t, Options{Logger: slog.New(slog.DiscardHandler)}, 10)
		p.say(answer)
		if cause, err := h.Gone(ctx, c.ID); err != nil || !errors.Is(cause, carrier.ErrMalformed) {
			t.Errorf("%s: gone for %v, %v", answer, cause, err)
		}
	}
}

// TestRepliesBesideSignals: where messages are small, far more bytes of signals than of replies may wait; replies are sent
// all the same.
func TestRepliesBesideSignals(t *testing.T) {
	_, p, _, c := speakStreams(t, Options{Limits: Limits{MaxMessage: 4096}}, 1000)
	r := &carrier.OutRoute{Route: carrier.Route{Listener: 7, Sender: "s", Event: "e"}}
	var packed carrier.PackedSignal
	text := strings.Repeat("x", 1000)
	if err := packed.Pack(carrier.JSON, &carrier.Signal{Data: carrier.ValueOf(text)}); err != nil {
		t.Fatal(err)
	}
	w := &c.Signals.(*conn).writer
	w.wait(t.Context().Done(), func() bool { return !w.running.Load() }) // with the answer to hello
	for i := range 200 {
		if pending, err := c.Signals.Put(r, &packed); err != nil || pending < 1000*(i+1) {
			t.Fatal(pending, err)
		}
	}
	c.Signals.Submit()
	p.say(`{"id":1,"method":"echo","params":5}`)
	p.hear(`[[0,"s","e",7],"` + text + `"]` + "\n")
	for range 199 {
		p.hear(`[0,"` + text + `"]` + "\n")
	}
	p.hear(`{"id":1,"status":0,"response":5}` + "\n")
}
