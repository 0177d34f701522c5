package hub_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"sighub/carrier"
	"sighub/hub"
)

// TestLargeEventsNeedNoAnswers: a listener that answers late is sent large events as fast as it reads them.
func TestLargeEventsNeedNoAnswers(t *testing.T) {
	n := serveNetwork(t, hub.ServerOptions{})
	p := n.raw()
	p.say(`{"id":2,"method":"add_listener","params":{"sender":"camera","event":"picture"}}`)
	p.hear(`"id":2`)
	sender, err := n.AddSender("camera", hub.SenderOptions{Events: []string{"picture"}})
	if err != nil {
		t.Fatal(err)
	}
	picture, err := sender.Signal("picture")
	if err != nil {
		t.Fatal(err)
	}
	const events = 8 << 20 / carrier.PendingLimit * 10 // more than sockets have room for
	data := strings.Repeat("x", carrier.PendingLimit/10)
	triggered := make(chan error)
	go func() {
		for range events {
			if err := picture.Trigger(t.Context(), data); err != nil {
				triggered <- err
				return
			}
		}
		triggered <- nil
	}()
	for range events {
		p.hear("xxx")
	}
	if err := <-triggered; err != nil {
		t.Error(err)
	}
}

// TestManySendersOfOneMachine: senders of one machine that do not wait for their answers are slowed down before they use up what the hub holds
// for it: nothing is refused, and no listener misses anything.
func TestManySendersOfOneMachine(t *testing.T) {
	const senders, listeners, events, size = 50, 3, 200, 4 << 10
	n := serveNetwork(t, hub.ServerOptions{
		Memory: carrier.NewBudget(16 << 20),
		Outbox: hub.OutboxOptions{Deadline: patience}, // a slow machine is no reason for a gap
	})
	var heard sync.WaitGroup
	heard.Add(senders * listeners * events)
	for range listeners {
		r, _ := n.client(carrier.CBOR)
		_, err := r.AddRemoteListenerWith(n.ctx, "", "", hub.ListenerOptions{KeepsNothing: true}, func(ev hub.Event) {
			switch ev.Name {
			case "n":
				heard.Done()
			case hub.Gap:
				t.Errorf("a gap: %v", ev.Data)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	data := strings.Repeat("x", size)
	var answered sync.WaitGroup
	for i := range senders {
		r, _ := n.client(carrier.CBOR)
		g := n.signal(r, fmt.Sprint("s", i))
		answered.Go(func() {
			var each sync.WaitGroup
			for range events {
				each.Add(1)
				err := g.TriggerAsync(n.ctx, data, func(err error) {
					if err != nil {
						t.Errorf("refused: %v", err)
					}
					each.Done()
				})
				if err != nil {
					t.Errorf("not sent: %v", err)
					return
				}
			}
			each.Wait()
		})
	}
	answered.Wait()
	if t.Failed() {
		return // what was refused is not heard
	}
	ended := make(chan struct{})
	go func() { heard.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-n.ctx.Done():
		t.Error("not all of it was heard")
	}
}
