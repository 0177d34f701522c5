package nats

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sighub/internal/safetext"
)

// shown returns a stranger's text so that it can be told.
func shown(text string) string { return `"` + safetext.Short(text, 80) + `"` }

// where returns an address without what must not be told.
func where(address string) string {
	var parts []string
	for part := range strings.SplitSeq(address, ",") {
		if u, err := url.Parse(strings.TrimSpace(part)); err == nil {
			u.User = nil
			parts = append(parts, u.String())
		}
	}
	return strings.Join(parts, ",")
}

// How soon a line on which nothing arrives any more is taken to be cut.
const (
	pingEach  = 5 * time.Second
	pingsLost = 2
)

// pending is how many bytes may wait for a socket; more make whoever publishes wait.
const pending = 256 << 10

// connect connects to the server. The connection is not continued when it is lost: closed is called then.
func (o *Options) connect(ctx context.Context, closed func(error)) (*nats.Conn, error) {
	list := []nats.Option{
		nats.Name("sighub " + o.Hub), nats.NoReconnect(), nats.Timeout(o.Timeout), nats.PingInterval(pingEach), nats.MaxPingsOutstanding(pingsLost),
		nats.FlusherTimeout(pingEach * pingsLost), nats.WriteBufferSize(pending / 4), nats.NoCallbacksAfterClientClose(),
		nats.ClosedHandler(func(c *nats.Conn) { closed(c.LastError()) }),
		nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) {
			subject := ""
			if s != nil {
				subject = s.Subject
			}
			o.Logger.Warn("the server or the line has a complaint", "bridge", o.Name, "subject", subject, "error", err)
			if errors.Is(err, nats.ErrSlowConsumer) || errors.Is(err, nats.ErrPermissionViolation) {
				closed(err)
			}
		}),
	}
	secured, err := o.TLS.option(strings.Contains(o.URL, "tls://") || strings.Contains(o.URL, "wss://"))
	if err != nil {
		return nil, err
	}
	d := &dialer{Dialer: net.Dialer{Timeout: o.Timeout, KeepAlive: pingEach}, ctx: ctx, secured: secured != nil, web: webSocket.MatchString(o.URL)}
	list = append(list, nats.SetCustomDialer(d))
	proof, err := o.Credentials.option()
	if err != nil {
		return nil, err
	}
	for _, option := range []nats.Option{secured, proof} {
		if option != nil {
			list = append(list, option)
		}
	}
	return nats.Connect(o.URL, list...)
}

// A dialer gives up when its context is done.
type dialer struct {
	net.Dialer
	ctx     context.Context //nolint:containedctx // nats.go's dialers are given none
	secured bool            // the bridge wants TLS
	web     bool            // a WebSocket, into which no sentry looks
}

var webSocket = regexp.MustCompile(`\bwss?://`)

// Dial implements nats.CustomDialer.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	conn, err := d.DialContext(d.ctx, network, address)
	if err == nil && !d.web {
		conn = &sentry{Conn: conn, secured: d.secured}
	}
	return conn, err
}

