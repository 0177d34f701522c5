package tcp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"sighub/internal/steady"
	"sighub/listen"
	"sighub/listen/keys"
)

// TLS says how a client knows its hub, and what it shows of itself, over TLS.
type TLS struct {
	// Pin is the hub's, or the zero Pin: whichever certificate has a key with this pin is taken, and nothing else in the
	// certificate matters. Otherwise an authority must vouch for the hub's name.
	Pin keys.Pin

	// Authorities are those that may vouch for the hub. Default: the system's.
	Authorities *x509.CertPool

	// Name is the hub's in its certificate. Default: the host in the address.
	Name string

	// Key is the client's own, as [keys.Client] returns it. The hub knows the client by it. Default: none.
	Key *tls.Certificate

	check func(hubKey [32]byte) error // nil, or says more than an authority could
}

// ErrTLS is the error of a client that reaches something where TLS fails. It wraps the reason, [keys.ErrPin] for one.
var ErrTLS = errors.New("tcp: TLS has failed")

// A target is what an address of a client says.
type target struct {
	network, where string
	shown          string // the address, for people to read
	tls            *TLS   // nil: clear text
}

// parseTarget reads the address of a hub, and what the options say beside it: as in [listen.ParseAddr], or "tls://HOST:PORT", to
// which "/PIN" may be added.
func parseTarget(addr string, o *TLS) (t target, err error) {
	rest, isTLS := strings.CutPrefix(addr, "tls://")
	if isTLS {
		where, pin, pinned := strings.Cut(rest, "/")
		t.tls = new(TLS)
		if o != nil {
			*t.tls = *o
		}
		if pinned && pin != "" {
			if t.tls.Pin, err = keys.ParsePin(pin); err != nil {
				return t, err
			}
		}
		rest = where
	} else {
		rest, t.tls = addr, o
	}
	t.network, t.where, err = listen.ParseAddr(rest)
	t.shown = t.network + "://" + t.where
	if t.tls != nil && t.network == "tcp" {
		t.shown = "tls://" + t.where
	}
	return t, err
}

// secure reports whether a secret may be said there: nobody in between hears it.
func (t *target) secure(p listen.Peer) bool { return t.tls != nil || p.Secure }

// dial connects to a hub.
func (t *target) dial(ctx context.Context) (listen.Conn, error) {
	dialer := net.Dialer{KeepAliveConfig: listen.KeepAlive}
	nc, err := dialer.DialContext(ctx, t.network, t.where)
	if err != nil {
		return nil, fmt.Errorf("tcp: cannot connect to %s: %w: %s", t.shown, err, dialHint(t.network, err))
	}
	if t.tls == nil {
		return listen.Plain(nc), nil
	}
	name := t.tls.Name
	if host, _, err := net.SplitHostPort(t.where); err == nil && name == "" {
		name = host
	}
	over := steady.NewTLS(nc, nc, func(nc net.Conn) *tls.Conn { return tls.Client(nc, t.tls.Config(name)) })
	if err := over.HandshakeContext(ctx); err != nil {
		_ = nc.Close() // the other error matters
		return nil, fmt.Errorf("%w with %s: %w: %s", ErrTLS, t.shown, err, tlsHint(err))
	}
	return listen.Plain(over), nil
}

// Config returns this for a connection to a hub that has this name in its certificate.
func (o *TLS) Config(name string) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{ALPN}, ServerName: name, RootCAs: o.Authorities}
	if o.Key != nil {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return o.Key, nil }
	}
	if !o.Pin.IsZero() || o.check != nil {
		c.InsecureSkipVerify = true // the pin says more than an authority could
		c.VerifyConnection = func(state tls.ConnectionState) error {
			hash := keys.Hash(state.PeerCertificates[0])
			if !o.Pin.IsZero() && !o.Pin.Matches(hash) {
				return keys.ErrPin
			}
			if o.check != nil {
				return o.check(hash)
			}
			return nil
		}
	}
	return c
}

// tlsHint says what to do about an error of TLS.
func tlsHint(err error) string {
	if errors.Is(err, keys.ErrPin) {
		return "it shows another key than the one pinned"
	}
	if unverified, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		pin := keys.PinOf(keys.Hash(unverified.UnverifiedCertificates[0])).Short()
		return fmt.Sprintf("no authority vouches for it: if `sighub cert` on the hub says that its pin is %s, too, pin that", pin)
	}
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &record), errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return "does it speak TLS? a hub that has no certificate does not, and its address is tcp://"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "is a hub running there?"
	default:
		return "check that a hub listens there"
	}
}

// dialHint says what to do about an error of connecting.
func dialHint(network string, err error) string {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, os.ErrNotExist):
		return "is a hub running there?"
	case errors.Is(err, syscall.EACCES) && network == "unix":
		return "you may not open the hub's socket: check its owner and mode"
	case errors.As(err, &dns):
		return "check the host's name"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "is the host up and reachable?"
	default:
		return "check the address"
	}
}
