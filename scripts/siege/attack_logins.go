//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"
)

// dialFrom connects from one of many addresses, over TLS if secure.
func (t *target) dialFrom(ctx context.Context, n int, secure bool) (net.Conn, error) {
	to := t.addr
	if t.far != "" {
		to = t.far
	}
	d := net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(t.source16(n))}}
	nc, err := d.DialContext(ctx, "tcp", to)
	if err != nil {
		return nil, err
	}
	t.connections.Add(1)
	_ = nc.SetDeadline(time.Now().Add(10 * time.Second)) // the connection is there, or what follows fails
	if secure {
		over := tls.Client(nc, &tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true}) //nolint:gosec // an attacker does not care
		if err := over.HandshakeContext(ctx); err != nil {
			_ = nc.Close() // the other error matters
			return nil, err
		}
		nc = over
	}
	return nc, nil
}

// logins tries to log in, from ten thousand addresses, with tokens, with passwords, and as who was invited. Half of them leave before they
// are answered. It tries all addresses in a minute: how fast TLS begins is not the question.
func logins(ctx context.Context, t *target) {
	const (
		addresses = 10_000
		workers   = 64
		pause     = workers * time.Minute / addresses
	)
	token := "sgh_" + strings.Repeat("0", 52)
	basic := func(secret string) string {
		return "GET /api/v1/senders HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: " + secret + "\r\n\r\n"
	}
	said := []string{
		`{"id":1,"method":"hello","params":{"protocol":1,"token":"` + token + `"}}` + "\n",
		basic("Basic d2VsbDpndWVzc2VkIHBhc3N3b3Jk"), // a password of "well"
		basic("Bearer " + token),
		`{"id":1,"method":"hello","params":{"protocol":1,"pair":{"id":"AAAA","proof":"` + strings.Repeat("0", 64) + `"}}}` + "\n",
		basic("Basic bm9ib2R5Om5vdGhpbmcgYXQgYWxs"),
	}
	var next atomic.Int64
	repeat(ctx, workers, func(ctx context.Context, i int) error {
		n := int(next.Add(1))
		if n <= workers {
			wait(ctx, time.Duration(i)*pause/workers) // not all in the same moment
		} else {
			wait(ctx, pause)
		}
		nc, err := t.dialFrom(ctx, n%addresses, t.far != "")
		if err != nil {
			return err
		}
		defer nc.Close() //nolint:errcheck // nothing is lost
		_, err = io.WriteString(nc, said[n%len(said)])
		t.messages.Add(1)
		if err == nil && n%2 == 0 {
			_, err = nc.Read(make([]byte, 512))
		}
		return err
	})
}

// slowloris holds connections of each protocol, and says the next byte of what begins there just before one could think that nothing more
// comes.
func slowloris(ctx context.Context, t *target) {
	const upgrade = "GET /api/v1/socket HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: sighub.json\r\n\r\n"
	long := strings.Repeat("x", 10_000)
	kinds := []struct {
		tls         bool
		first, slow string
	}{
		{slow: `{"id":1,"method":"` + long}, {slow: cborStart + "\x59\xff\x00" + long}, {slow: clientHello + long}, {slow: "GET /" + long},
		{first: "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", slow: "X-Slow: " + long}, {slow: "\x10\x7f\x00\x04MQTT" + long},
		{first: "POST /api/v1/senders/a/events/b HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n", slow: long},
		{first: upgrade, slow: "\x81\xfe\x7f\xff\x00\x00\x00\x00" + long},
		{tls: true, slow: `{"id":1,"method":"` + long}, {tls: true, slow: cborStart + "\x59\xff\x00" + long}, {tls: true, slow: "GET /" + long},
		{tls: true, first: upgrade, slow: "\x81\xfe\x7f\xff\x00\x00\x00\x00" + long},
	}
	repeat(ctx, 40*len(kinds), func(ctx context.Context, i int) error {
		wait(ctx, time.Duration(i)*10*time.Millisecond) // not all in the same moment
		kind := kinds[i%len(kinds)]
		nc, err := t.dialFrom(ctx, i%97, kind.tls || t.far != "")
		if err != nil {
			return err
		}
		defer nc.Close() //nolint:errcheck // nothing is lost
		_ = nc.SetDeadline(time.Time{})
		if _, err := io.WriteString(nc, kind.first); err != nil {
			return err
		}
		for _, b := range []byte(kind.slow) {
			if _, err := nc.Write([]byte{b}); err != nil {
				return fmt.Errorf("the hub has ended it: %w", err)
			}
			t.bytes.Add(1)
			if wait(ctx, 400*time.Millisecond); ctx.Err() != nil {
				return nil
			}
		}
		return nil
	})
}
