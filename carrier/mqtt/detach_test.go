package mqtt

import (
	"net"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/listen"
)

// A goneHandler is called when a client has gone.
type goneHandler struct {
	carrier.SignalHandler
	gone func()
}

func (h goneHandler) ClientDisconnected(carrier.ClientID, error) { h.gone() }

// TestLinkStays: a session that ends has its link until the hub has heard of its end and it is noted since when the client is away, so that
// the client waits for that when it is back at once.
func TestLinkStays(t *testing.T) {
	s := New(nil, Options{})
	s.kept.list, s.kept.wake = make(map[sessionKey]*keptSession), make(chan struct{}, 1)
	nc, other := net.Pipe()
	defer other.Close()
	l := newLink(s, listen.Plain(nc))
	l.expiry = time.Hour
	c := s.open(l, sessionKey{client: "pump"})
	c.attach(l)
	c.kept = &keptSession{Client: "pump"}
	s.kept.list[c.key] = c.kept
	s.sessions[c.key] = c
	told := false
	s.handler = goneHandler{gone: func() {
		told = true
		if c.kept.gone.IsZero() {
			t.Error("it is not noted that the client is away when the hub hears of it")
		}
		if c.link != l {
			t.Error("whoever comes back now does not wait")
		}
	}}
	c.detach(l, carrier.ErrClosed)
	l.end()
	if !told {
		t.Error("the hub does not hear that the client has gone")
	}
	if c.takeOver(newLink(s, listen.Plain(other)), false) {
		t.Error("the session goes on")
	}
}
