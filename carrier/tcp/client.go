package tcp

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sighub/carrier"
	"sighub/internal/lockrank"
	"sighub/listen"
)

// A Client is the end that connects to a hub, and comes back by itself when the connection is lost. It is a
// [carrier.Carrier] whose only client is the hub; each connection is a new one.
type Client struct {
	peers   *peers
	options ClientOptions
	addr    string
	pairing *pairing // nil, unless the client is not known yet
}

// NewClient returns a Client of the hub at addr, which is as in [Listen], or "tls://HOST:PORT" for TLS, to which "/PIN" may be
// added, the pin of the hub's key as `sighub cert` prints it. It connects when it is served.
func NewClient(addr string, o ClientOptions) *Client {
	o = o.withDefaults()
	return &Client{
		peers:   &peers{log: o.Logger, connecting: true},
		options: o,
		addr:    addr,
	}
}

// Serve implements [carrier.Carrier]. The hub is connected once it has answered hello. If the hub does not know hello and
// answers [carrier.StatusNoSuchMethod], the Client keeps to the rules for legacy clients. If the hub refuses to let the Client in, the
// error wraps [carrier.ErrDenied]; it is logged, and the Client tries again after [ClientOptions].RefusedPause.
func (c *Client) Serve(ctx context.Context, h carrier.Handler) error {
	c.peers.serve(h)
	usual := c.options.Backoff
	refused := carrier.Backoff{Min: c.options.RefusedPause, Max: c.options.RefusedPause}
	for ctx.Err() == nil {
		connected, err := c.connect(ctx)
		pause := &usual
		switch {
		case connected:
			usual.Reset()
		case ctx.Err() == nil:
			if errors.Is(err, carrier.ErrDenied) {
				pause = &refused
				c.tellRefused(h, err)
				c.peers.log.Warn("the hub does not let this client in: the next try is later", "pause", c.options.RefusedPause, "error", err)
			}
			c.options.Failed(err)
		}
		_ = pause.Wait(ctx) // it fails when ctx is done, which ends the loop
	}
	c.peers.readers.Wait()
	lockrank.MustBeFree("a handler is called")
	h.AllClientsDisconnected(carrier.ErrShutdown)
	return nil
}

func (c *Client) tellRefused(h carrier.Handler, err error) {
	if r, ok := h.(carrier.RefusedHandler); ok {
		lockrank.MustBeFree("a handler is called")
		r.ClientRefused(err)
	}
}

// connect connects to the hub and serves the connection until it ends. It reports whether the hub answered,
// and why the connection ended or was not made.
func (c *Client) connect(ctx context.Context) (connected bool, err error) {
	dialing, cancel := context.WithTimeout(ctx, c.options.DialTimeout)
	defer cancel()
	nc, shown, secure, err := c.dial(dialing)
	if err != nil {
		return false, err
	}
	if c.options.Token != "" && !secure {
		_ = nc.Close() // nothing was said
		return false, fmt.Errorf("%w, in place of %s", ErrClearText, shown)
	}
	conn := newConn(c.peers, nc, shown, &c.options.Limits)
	conn.speak(c.options.Codec)
	conn.greet = greetTooEarly
	conn.writer.unmarked = true
	stop := context.AfterFunc(ctx, func() { conn.fail(carrier.ErrShutdown) })
	defer stop()
	if err := c.sayHello(dialing, conn); err != nil {
		conn.fail(err)
	}
	err = conn.run()
	switch {
	case conn.client != 0:
	case errors.Is(err, carrier.ErrDenied):
		return false, fmt.Errorf("tcp: the hub at %s does not let this client in: %w", shown, err)
	default:
		return false, fmt.Errorf("tcp: %s does not answer as a hub does: %w", shown, err)
	}
	return true, err
}

// dial returns a connection to the hub, where that is, for people to read, and whether secrets may be said on it.
func (c *Client) dial(ctx context.Context) (nc listen.Conn, shown string, secure bool, err error) {
	if c.options.Dial != nil {
		other, err := c.options.Dial(ctx)
		if err != nil {
			return nil, c.addr, false, err
		}
		nc = listen.Plain(other)
		return nc, c.addr, nc.Peer().Secure, nil
	}
	to, err := parseTarget(c.addr, c.options.TLS)
	if err != nil {
		return nil, c.addr, false, err
	}
	if nc, err = to.dial(ctx); err != nil {
		return nil, to.shown, false, err
	}
	return nc, to.shown, to.secure(nc.Peer()), nil
}

// sayHello says hello; the reply is dealt with when it comes.
func (c *Client) sayHello(dialing context.Context, conn *conn) error {
	params := carrier.Object{
		{Key: "protocol", Value: Protocol},
		{Key: "name", Value: c.options.Name},
		{Key: "window", Value: conn.limits.Window},
		{Key: "max_message", Value: conn.limits.MaxMessage},
	}
	if c.peers.signals != nil {
		params = append(params, carrier.Field{Key: "signals", Value: conn.limits.Signals})
	}
	if c.options.Token != "" {
		params = append(params, carrier.Field{Key: "token", Value: c.options.Token})
	}
	if c.pairing != nil {
		params = append(params, c.pairing.field())
	}
	m := &carrier.Message{Method: methodHello, Params: carrier.ValueOf(params)}
	return conn.transmit(dialing, m, func(r carrier.Reply, err error) {
		if err == nil {
			err = conn.welcome(r, c.pairing)
		}
		switch {
		case err == nil:
		case errors.Is(err, context.DeadlineExceeded):
			conn.fail(fmt.Errorf("%w: no reply to hello, which was said in %s, within %v", carrier.ErrTimeout, strings.ToUpper(conn.codec.Name()), c.options.DialTimeout))
		default:
			conn.fail(fmt.Errorf("hello: %w", err))
		}
	})
}

// welcome deals with the hub's answer to hello.
func (c *conn) welcome(r carrier.Reply, p *pairing) error {
	if r.Status == carrier.StatusNoSuchMethod {
		c.announce("")
		return nil
	}
	if err := r.Err(); err != nil {
		return err
	}
	h, err := parseHello(r.Response)
	if err != nil {
		return err
	}
	c.agree(h)
	if p != nil {
		p.identity = h.identity
	}
	c.announce(h.name)
	return nil
}

// greetTooEarly refuses what a hub sends before it has answered hello.
func greetTooEarly(c *conn, m *carrier.Message, _ []byte, held int) {
	c.reply(m.ID, carrier.Failed(errors.New("hello is not answered yet")), held)
}

// Transmit implements [carrier.Carrier]. The window is also full while [Limits].MaxPending bytes wait to be written.
func (c *Client) Transmit(ctx context.Context, id carrier.ClientID, m *carrier.Message, done func(carrier.Reply, error)) error {
	return c.peers.transmit(ctx, id, m, done)
}

// TryTransmit implements [carrier.Trier].
func (c *Client) TryTransmit(id carrier.ClientID, m *carrier.Message, done func(carrier.Reply, error)) (ok bool, err error) {
	return c.peers.tryTransmit(id, m, done)
}

// Disconnect implements [carrier.Disconnecter]. What is pending is still written, for at most a second or so.
func (c *Client) Disconnect(id carrier.ClientID, cause error) { c.peers.disconnect(id, cause) }

// Stats returns the counts so far.
func (c *Client) Stats() Stats { return c.peers.stats() }
