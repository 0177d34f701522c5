package main

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
	process
	tls bool // its clients speak TLS, 1.3 as those of sighub do
}

func (*natsPeer) acknowledged() bool { return false }
func (*natsPeer) ahead() int         { return 0 }

func (p *natsPeer) command(e *env, addr netip.AddrPort) ([]string, error) {
	command := []string{filepath.Join(e.bin, "nats-server"), "-a", addr.Addr().String(), "-p", fmt.Sprint(addr.Port())}
	if p.tls { // with a certificate of the same kind as sighub's
		if _, err := keys.Own(e.tmp, slog.New(slog.DiscardHandler)); err != nil {
			return nil, err
		}
		command = append(command, "--tls", "--tlscert", filepath.Join(e.tmp, "hub.crt"), "--tlskey", filepath.Join(e.tmp, "hub.key"))
	}
	return command, nil
}

func (p *natsPeer) connect() (*nats.Conn, error) {
	o := []nats.Option{nats.Timeout(patience)}
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
	if sender == everyone {
		return "e.>"
	}
	return fmt.Sprintf("e.%d", sender)
}

const natsRequests = "q"

func (p *natsPeer) publisher(_ context.Context, sender int) (publisher, error) {
	c, err := p.connect()
	if err != nil {
		return nil, err
	}
	return &natsPublisher{natsConn{c}, natsSubject(sender)}, nil
}

type natsConn struct{ c *nats.Conn }

func (n natsConn) close() { n.c.Close() }

type natsPublisher struct {
	natsConn
	subject string
}

func (p *natsPublisher) publish(payload []byte) error { return p.c.Publish(p.subject, payload) }
func (p *natsPublisher) flush() error                 { return nil } // the library does, at once

// drain waits until the server has read everything: it acknowledges no messages, but answers a ping after them.
func (p *natsPublisher) drain() error { return p.c.FlushTimeout(patience) }

func (p *natsPeer) subscribe(_ context.Context, sender int, fn func([]byte)) (closer, error) {
	return p.listen(natsSubject(sender), func(m *nats.Msg) { fn(m.Data) })
}

func (p *natsPeer) listen(subject string, fn nats.MsgHandler) (closer, error) {
	c, err := p.connect()
	if err != nil {
		return nil, err
	}
	s, err := c.Subscribe(subject, fn)
	if err == nil {
		// The library drops nothing, so the server has dropped what is lost.
		err = errors.Join(s.SetPendingLimits(-1, -1), c.FlushTimeout(patience))
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("nats: %w", err)
	}
	return natsConn{c}, nil
}

func (p *natsPeer) respond(context.Context) (closer, error) {
	return p.listen(natsRequests, func(m *nats.Msg) { _ = m.Respond(m.Data) }) // if it fails, the requester notices
}

func (p *natsPeer) requester(context.Context) (requester, error) {
	c, err := p.connect()
	if err != nil {
		return nil, err
	}
	return natsRequester{natsConn{c}}, nil
}

type natsRequester struct{ natsConn }

func (r natsRequester) request(_ context.Context, _ int, payload []byte) ([]byte, error) {
	m, err := r.c.Request(natsRequests, payload, patience)
	if err != nil {
		return nil, err
	}
	return m.Data, nil
}
