package address

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/listen/keys"
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
		{"ws://localhost:3000", "ws://localhost:3000", true},
		{"ws://127.0.0.1:3000/api/v1/socket", "ws://127.0.0.1:3000", true},
		{"wss://example.org", "wss://example.org:443", false},
		{"wss://example.org/house/hub/", "wss://example.org:443/house/hub", false},
		{"ws://[::1]/hub/api/v1/socket", "ws://[::1]:80/hub", true},
		{"wss://[2001:db8::1]:3000", "wss://[2001:db8::1]:3000", false},
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

// TestParseOptions: a socket's address says who may connect, and is the same without.
func TestParseOptions(t *testing.T) {
	plain, err := Parse("unix:///run/hub.sock")
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]Address{
		"?":                        {},
		"?mode=0660&group=dialout": {Mode: 0o660, Group: "dialout"},
		"?group=20":                {Group: "20"},
		"?mode=666":                {Mode: 0o666},
		"?mode=0o600":              {Mode: 0o600},
	} {
		a, err := Parse("unix:///run/hub.sock" + query)
		want.Network, want.Addr = plain.Network, plain.Addr
		if err != nil || a != want || !a.Same(plain) || a.String() != plain.String() {
			t.Errorf("%s: %+v, %v", query, a, err)
		}
	}
	other, err := Parse("127.0.0.1:3000")
	if err != nil || other.Same(plain) || other.Set("mode", "0600") == nil {
		t.Errorf("%+v, %v", other, err)
	}
}

// TestParseErrors: the error of anything else says what to write.
func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                     "the address is empty: write tcp://host:port, tls://host:port or unix:///path",
		"http://pi:3000":       "http:// is not known: write tcp://host:port, where HTTP is spoken, too; a hub behind a proxy is at ws://host:port/path",
		"https://pi/hub":       "https:// is not known: write tls://host:port, where HTTP is spoken, too; a hub behind a proxy is at wss://host:port/path",
		"udp://127.0.0.1:3000": "udp:// is not known: write tcp://host:port, tls://host:port or unix:///path",
		"127.0.0.1":            "the port is missing: write 127.0.0.1:3000",
		"::1:3000":             `"::1:3000" is not host:port`,
		"localhost:http":       `"http" is not a port: write a number`,
		"localhost:65536":      `"65536" is not a port: write a number`,
		"local/host:3000":      `"local/host" is not a host`,
		"unix://hub.sock":      `"hub.sock" is not an absolute path`,
		"unix://@hub":          "abstract socket",
		"unix:///hub\x00":      "is not a path",
		"unix:///hub?mode=755": "mode \"755\" is not understood: write 0600",
		"unix:///hub?mode=9":   "is not understood",
		"unix:///hub?mode=060": "is not understood",
		"unix:///hub?mode=":    "is not understood",
		"unix:///hub?group":    "the group is empty",
		"unix:///hub?user=me":  `"user" is not known: write mode or group`,
		"unix:///" + strings.Repeat("a", maxSocketPath): "the socket's path has 108 bytes: use a shorter one",
	} {
		if a, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) || a != (Address{}) {
			t.Errorf("%q: %v, %v; must contain %q", text, a, err, want)
		}
	}
}

// TestTLS: whether TLS is spoken is said where a hub listens, and the pin of its key where others connect.
func TestTLS(t *testing.T) {
	a, err := ParseHub("tls://pi.local:3000/aaaa-bbbb-cccc-dddd")
	if err != nil || a.String() != "tls://pi.local:3000" || a.Pin.String() != "AAAA-BBBB-CCCC-DDDD" || a.Local() {
		t.Errorf("%+v, %v", a, err)
	}
	for text, want := range map[string]Address{
		"tls://0.0.0.0:3000":                          {Network: "tcp", Addr: "0.0.0.0:3000", TLS: "required"},
		"tcp://0.0.0.0:3000?tls=off&speaks=cbor,http": {Network: "tcp", Addr: "0.0.0.0:3000", TLS: "off", Speaks: "cbor,http"},
		"unix:///hub?speaks=json&mode=0666":           {Network: "unix", Addr: "/hub", Speaks: "json", Mode: 0o666},
	} {
		if a, err := ParseListen(text); err != nil || a != want {
			t.Errorf("%s: %+v, %v", text, a, err)
		}
		if a, err := ParseHub(text); (err == nil) != strings.HasPrefix(text, "tls") {
			t.Errorf("a hub at %s: %+v, %v", text, a, err)
		}
	}
	for _, text := range []string{"tls://pi:3000/AAAA-BBBB-CCCC-DDDD", "tls://pi", "tls://pi:3000/AAAA", "pi:3000?tls=on", "pi:3000?speaks=", "pi:3000?mode=0600"} {
		if a, err := ParseListen(text); err == nil || a != (Address{}) {
			t.Errorf("%s: %+v, %v", text, a, err)
		}
	}
}

