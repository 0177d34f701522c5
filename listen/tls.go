package listen

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"

	"sighub/internal/steady"
	"sighub/listen/keys"
)

// TLS says whether TLS is spoken at an address.
type TLS int

// What TLS may be.
const (
	Offered  TLS = iota // to those who begin with it, if the Server has a certificate; others speak clear text
	Required            // clear text is refused
	Off                 // nobody may
)

// handshake is the first byte of TLS: the type of the record (RFC 8446, 5.1).
const handshake = 0x16

var (
	errTLS   = errors.New("listen: TLS has failed")
	errClear = errors.New("listen: it speaks clear text, and only TLS is spoken here")

	errResumed = errors.New("listen: sessions are not resumed")
)

// The names in TLS of the protocols that get an answer here.
const (
	alpnHTTP = "http/1.1"
	alpnMQTT = "mqtt"
)

// config returns what TLS needs for one client at an address. Whoever names protocols must name one that is spoken there: TLS
// fails otherwise. Certificates are asked of those alone who name a protocol that wants them, since a browser would ask the person
// in front of it.
func (s *Server) config(l *socket, own *tls.Certificate, names []string) *tls.Config {
	c := &tls.Config{
		MinVersion:             tls.VersionTLS13,
		SessionTicketsDisabled: true, // one that is resumed proves nothing anew
		GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return own, nil },
		VerifyConnection: func(state tls.ConnectionState) error {
			if state.DidResume {
				return errResumed
			}
			return nil
		},
	}
	for _, q := range s.queues {
		for _, p := range q.protocols {
			if !l.speaks(p.Name) || p.ALPN == "" || slices.Contains(c.NextProtos, p.ALPN) {
				continue
			}
			if p.Certificates && slices.Contains(names, p.ALPN) {
				c.NextProtos = []string{p.ALPN}
				c.ClientAuth = tls.RequestClientCert // which authority vouches for it does not matter: whose key it is, the policy knows
				return c
			}
			c.NextProtos = append(c.NextProtos, p.ALPN)
		}
	}
	for name, alpn := range map[string]string{"http": alpnHTTP, "mqtt": alpnMQTT} {
		if l.speaks(name) && !slices.Contains(c.NextProtos, alpn) {
			c.NextProtos = append(c.NextProtos, alpn)
		}
	}
	return c
}

// startTLS begins TLS with a stranger, who has begun with it.
func (c *conn) startTLS() error {
	own := c.server.options.Certificate.Get() // it may be another one meanwhile
	config := &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			return c.server.config(c.socketAt, own, hello.SupportedProtos), nil
		},
	}
	below := c.Conn
	over := steady.NewTLS(below, c.socket, func(nc net.Conn) *tls.Conn { return tls.Server(nc, config) })
	if err := over.Handshake(); err != nil {
		return fmt.Errorf("%w: %w", errTLS, err)
	}
	state := over.ConnectionState()
	c.tls, c.Conn = over, &peeker{Conn: over}
	c.peer.Secure, c.peer.ALPN, c.peer.OwnKey = true, state.NegotiatedProtocol, keys.Hash(own.Leaf)
	if a, ok := c.socket.RemoteAddr().(*net.TCPAddr); ok {
		c.peer.Addr = "tls://" + a.String()
	}
	if len(state.PeerCertificates) > 0 {
		c.peer.KeyHash = keys.Hash(state.PeerCertificates[0])
	}
	return nil
}

// clear reports whether a stranger speaks clear text where it has to use TLS.
func (c *conn) clear() bool { return c.tls == nil && c.socketAt.address.TLS == Required }
