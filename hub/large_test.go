package hub_test

import (
	"strings"
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