// TestWebSocket: a client connects there, and no hub listens.
func TestWebSocket(t *testing.T) {
	for _, text := range []string{"ws://127.0.0.1:3000", "wss://127.0.0.1:3000"} {
		if a, err := ParseListen(text); err == nil || a != (Address{}) {
			t.Errorf("%s: %v", text, a)
		}
	}
	for _, text := range []string{"ws://", "ws:///hub", "ws://host:x/", "ws://host:3000/a b", "wss://host:70000", "ws://a/b#c"} {
		if a, err := ParseHub(text); err == nil {
			t.Errorf("%s: %v", text, a)
		}
	}
	hub, err := Parse("tcp://127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := keys.Own(t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	servers, err := Listen([]Address{hub}, Options{HTTP: http.NotFoundHandler(), Certificate: certificate})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() { _ = servers[0].Serve(ctx, nobody{}) })
	serving.Go(func() { _ = servers[1].Serve(ctx, nobody{}) })
	defer serving.Wait()
	defer stop()
	under := http.StripPrefix("/house/hub", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: strings.TrimPrefix(servers[0].Addrs()[0], "tcp://")})
		r.Out.Host = r.In.Host
	}})
	proxy := httptest.NewServer(under)
	defer proxy.Close()
	at := strings.TrimPrefix(servers[0].Addrs()[0], "tcp://")
	for text, pin := range map[string]keys.Pin{
		"ws://" + at: {}, "wss://" + at: keys.PinOf(certificate.Hash()), "ws://" + strings.TrimPrefix(proxy.URL, "http://") + "/house/hub/": {},
	} {
		a, err := ParseHub(text)
		if err != nil {
			t.Fatal(err)
		}
		a.Pin = pin
		for _, codec := range []carrier.Codec{carrier.CBOR, carrier.JSON} {
			connected := make(chan carrier.Client, 1)
			ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
			c := a.Connect(ClientOptions{Name: "test", Codec: codec, Failed: func(err error) { t.Errorf("%s: %v", text, err) }})
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_ = c.Serve(ctx, nobody{connected})
			}()
			select {
			case client := <-connected:
				if !client.Hello {
					t.Errorf("%s: %+v", text, client)
				}
			case <-ctx.Done():
				t.Errorf("%s is not reached", text)
			}
			stop()
			<-ended
		}
	}
}

// nobody handles nothing, and tells who is connected.
type nobody struct{ connected chan carrier.Client }

func (n nobody) ClientConnected(c carrier.Client) {
	if n.connected != nil {
		n.connected <- c
	}
}
func (nobody) HandleMessage(_ carrier.ClientID, _ *carrier.Message, respond func(carrier.Reply)) {
	respond(carrier.Done(nil))
}
func (nobody) ClientDisconnected(carrier.ClientID, error) {}
func (nobody) AllClientsDisconnected(error)               {}

// TestListen: all addresses are listened at together, and every scheme has a carrier that connects.
func TestListen(t *testing.T) {
	var list []Address
	for _, text := range []string{"tcp://127.0.0.1:0", "unix://" + t.TempDir() + "/hub.sock"} {
		a, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, a)
		client := a.Connect(ClientOptions{})
		if err := client.Transmit(context.Background(), 1, new(carrier.Message), nil); !errors.Is(err, carrier.ErrNoClient) {
			t.Errorf("%s: a client that is not served: %v", text, err)
		}
	}
	servers, err := Listen(list, Options{})
	if err != nil || len(servers) != 2 || len(servers[1].Addrs()) != 0 { // that of MQTT is at the same addresses
		t.Fatal(servers, err)
	}
	defer func() { _ = servers[0].Close() }()
	for i, addr := range servers[0].Addrs() {
		if found, err := Parse(addr); err != nil || found.Network != list[i].Network {
			t.Errorf("%s listens at %s, %v", list[i], addr, err)
		}
	}
	if again, err := Listen(append(list[:1:1], list[1]), Options{}); err == nil {
		t.Errorf("a socket is taken by two: %v", again)
	}
}
