package hub_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/hub"
)

// Clients that ask each other, add, remove and signal, in callbacks too, while their connections are cut, never wait
// for each other until a timeout ends it: the bubble's clock stands still while anyone has something to do.
func TestClientsDoEverythingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients, events, patient = 4, 200, 4 * time.Second
		w := serve(t, hub.ServerOptions{Outbox: hub.OutboxOptions{Limit: 64, Deadline: 50 * time.Millisecond}})
		prompt := func(what string, do func() error) error {
			start := time.Now()
			err := do()
			if took := time.Since(start); took > patient {
				t.Errorf("%s took %s: %v", what, took, err)
			}
			return err
		}
		name := func(i int) string { return fmt.Sprint("c", i%clients) }
		var mixers []*mixer
		var triggering sync.WaitGroup
		for i := range clients {
			c, peer, _ := w.client(t, name(i), hub.ClientOptions{})
			m := &mixer{router: c, me: name(i), next: name(i + 1), prompt: prompt}
			mixers = append(mixers, m)
			m.start(t)
			triggering.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(i), 1))
				for n := range events {
					if rnd.IntN(50) == 0 {
						peer.Cut()
					}
					m.trigger(n)
				}
			})
		}
		triggering.Wait()
		for _, m := range mixers {
			if err := prompt("the last request", func() error { return m.ask(t.Context()) }); err != nil {
				t.Error(err)
			}
		}
	})
}

// A mixer is a client that does something in a few of its callbacks.
type mixer struct {
	router         *hub.ClientRouter
	me, next       string
	prompt         func(what string, do func() error) error
	event, channel *hub.Signal

	heard int // callbacks do not overlap
}

func (m *mixer) start(t *testing.T) {
	t.Helper()
	s, err := m.router.AddRemoteSender(t.Context(), m.me, hub.SenderOptions{
		Events: []string{"e", "#ch"},
		Default: func(ctx context.Context, method string, p carrier.Value) (any, error) {
			if method == "deep" {
				return m.router.RemoteRequest(ctx, m.next, "shallow", p)
			}
			return p, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	if m.event, err = s.Signal("e"); err != nil {
		t.Fatal(err)
	}
	if m.channel, err = s.Signal("#ch"); err != nil {
		t.Fatal(err)
	}
	for _, sub := range [][2]string{{"", ""}, {"", "#ch"}, {m.next, "e"}, {m.me, "e"}} {
		addRemoteListener(t, m.router, sub[0], sub[1], m.hear)
	}
}

// trigger triggers an event; while the connection is lost, or the sender is not registered again yet, it tries on.
func (m *mixer) trigger(n int) {
	for pause := (carrier.Backoff{Min: time.Millisecond}); ; _ = pause.Wait(context.Background()) {
		if m.prompt("an event", func() error { return m.event.Trigger(context.Background(), n) }) == nil {
			return
		}
	}
}

// ask asks the next one, who asks the one after that.
func (m *mixer) ask(ctx context.Context) error {
	_, err := m.router.RemoteRequest(ctx, m.next, "deep", 1)
	return err
}

func (m *mixer) hear(ev hub.Event) {
	ctx := context.Background()
	m.heard++
	switch m.heard % 41 {
	case 10:
		_ = m.prompt("a request", func() error { return m.ask(ctx) })
	case 20:
		_ = m.prompt("a listener", func() error {
			l, err := m.router.AddRemoteListener(ctx, ev.Sender, "", func(hub.Event) {})
			if err == nil {
				l.Remove()
			}
			return err
		})
	case 30:
		_ = m.prompt("a channel", func() error { return m.channel.Trigger(ctx, 1) })
	case 40:
		_ = m.prompt("a sender", func() error {
			s, err := m.router.AddRemoteSender(ctx, fmt.Sprint("x", m.heard%5), hub.SenderOptions{})
			if err == nil {
				s.Remove()
			}
			return err
		})
	}
}
