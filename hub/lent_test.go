package hub_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/hub"
)

// Callbacks and answers of a client run on the goroutine that reads its connection, as long as they are quick. Whatever they do
// instead, the connection lives on.

// A lentWorld is a hub with a sender, and one client of it over TCP.
type lentWorld struct {
	*hub.ServerRouter
	light  *hub.Sender
	client *hub.ClientRouter
	stop   func()
	lost   atomic.Int64 // connections
}

func newLentWorld(t *testing.T) *lentWorld {
	t.Helper()
	w := &lentWorld{ServerRouter: hub.NewServerRouter(hub.ServerOptions{})}
	addr := serveTCP(t, w.ServerRouter, tcp.Options{})
	var err error
	w.light, err = w.AddSender("light", hub.SenderOptions{Events: []string{"lux"}, Requests: map[string]hub.RequestHandler{
		"double": func(_ context.Context, _ string, params carrier.Value) (any, error) {
			var n int
			return 2 * n, params.Decode(&n)
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.client = hub.NewClientRouter(hub.ClientOptions{
		Options: hub.Options{Logger: slog.New(slog.DiscardHandler)}, Disconnected: func(error) { w.lost.Add(1) }, RequestTimeout: patience,
	})
	w.stop = serveClient(t, w.client, addr)
	return w
}

// listen subscribes to the sender's event. The data is lent to the callback until it returns.
func (w *lentWorld) listen(t *testing.T, hear func(n int, l *hub.Listener)) {
	t.Helper()
	var l atomic.Pointer[hub.Listener]
	o := hub.ListenerOptions{KeepsNothing: true}
	added, err := w.client.AddRemoteListenerWith(t.Context(), "light", "lux", o, func(ev hub.Event) {
		var n int
		if err := ev.Data.Decode(&n); err != nil {
			t.Error(err)
		}
		hear(n, l.Load())
		if got := ev.Data.String(); got != fmt.Sprint(n) {
			t.Errorf("the data was %d, and is %s before the callback returns", n, got)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	l.Store(added)
}

// answerWith adds a sender of the client's that answers "ask".
func (w *lentWorld) answerWith(t *testing.T, name string, handle func(n int) (any, error)) {
	t.Helper()
	_, err := w.client.AddRemoteSender(t.Context(), name, hub.SenderOptions{
		Events: []string{"x"},
		Requests: map[string]hub.RequestHandler{"ask": func(_ context.Context, _ string, params carrier.Value) (any, error) {
			var n int
			if err := params.Decode(&n); err != nil {
				return nil, err
			}
			return handle(n)
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// ask asks a sender of the client's, and wants an answer.
func (w *lentWorld) ask(t *testing.T, name string, n, want int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	v, err := w.Request(ctx, name, "ask", n)
	if got := v.String(); err != nil || got != fmt.Sprint(want) {
		t.Errorf("%s answers %d with %s, %v", name, n, got, err)
	}
}

func (w *lentWorld) alive(t *testing.T) {
	t.Helper()
	if n := w.lost.Load(); n > 0 {
		t.Errorf("%d connections were lost", n)
	}
}

// TestLentCallbackAsks: a callback may ask the hub, wait for an event of its own to be acknowledged, and register.
func TestLentCallbackAsks(t *testing.T) {
	w := newLentWorld(t)
	own, err := w.client.AddRemoteSender(t.Context(), "own", hub.SenderOptions{Events: []string{"heard"}})
	if err != nil {
		t.Fatal(err)
	}
	heard, err := own.Signal("heard")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan int, 100)
	w.listen(t, func(n int, _ *hub.Listener) {
		v, err := w.client.RemoteRequest(context.Background(), "light", "double", n)
		if err != nil || v.String() != fmt.Sprint(2*n) {
			t.Errorf("the double of %d is %s, %v", n, v, err)
		}
		if err := heard.Trigger(context.Background(), n); err != nil {
			t.Error(err)
		}
		if n == 0 {
			if _, err := w.client.AddRemoteListener(context.Background(), "light", "lux", func(hub.Event) {}); err != nil {
				t.Error(err)
			}
		}
		done <- n
	})
	for i := range 10 {
		trigger(t, w.light, "lux", i)
		if n := <-done; n != i {
			t.Errorf("%d is heard in the place of %d", n, i)
		}
	}
	w.alive(t)
}

// TestLentCallbackBlocks: while a callback waits for ever, the client answers, asks and triggers, and later events wait in order.
func TestLentCallbackBlocks(t *testing.T) {
	w := newLentWorld(t)
	w.answerWith(t, "own", func(n int) (any, error) { return n + 1, nil })
	gate, entered := make(chan struct{}), make(chan struct{}, 100)
	var mu sync.Mutex
	var list []int
	w.listen(t, func(n int, _ *hub.Listener) {
		entered <- struct{}{}
		if n == 0 {
			<-gate
		}
		mu.Lock()
		defer mu.Unlock()
		list = append(list, n)
	})
	trigger(t, w.light, "lux", 0)
	<-entered
	w.ask(t, "own", 1, 2) // nothing else has told the client that somebody waits
	for i := range 20 {
		trigger(t, w.light, "lux", i+1)
	}
	if v, err := w.client.RemoteRequest(t.Context(), "light", "double", 4); err != nil || v.String() != "8" {
		t.Errorf("the double of 4 is %s, %v", v, err)
	}
	select {
	case <-entered:
		t.Error("two callbacks run at a time")
	default:
	}
	close(gate)
	until(t, func() bool { mu.Lock(); defer mu.Unlock(); return len(list) == 21 })
	if !slices.IsSorted(list) {
		t.Errorf("heard in the order %v", list)
	}
	w.alive(t)
}

// TestLentCallbackRemoves: nothing is heard after a listener has removed itself, alone or waiting for the hub.
func TestLentCallbackRemoves(t *testing.T) {
	for name, remove := range map[string]func(w *lentWorld, l *hub.Listener) error{
		"Remove": func(_ *lentWorld, l *hub.Listener) error { l.Remove(); return nil },
		"RemoveRemoteListener": func(w *lentWorld, l *hub.Listener) error {
			return w.client.RemoveRemoteListener(context.Background(), l)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newLentWorld(t)
			var calls atomic.Int64
			removed := make(chan struct{})
			w.listen(t, func(_ int, l *hub.Listener) {
				if calls.Add(1) == 1 {
					time.Sleep(2 * time.Millisecond) // so that others wait by then
					if err := remove(w, l); err != nil {
						t.Error(err)
					}
					close(removed)
				}
			})
			for i := range 50 {
				trigger(t, w.light, "lux", i)
			}
			<-removed
			if _, err := w.client.RemoteRequest(t.Context(), "light", "double", 1); err != nil {
				t.Error(err)
			}
			if n := calls.Load(); n != 1 {
				t.Errorf("heard %d times", n)
			}
			w.alive(t)
		})
	}
}

// TestLentCallbackPanics: a callback and an answer that panic harm nothing else.
func TestLentCallbackPanics(t *testing.T) {
	w := newLentWorld(t)
	heard := make(chan int, 100)
	w.listen(t, func(n int, _ *hub.Listener) {
		heard <- n
		if n%2 == 0 {
			panic(n)
		}
	})
	w.answerWith(t, "own", func(n int) (any, error) {
		if n == 0 {
			panic(n)
		}
		return n, nil
	})
	for i := range 10 {
		trigger(t, w.light, "lux", i)
		if n := <-heard; n != i {
			t.Errorf("%d is heard in the place of %d", n, i)
		}
	}
	if _, err := w.Request(t.Context(), "own", "ask", 0); err == nil {
		t.Error("an answer that panics is given")
	}
	w.ask(t, "own", 3, 3)
	w.alive(t)
}

// TestLentCallbackStops: a callback may end its client; what it then waits for does not keep the connection.
func TestLentCallbackStops(t *testing.T) {
	w := newLentWorld(t)
	gate := make(chan struct{})
	stopping := make(chan struct{})
	w.listen(t, func(int, *hub.Listener) {
		go w.stop()
		close(stopping)
		<-gate
	})
	trigger(t, w.light, "lux", 1)
	<-stopping
	until(t, func() bool { return len(w.Clients()) == 0 })
	close(gate)
	w.stop()
}

// TestLentAnswers: an answer may take a request to another sender of the same client, and another request that has come at the same
// time.
func TestLentAnswers(t *testing.T) {
	w := newLentWorld(t)
	w.answerWith(t, "inner", func(n int) (any, error) { return n + 1, nil })
	w.answerWith(t, "outer", func(n int) (any, error) {
		return w.client.RemoteRequest(context.Background(), "inner", "ask", n)
	})
	meet := make(chan int)
	w.answerWith(t, "pair", func(n int) (any, error) {
		select {
		case meet <- n:
		case <-meet:
		case <-time.After(patience):
			return nil, context.DeadlineExceeded
		}
		return n, nil
	})
	for i := range 5 {
		w.ask(t, "outer", i, i+1)
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() { w.ask(t, "pair", i, i) })
		}
		both.Wait()
	}
	w.alive(t)
}
