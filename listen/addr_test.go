package listen

import (
	"strings"
	"testing"
)

func TestParseAddr(t *testing.T) {
	for _, c := range []struct{ addr, network, where, err string }{
		{"tcp://127.0.0.1:3000", "tcp", "127.0.0.1:3000", ""},
		{"localhost:3000", "tcp", "localhost:3000", ""},
		{"tcp://[::1]:0", "tcp", "[::1]:0", ""},
		{":3000", "tcp", ":3000", ""},
		{"unix:///run/hub", "unix", "/run/hub", ""},
		{"unix://run/hub", "", "", "three slashes"},
		{"127.0.0.1", "", "", "HOST:PORT"},
		{"http://x:1", "", "", "HOST:PORT"},
		{"", "", "", "HOST:PORT"},
	} {
		network, where, err := ParseAddr(c.addr)
		if network != c.network || where != c.where || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q: %q %q %v", c.addr, network, where, err)
		}
	}
}
