package tcp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/carriertest"
	"sighub/listen/keys"
)

func ownCertificate(t testing.TB) *keys.Certificate {
	t.Helper()
	c, err := keys.Own(t.TempDir(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestConformanceTLS: all rules of the contract hold over TLS, with a client's key and without.
func TestConformanceTLS(t *testing.T) {
	for _, codec := range []carrier.Codec{carrier.CBOR, carrier.JSON} {
		t.Run(codec.Name(), func(t *testing.T) {
			carriertest.Run(t, func(t testing.TB) *carriertest.Pair {
				certificate := ownCertificate(t)
				key, err := keys.Client(filepath.Join(t.TempDir(), "client.key"))
				if err != nil {
					t.Fatal(err)
				}
				return connectTLS(t, loopback, codec, Options{Certificate: certificate}, ClientOptions{TLS: &TLS{Pin: certificate.Pin(), Key: key}})
			})
		})
	}
}

// dialTLS is dialRaw over TLS, without a look at the certificate.
func dialTLS(t testing.TB, addr string) net.Conn {
	t.Helper()
	nc := tls.Client(dialRaw(t, addr), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{ALPN}}) //nolint:gosec // it says bytes only
	ctx, cancel := context.WithTimeout(t.Context(), watchdog)
	defer cancel()
	if err := nc.HandshakeContext(ctx); err != nil {
		t.Fatal(err)
	}
	return nc
}

// try returns a client's first error, or nil once it is connected.
func try(t *testing.T, addr string, o ClientOptions) error {
	t.Helper()
	failed := make(chan error, 1)
	o.Failed = func(err error) {
		select {
		case failed <- err:
		default:
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	r := carriertest.NewRecorder(t, "peer")
	served := make(chan struct{})
	c := NewClient(addr, o)
	go func() { defer close(served); _ = c.Serve(ctx, r) }()
	defer func() { stop(); <-served }()
	connected := make(chan struct{})
	go func() {
		if _, err := r.Client(ctx); err == nil {
			close(connected)
		}
	}()
	select {
	case err := <-failed:
		return err
	case <-connected:
		return nil
	case <-time.After(watchdog):
		return errors.New("neither connected nor failed")
	}
}

// TestPins: a client takes the hub whose key it pins, and no other; or the hub for which an authority vouches.
func TestPins(t *testing.T) {
	certificate, other := ownCertificate(t), ownCertificate(t)
	h := serveHub(t, loopback, Options{Certificate: certificate}, nil)
	where := strings.TrimPrefix(h.Addr(), "tcp://")
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certificate.PEM())
	for _, c := range []struct {
		addr string
		tls  *TLS
		want string
	}{
		{"tls://" + where + "/" + certificate.Pin().Short().String(), nil, ""},
		{"tls://" + where, &TLS{Pin: certificate.Pin()}, ""},
		{h.Addr(), &TLS{Pin: certificate.Pin().Short()}, ""},
		{"tls://" + where, &TLS{Authorities: pool}, ""},
		{h.Addr(), nil, ""},
		{"tls://" + where, &TLS{Authorities: pool, Name: "elsewhere.example"}, "elsewhere.example"},
		{"tls://" + where, nil, "if `sighub cert` on the hub says that its pin is " + certificate.Pin().Short().String()},
		{"tls://" + where + "/" + other.Pin().Short().String(), nil, "somebody may be in between"},
		{"tls://" + where + "/" + certificate.Pin().String()[:10], nil, "has 8 characters"},
	} {
		err := try(t, c.addr, ClientOptions{TLS: c.tls})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", c.addr, err, c.want)
		}
		if pinned := strings.Contains(c.want, "in between"); errors.Is(err, keys.ErrPin) != pinned || pinned && !errors.Is(err, ErrTLS) {
			t.Errorf("%s: the error is %v", c.addr, err)
		}
	}
	plain := serveHub(t, loopback, Options{}, nil)
	if err := try(t, "tls://"+strings.TrimPrefix(plain.Addr(), "tcp://"), ClientOptions{}); err == nil || !strings.Contains(err.Error(), "does it speak TLS?") {
		t.Errorf("a hub without a certificate: %v", err)
	}
}

// TestTLSWriteTimeout: a client over TLS that reads slowly, but reads, gets everything, though no record is taken within a write
// timeout; one that reads nothing is disconnected.
func TestTLSWriteTimeout(t *testing.T) {
	certificate := ownCertificate(t)
	o := Options{Certificate: certificate, Limits: Limits{WriteTimeout: 300 * time.Millisecond}}
	h := serveHub(t, loopback, o, nil)
	raw := dialRaw(t, h.Addr())
	if err := raw.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	slow := &slowly{Conn: raw}
	nc := tls.Client(slow, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{ALPN}}) //nolint:gosec // it says bytes only
	s := newSpeaker(t, nc)
	s.say(jsonHello)
	s.hear(jsonWelcome)
	slow.pause = 5 * time.Millisecond
	long := strings.Repeat("x", 1<<18)
	s.say(`{"id":1,"method":"echo","params":"` + long + `"}`)
	s.hear(`{"id":1,"status":0,"response":"` + long + `"}` + "\n")
	slow.pause = 0
	s.echoes()

	dead := newSpeaker(t, dialTLS(t, h.Addr()))
	dead.say(jsonHello)
	go func() {
		for err := error(nil); err == nil; {
			_, err = io.WriteString(dead.nc, `{"id":1,"method":"echo","params":"`+long+`"}`)
		}
	}()
	if err := poll(h.ctx, func() bool { return h.Stats().Refused["timeout"] == 1 }); err != nil {
		t.Errorf("it is not disconnected: %v", h.Stats())
	}
	if err := poll(h.ctx, func() bool { return len(h.all()) == 1 }); err != nil {
		t.Error("its connection stays")
	}
}

// slowly reads a little at a time, with pauses in between.
type slowly struct {
	net.Conn
	pause time.Duration
}

func (s *slowly) Read(b []byte) (int, error) {
	if s.pause == 0 {
		return s.Conn.Read(b)
	}
	time.Sleep(s.pause) // the peer is slow: that is what is tried
	return s.Conn.Read(b[:min(len(b), 2<<10)])
}

// TestTLSHalfClose: a client that has said its last word over TLS gets its answers.
func TestTLSHalfClose(t *testing.T) {
	h := serveHub(t, loopback, Options{Certificate: ownCertificate(t)}, nil)
	s := newSpeaker(t, dialTLS(t, h.Addr()))
	s.say(`{"id":7,"method":"echo","params":1}`)
	if err := s.nc.(*tls.Conn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(s.nc); err != nil || string(got) != `{"id":7,"status":0,"response":1}` {
		t.Errorf("heard %q, %v", got, err)
	}
}
