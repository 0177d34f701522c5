package address

import (
	"context"
	"errors"
	"strings"
	"testing"

	"sighub/carrier"
)

// TestParse: an address is read in each of its forms, and is written in one.
func TestParse(t *testing.T) {
	for _, test := range []struct {
		text, want string
		local      bool
	}{
		{"tcp://127.0.0.1:3000", "tcp://127.0.0.1:3000", true},
		{"127.0.0.1:03000", "tcp://127.0.0.1:3000", true},
		{"localhost:0", "tcp://localhost:0", true},
		{"[::1]:3000", "tcp://[::1]:3000", true},
		{":3000", "tcp://:3000", false},
		{"tcp://192.0.2.1:65535", "tcp://192.0.2.1:65535", false},
		{"tcp://gateway.example:3000", "tcp://gateway.example:3000", false},
		{"unix:///run/sighub/../hub.sock", "unix:///run/hub.sock", true},
		{"unix:///" + strings.Repeat("a", maxSocketPath-1), "unix:///" + strings.Repeat("a", maxSocketPath-1), true},
	} {
		a, err := Parse(test.text)
		if err != nil || a.String() != test.want || a.Local() != test.local {
			t.Errorf("%s: %s, local: %v, %v", test.text, a, a.Local(), err)
		}
		if again, err := Parse(a.String()); again != a || err != nil {
			t.Errorf("%s is read again as %v, %v", a, again, err)
		}
	}
}

// TestParseErrors: the error of anything else says what to write.
func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                     "the address is empty: write tcp://host:port or unix:///path",
		"udp://127.0.0.1:3000": "udp:// is not known: write tcp://host:port or unix:///path",
		"127.0.0.1":            "the port is missing: write 127.0.0.1:3000",
		"::1:3000":             `"::1:3000" is not host:port`,
		"localhost:http":       `"http" is not a port: write a number`,
		"localhost:65536":      `"65536" is not a port: write a number`,
		"local/host:3000":      `"local/host" is not a host`,
		"unix://hub.sock":      `"hub.sock" is not an absolute path`,
		"unix:///" + strings.Repeat("a", maxSocketPath): "the socket's path has 108 bytes: use a shorter one",
	} {
		if a, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) || a != (Address{}) {
			t.Errorf("%q: %v, %v; must contain %q", text, a, err, want)
		}
	}
}

// TestListen: every scheme has a carrier that listens, and one that connects.
func TestListen(t *testing.T) {
	for _, text := range []string{"tcp://127.0.0.1:0", "unix://" + t.TempDir() + "/hub.sock"} {
		a, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		server, err := a.Listen(Options{})
		if err != nil {
			t.Fatal(err)
		}
		if found, err := Parse(server.Addr()); err != nil || found.Network != a.Network {
			t.Errorf("%s listens at %s, %v", text, server.Addr(), err)
		}
		client := a.Connect(ClientOptions{})
		if err := client.Transmit(context.Background(), 1, new(carrier.Message), nil); !errors.Is(err, carrier.ErrNoClient) {
			t.Errorf("%s: a client that is not served: %v", text, err)
		}
		if err := server.Close(); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}
