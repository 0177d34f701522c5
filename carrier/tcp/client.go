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
// answers [carrier.StatusNoSuchMethod], the Client keeps to the rules for legacy clients.
func (c *Client) Serve(ctx context.Context, h carrier.Handler) error {
	c.peers.serve(h)
	pause := c.options.Backoff
	for ctx.Err() == nil {
		connected, err := c.connect(ctx)
		switch {
		case connected:
			pause.Reset()
		case ctx.Err() == nil:
			c.options.Failed(err)
		}
		_ = pause.Wait(ctx) // it fails when ctx is done, which ends the loop
	}
	lockrank.MustBeFree("a handler is called")
	h.AllClientsDisconnected(carrier.ErrShutdown)
	return nil
}

// connect connects to the hub and serves the connection until it ends. It returns whether the hub answered,
// and why the connection ended or was not made.
func (c *Client) connect(ctx context.Context) (connected bool, err error) {
	dialing, cancel := context.WithTimeout(ctx, c.options.DialTimeout)
	defer cancel()
	nc, shown, err := c.dial(dialing)
	if err != nil {
		return false, err
	}
	conn := newConn(c.peers, nc, shown, c.options.Limits)
	conn.speak(c.options.Codec)
	conn.greet = greetTooEarly
	conn.writer.unmarked = true
	stop := context.AfterFunc(ctx, func() { conn.fail(carrier.ErrShutdown) })
	defer stop()
	if err := c.sayHello(dialing, conn); err != nil {
		conn.fail(err)
	}
	err = conn.run()
	if conn.client == 0 {
		return false, fmt.Errorf("tcp: %s does not answer as a hub does: %w", shown, err)
	}
	return true, err
}

// dial returns a connection to the hub, and where that is, for people to read.
func (c *Client) dial(ctx context.Context) (nc listen.Conn, shown string, err error) {
	if c.options.Dial != nil {
		other, err := c.options.Dial(ctx)
		if err != nil {
			return nil, c.addr, err
		}
		return listen.Plain(other), c.addr, nil
	}
	to, err := parseTarget(c.addr, c.options.TLS)
	if err != nil {
		return nil, c.addr, err
	}
	nc, err = to.dial(ctx)
	return nc, to.shown, err
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
	m := &carrier.Message{Method: methodHello, Params: carrier.ValueOf(params)}
	return conn.transmit(dialing, m, func(r carrier.Reply, err error) {
		if err == nil {
			err = conn.welcome(r)
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
func (c *conn) welcome(r carrier.Reply) error {
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
