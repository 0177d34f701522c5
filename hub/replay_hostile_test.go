package hub_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/hub"
)

// TestManyReplays: a client that asks for thousands of replays is refused beyond a number, with the reason; what it has is given back
// when it goes, and others are not delayed meanwhile.
func TestManyReplays(t *testing.T) {
	k := newKeeper(t, hub.ServerOptions{})
	sender, _ := k.client(carrier.CBOR)
	g := k.signal(sender, "s")
	k.trigger(g, 0, 2000)
	other, _ := k.client(carrier.CBOR)
	live, _ := k.listen(other, "s", "n", hub.ListenerOptions{})
	before := runtime.NumGoroutine()
	hostile, stop := k.client(carrier.CBOR)
	granted := 0
	var refused error
	for i := range 1500 {
		o := hub.ListenerOptions{From: "start"}
		if i%2 == 0 {
			o.Cursor = fmt.Sprint("hostile ", i)
		}
		event := fmt.Sprint("e", i) // so that it is not refused for being equal
		if _, err := hostile.AddRemoteListenerWith(k.ctx, "s", event, o, func(hub.Event) {}); err != nil {
			refused = err
			continue
		}
		granted++
	}
	if granted > 300 || granted < 50 || !errors.Is(refused, carrier.ErrLimit) {
		t.Errorf("%d replays are granted, then: %v", granted, refused)
	}
	began := time.Now()
	k.trigger(g, 2000, 2100)
	wantLines(t, live.wait(100), numbers("s", 2000, 2100)...)
	if took := time.Since(began); took > patience/8 {
		t.Errorf("others wait for %v", took)
	}
	stop()
	until(t, func() bool { return runtime.NumGoroutine() <= before+4 })
	list, err := other.Cursors(k.ctx)
	if err != nil || len(list) == 0 {
		t.Fatal(list, err)
	}
	for _, c := range list {
		if c.Client != nil {
			t.Errorf("%+v has an owner that is gone", c)
		}
		if err := other.RemoveCursor(k.ctx, c.Name); err != nil {
			t.Error(err)
		}
	}
	if list, err := other.Cursors(k.ctx); err != nil || len(list) > 0 {
		t.Errorf("%v, %v", list, err)
	}
}

// TestFromStartInALoop: a client that begins again and again delays nobody and leaves nothing.
func TestFromStartInALoop(t *testing.T) {
	k := newKeeper(t, hub.ServerOptions{})
	sender, _ := k.client(carrier.CBOR)
	g := k.signal(sender, "s")
	k.trigger(g, 0, 5000)
	before := runtime.NumGoroutine()
	var stop atomic.Bool
	var loops sync.WaitGroup
	for range 3 {
		r, _ := k.client(carrier.CBOR)
		loops.Go(func() {
			for !stop.Load() {
				l, err := r.AddRemoteListenerWith(k.ctx, "", "", hub.ListenerOptions{From: "start"}, func(hub.Event) {})
				if err != nil {
					t.Error(err)
					return
				}
				l.Remove()
			}
		})
	}
	other, _ := k.client(carrier.CBOR)
	live, _ := k.listen(other, "s", "n", hub.ListenerOptions{})
	for i := range 20 {
		k.trigger(g, 5000+i, 5001+i)
	}
	wantLines(t, live.wait(20), numbers("s", 5000, 5020)...)
	stop.Store(true)
	loops.Wait()
	until(t, func() bool { return runtime.NumGoroutine() <= before+40 })
}