// option returns what nats.go is told, or nil if it is told nothing.
func (t *TLS) option(wanted bool) (nats.Option, error) {
	if !wanted && *t == (TLS{}) {
		return nil, nil //nolint:nilnil // there is nothing to tell
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("nats: the certificates of ca cannot be read: %w", err)
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("nats: there is no certificate in %s: it must be PEM", t.CA)
		}
	}
	if t.Certificate != "" || t.Key != "" {
		pair, err := tls.LoadX509KeyPair(t.Certificate, t.Key)
		if err != nil {
			return nil, fmt.Errorf("nats: the certificate of this hub cannot be used: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return nats.Secure(c), nil
}

// option returns what nats.go is told, or nil if it is told nothing.
func (c *Credentials) option() (nats.Option, error) {
	switch {
	case c.Creds != "":
		return nats.UserCredentials(c.Creds), nil
	case c.NKey != "":
		option, err := nats.NkeyOptionFromSeed(c.NKey)
		if err != nil {
			return nil, fmt.Errorf("nats: the seed in %s cannot be used: %w", c.NKey, err)
		}
		return option, nil
	case c.Token != "":
		token, err := secret(c.Token)
		return nats.Token(token), err
	case c.User != "":
		password, err := secret(c.Password)
		return nats.UserInfo(c.User, password), err
	}
	return nil, nil //nolint:nilnil // there is nothing to tell
}

// longestSecret bounds a file with a secret, in bytes.
const longestSecret = 4096

// secret returns the first line of a file.
func secret(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("nats: what proves who the hub is cannot be read: %w", err)
	}
	text, _, _ := strings.Cut(string(data), "\n")
	text = strings.TrimSpace(text)
	if text == "" || len(data) > longestSecret {
		return "", fmt.Errorf("nats: the first line of %s must be the secret", file)
	}
	return text, nil
}

// Codes of the server's errors, as nats-server's server/errors.json has them.
const (
	codeNoResources   = 10023
	codeNoMemory      = 10028
	codeNoAccount     = 10039 // JetStream is not enabled for the account
	codeNoStorage     = 10047
	codeNoStream      = 10059
	codeOverlap       = 10065 // another stream has these subjects
	codeNotLast       = 10071 // the hub's last message is another one than the guard says
	codeNoReplicas    = 10074 // the server is not in a cluster
	codeNotEnabled    = 10076
	codeStoreFailed   = 10077 // as on a full disk, or a full stream that does not discard
	codeNotLastNow    = 10164 // likewise, with one that is being stored
	codeNoBatches     = 10205 // the stream does not allow batches
	codeUnknownBatch  = 10208
	codeTooManyAtOnce = 10211 // batches
)

// remedy returns what can be done about an error.
func (o *Options) remedy(err error) string {
	var api *jetstream.APIError
	var dns *net.DNSError
	switch {
	case errors.As(err, &api):
		switch api.ErrorCode {
		case codeNoAccount, codeNotEnabled:
			return "enable JetStream at the server (jetstream {store_dir: ...}), and for this account"
		case codeNoStorage, codeNoResources, codeNoMemory, codeStoreFailed:
			return "the server has no room: give its disk or its JetStream more, or the stream smaller limits; nothing is lost as long as the journal holds it"
		case codeOverlap:
			return "another stream has these subjects: name that one under stream, or give this bridge another prefix"
		case codeNoStream:
			return "make the stream at the server, or leave out existing, and the bridge makes it"
		case codeNotLast, codeNotLastNow:
			return "something else publishes below " + o.Prefix + "." + token(o.Hub) + ".: nobody but this hub may"
		case codeNoReplicas:
			return "leave out replicas, or use servers that are a cluster: one server alone keeps one replica"
		}
		return "the server's own log says more"
	case errors.Is(err, errStuck):
		return "its disk may be full, as its log says then: make room and start the server again; nothing is lost as long as the journal holds it"
	case errors.Is(err, errTwins):
		return "give one of the two another name with hub, and start it again"
	case errors.Is(err, errStream):
		return "change the stream with nats stream edit, or remove it if nothing in it is needed, and the bridge makes it"
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked),
		strings.Contains(strings.ToLower(err.Error()), "authorization"):
		return "the server does not let this hub in: look at its credentials, and at the server's users"
	case errors.Is(err, nats.ErrPermissionViolation):
		return "give this hub's user the rights that docs/many-hubs.md lists"
	case errors.Is(err, errProtocol):
		return "see whether it is a NATS server, and whether the port is right"
	case errors.Is(err, syscall.ENOSPC):
		return "make room on the hub's disk: the bridge goes on by itself"
	case errors.As(err, &dns):
		return "the server's name is not known here: look at the address, and at the network"
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, nats.ErrNoServers), errors.Is(err, nats.ErrTimeout):
		return "is the server running at " + where(o.URL) + ", and does the network reach it? The bridge goes on trying"
	case errors.Is(err, nats.ErrSecureConnRequired):
		return "the server wants TLS: write tls:// in front of its address"
	case errors.Is(err, nats.ErrSecureConnWanted):
		return "the server has no TLS: write nats:// in front of its address, or give the server a certificate"
	case errors.Is(err, errNoStream):
		return "was the stream removed? The bridge makes it again, unless it is told that the stream is existing"
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return "enable JetStream at the server (jetstream {store_dir: ...}), and for this account"
	}
	return "the bridge goes on trying; the server's own log may say more"
}
