package listen

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestByAddress: where old programs may connect, a silent one may stay for an hour, and whoever has begun has ten seconds. The strangers
// among them make way as everywhere.
func TestByAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		s := open(t, Options{Listeners: []net.Listener{p}})
		s.sockets[0].address.ByAddress = true
		run(t, s, "abc")
		silent, half := p.dial("192.0.2.1"), p.dial("192.0.2.2")
		time.Sleep(time.Hour)
		say(t, half, "b")
		time.Sleep(time.Hour)
		synctest.Wait()
		if open, strangers := s.Connections(); open != 1 || strangers != 1 {
			t.Errorf("%d connections, %d of strangers", open, strangers)
		}
		say(t, silent, "bee\n")
		hear(t, silent, "bee\n")
		var flood []net.Conn
		for i := range 300 {
			flood = append(flood, p.dial(fmt.Sprintf("10.0.0.%d", i%250)))
		}
		synctest.Wait()
		if open, strangers := s.Connections(); open != 257 || strangers != 256 {
			t.Errorf("%d connections, %d of strangers", open, strangers)
		}
		for _, nc := range append(flood, silent, half) {
			_ = nc.Close()
		}
	})
}

// TestSecretIsNotPrinted: a secret is not printed by accident.
func TestSecretIsNotPrinted(t *testing.T) {
	s := Secret{Token: "abc", Password: "def", Pairing: &Pairing{ID: "ghi"}}
	if text := fmt.Sprintf("%v %+v %#v %s %q", s, s, s, &s, s); strings.Contains(text, "abc") || strings.Contains(text, "def") {
		t.Error(text)
	}
}