// TestAcknowledge: a cursor that its owner moves is where it moved it, and nowhere else.
func TestAcknowledge(t *testing.T) {
	k := newKeeper(t, hub.ServerOptions{})
	r, stop := k.client(carrier.CBOR)
	g := k.signal(r, "s")
	k.trigger(g, 0, 10)
	o := hub.ListenerOptions{Cursor: "c", From: "start", Manual: true}
	h, _ := k.listen(r, "s", "n", o)
	wantLines(t, h.wait(10), numbers("s", 0, 10)...)
	at := h.events[6].Position
	for _, bad := range []hub.Position{
		{Epoch: at.Epoch, Sequence: at.Sequence + 1000}, {Epoch: at.Epoch + 1, Sequence: 1}, {Epoch: 1<<32 - 1, Sequence: 1<<64 - 2}, {},
	} {
		if err := r.Acknowledge(k.ctx, "c", bad); !errors.Is(err, hub.ErrArguments) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if err := r.Acknowledge(k.ctx, "d", at); !errors.Is(err, hub.ErrNoCursor) {
		t.Error(err)
	}
	if err := r.Acknowledge(k.ctx, "c", at); err != nil {
		t.Fatal(err)
	}
	if err := r.Acknowledge(k.ctx, "c", h.events[2].Position); err != nil { // it does not go back
		t.Fatal(err)
	}
	other, _ := k.client(carrier.CBOR)
	if err := other.Acknowledge(k.ctx, "c", h.events[9].Position); !errors.Is(err, hub.ErrNoCursor) {
		t.Errorf("another one moves it: %v", err)
	}
	stop()
	until(t, func() bool {
		list, err := other.Cursors(k.ctx)
		return err == nil && len(list) == 1 && list[0].Client == nil && list[0].Position == at
	})
	h, _ = k.listen(other, "s", "n", o)
	wantLines(t, h.wait(3), numbers("s", 7, 10)...)
}

// TestSlowOwner: one who is slow with a long replay delays neither senders nor the other listeners of its client, holds nothing, and
// hears all of it. Events that happen meanwhile go beside it.
func TestSlowOwner(t *testing.T) {
	const events = 20_000
	k := newKeeper(t, hub.ServerOptions{Outbox: hub.OutboxOptions{Deadline: patience}}) // as long as a sender would wait that is held up
	sender, _ := k.client(carrier.CBOR)
	g := k.signal(sender, "s")
	for i := 0; i < events; i += 1000 {
		k.trigger(g, i, i+1000)
	}
	for name, m := range map[string]medium{
		"stream": {ClientOptions: tcp.ClientOptions{Limits: tcp.Limits{Signals: 256}}}, "messages": {messages: true},
	} {
		r, stop := k.over(m)
		gate := make(chan struct{})
		var heard atomic.Int64
		if _, err := r.AddRemoteListenerWith(k.ctx, "s", "n", hub.ListenerOptions{From: "start"}, func(hub.Event) {
			if heard.Add(1) == 100 {
				<-gate
			}
		}); err != nil {
			t.Fatal(err)
		}
		live, _ := k.listen(r, "t "+name, "n", hub.ListenerOptions{})
		other := k.signal(sender, "t "+name)
		until(t, func() bool { return heard.Load() >= 100 })
		began := time.Now()
		k.trigger(other, 0, 50)
		if took := time.Since(began); took > patience/2 {
			t.Errorf("%s: a sender waits for %v", name, took)
		}
		close(gate)
		wantLines(t, live.wait(50), numbers("t "+name, 0, 50)...)
		if n := heard.Load(); n == events {
			t.Logf("%s: the events that happened meanwhile came last", name)
		}
		until(t, func() bool { return heard.Load() == events })
		stop()
	}
}

// TestRemovedWhileReplaying: when a listener is removed, its cursor goes on behind what the hub knows that it has heard. What it was
// hearing at that moment may come again, for the answer may be behind the removal. Nothing is left out.
func TestRemovedWhileReplaying(t *testing.T) {
	k := newKeeper(t, hub.ServerOptions{})
	sender, _ := k.client(carrier.CBOR)
	g := k.signal(sender, "s")
	k.trigger(g, 0, 3000)
	for name, m := range media {
		r, _ := k.over(m)
		var mu sync.Mutex
		var got []int
		count := func() int {
			mu.Lock()
			defer mu.Unlock()
			return len(got)
		}
		o := hub.ListenerOptions{Cursor: name, From: "start"}
		for count() < 1000 {
			enough := make(chan struct{})
			n := 0
			l, err := r.AddRemoteListenerWith(k.ctx, "s", "n", o, func(ev hub.Event) {
				var i int
				if err := ev.Data.Decode(&i); err != nil {
					t.Error(err)
				}
				mu.Lock()
				got = append(got, i)
				mu.Unlock()
				if n++; n == 300 {
					close(enough)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			<-enough
			if err := r.RemoveRemoteListener(k.ctx, l); err != nil {
				t.Fatal(err)
			}
		}
		mu.Lock()
		for i, n := range got {
			if i > 0 && (n > got[i-1]+1 || n < got[i-1]-300) {
				t.Fatalf("%s: %d comes after %d", name, n, got[i-1])
			}
		}
		if got[0] != 0 || slices.Max(got) < 700 {
			t.Errorf("%s: from %d to %d", name, got[0], slices.Max(got))
		}
		mu.Unlock()
	}
}
