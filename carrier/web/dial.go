package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"github.com/coder/websocket"

	"sighub/carrier"
	"sighub/internal/steady"
	"sighub/listen"
)

// A Dialer connects to a hub over WebSockets.
type Dialer struct {
	// URL is where the WebSocket of the hub is: "ws://host:port/api/v1/socket", or with wss:// over TLS. A proxy may have it
	// under another path.
	URL string

	// Codec is the dialect that will be spoken. Default [carrier.CBOR].
	Codec carrier.Codec

	// TLS is what is asked of the other end of wss://. Default: an authority must vouch for it.
	TLS *tls.Config

	// Header is said with the request.
	Header http.Header
}

// Dial connects. It is made for [sighub/carrier/tcp.ClientOptions].
func (d Dialer) Dial(ctx context.Context) (net.Conn, error) {
	u, err := url.Parse(d.URL)
	if err != nil {
		return nil, fmt.Errorf("web: %q is not an address of a WebSocket: write ws://host:port%s", d.URL, Path)
	}
	var b *below // of the connection that was made last
	over := func(nc net.Conn) net.Conn {
		b = &below{Conn: listen.Plain(nc)}
		return b
	}
	dialer := net.Dialer{KeepAliveConfig: listen.KeepAlive}
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			nc, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return over(nc), nil
		},
		DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			nc, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			secure, err := d.secure(ctx, nc, addr)
			if err != nil {
				_ = nc.Close() // the other error matters
				return nil, err
			}
			return over(secure), nil
		},
	}
	defer transport.CloseIdleConnections()
	subprotocol := CBOR
	if d.Codec != nil && d.Codec.Name() == carrier.JSON.Name() {
		subprotocol = JSON
	}
	ws, response, err := websocket.Dial(ctx, d.URL, &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("it leads elsewhere: connect there")
		}},
		HTTPHeader: d.Header, Subprotocols: []string{subprotocol}, CompressionMode: websocket.CompressionDisabled,
	})
	switch {
	case err != nil && response != nil:
		return nil, fmt.Errorf("web: %s answers %q: is the WebSocket of a hub there? %w", u.Redacted(), response.Status, err)
	case err != nil:
		return nil, fmt.Errorf("web: cannot connect to %s: %w", u.Redacted(), err)
	case ws.Subprotocol() != subprotocol:
		_ = ws.CloseNow() // the other error matters
		return nil, fmt.Errorf("web: %s does not speak %s", u.Redacted(), subprotocol)
	}
	peer := b.Peer()
	peer.Addr, peer.Secure = u.Redacted(), peer.Secure || u.Scheme == "wss"
	s := newSocket(b, ws, peer)
	s.begun = true
	return s, nil
}

// secure begins TLS.
func (d Dialer) secure(ctx context.Context, nc net.Conn, addr string) (net.Conn, error) {
	config := d.TLS.Clone()
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS13}
	}
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(addr)
	}
	config.NextProtos = []string{ALPN}
	over := steady.NewTLS(nc, nc, func(nc net.Conn) *tls.Conn { return tls.Client(nc, config) })
	if err := over.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS has failed: %w", err)
	}
	return over, nil
}
