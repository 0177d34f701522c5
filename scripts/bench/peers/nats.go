package peers

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"

	"github.com/nats-io/nats.go"

	"sighub/listen/keys"
)

// natsPeer is the NATS server, core: nothing is acknowledged, and a listener that is too slow is disconnected. Its clients use its own
// library.
type natsPeer struct {
	Process
	tls bool // its clients speak TLS, 1.3 as those of sighub do
}

func (*natsPeer) Acknowledged() bool { return false }
func (*natsPeer) Ahead() int         { return 0 }

func (p *natsPeer) Command(place *Place, addr netip.AddrPort) ([]string, error) {
	command := []string{filepath.Join(place.Bin, "nats-server"), "-a", addr.Addr().String(), "-p", fmt.Sprint(addr.Port())}
	if p.tls { // with a certificate of the same kind as sighub's
		if _, err := keys.Own(place.Tmp, slog.New(slog.DiscardHandler)); err != nil {
			return nil, err
		}
		command = append(command, "--tls", "--tlscert", filepath.Join(place.Tmp, "hub.crt"), "--tlskey", filepath.Join(place.Tmp, "hub.key"))
	}
	return command, nil
}

func (p *natsPeer) connect() (*nats.Conn, error) {
	o := []nats.Option{nats.Timeout(Patience)}
	if p.tls {
		o = append(o, nats.Secure(&tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true})) //nolint:gosec // it is this machine's own
	}
	c, err := nats.Connect("nats://"+p.addr, o...)
	if err != nil {
		return nil, fmt.Errorf("nats: %w", err)
	}
	return c, nil
}

func natsSubject(sender int) string {
	if sender == Everyone {
		return "e.>"
	}
	return fmt.Sprintf("e.%d", sender)
}

const natsRequests = "q"

func (p *natsPeer) Publisher(_ context.Context, sender int) (Publisher, error) {
	c, err := p.connect()
	if err != nil {
		return nil, err
	}
	return &natsPublisher{natsConn{c}, natsSubject(sender)}, nil
}

type natsConn struct{ c *nats.Conn }

func (n natsConn) Close() { n.c.Close() }

type natsPublisher struct {
	natsConn
	subject string
}

func (p *natsPublisher) Publish(payload []byte) error { return p.c.Publish(p.subject, payload) }
func (p *natsPublisher) Flush() error                 { return nil } // the library does, at once

// drain waits until the server has read everything: it acknowledges no messages, but answers a ping after them.
func (p *natsPublisher) Drain() error { return p.c.FlushTimeout(Patience) }

func (p *natsPeer) Subscribe(_ context.Context, sender int, fn func([]byte)) (Closer, error) {
	return p.listen(natsSubject(sender), func(m *nats.Msg) { fn(m.Data) })
}

func (p *natsPeer) listen(subject string, fn nats.MsgHandler) (Closer, error) {
	c, err := p.connect()
	if err != nil {
		return nil, err
	}
	s, err := c.Subscribe(subject, fn)
	if err == nil {
		// The library drops nothing, so the server has dropped what is lost.
		err = errors.Join(s.SetPendingLimits(-1, -1), c.FlushTimeout(Patience))
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("nats: %w", err)
	}
	return natsConn{c}, nil
}

func (p *natsPeer) Respond(context.Context) (Closer, error) {
	return p.listen(natsRequests, func(m *nats.Msg) { _ = m.Respond(m.Data) }) // if it fails, the requester notices
}

func (p *natsPeer) Requester(context.Context) (Requester, error) {
	c, err := p.connect()
	if err != nil {
		return nil, err
	}
	return natsRequester{natsConn{c}}, nil
}

type natsRequester struct{ natsConn }

func (r natsRequester) Request(_ context.Context, _ int, payload []byte) ([]byte, error) {
	m, err := r.c.Request(natsRequests, payload, Patience)
	if err != nil {
		return nil, err
	}
	return m.Data, nil
}
