package client

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/eclipse/paho.golang/packets"
)

// Options are those of a connection.
type Options struct {
	Addr     string      // host:port
	TLS      *tls.Config // nil: clear text
	ClientID string
	User     string // empty: none
	Password []byte
	Will     *Message
	Alive    time.Duration // after what time of silence, and half of it, the connection counts as lost; 10 s by default
	Window   int           // messages that may be unacknowledged, if the broker allows as many; 1,000 by default
	// Handle is called with each message that is received, one after another. It must not wait for the connection.
	Handle func(*Message)
	// Dial makes connections; nil: TCP.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
}

// dialTimeout bounds the time until a broker has taken a connection.
const dialTimeout = 15 * time.Second

// Connect connects to a broker. What it publishes is at most once at the broker when the connection ends, unless it was acknowledged.
func Connect(ctx context.Context, o Options) (*Client, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if o.Dial == nil {
		o.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		}
	}
	conn, err := o.Dial(ctx, o.Addr)
	if err != nil {
		return nil, fmt.Errorf("mqtt: %w", err)
	}
	if o.TLS != nil {
		secure := tls.Client(conn, o.TLS)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, fmt.Errorf("mqtt: TLS with %s: %w", o.Addr, err)
		}
		conn = secure
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	c, err := hello(conn, &o)
	if !stop() && err == nil {
		err = context.Cause(ctx)
		c.Close(false)
	}
	if err != nil {
		_ = conn.Close()
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		return nil, err
	}
	_ = conn.SetDeadline(time.Time{}) // reads and writes set their own
	return c, nil
}

// hello sends CONNECT and reads the answer.
func hello(conn net.Conn, o *Options) (*Client, error) {
	alive := cmp.Or(o.Alive, 10*time.Second)
	c := &Client{
		conn: conn, handle: o.Handle, alive: alive, done: make(chan struct{}), w: bufio.NewWriterSize(conn, 64<<10),
		flights: make(map[uint16]flight),
	}
	_ = conn.SetDeadline(time.Now().Add(dialTimeout)) // the write fails if this does
	if _, err := connectPacket(o, alive).WriteTo(c.w); err != nil {
		return nil, readError(err)
	}
	if err := c.w.Flush(); err != nil {
		return nil, readError(err)
	}
	r := bufio.NewReaderSize(conn, 16<<10)
	p, err := readPacket(r)
	if err != nil {
		return nil, err
	}
	ack, ok := p.Content.(*packets.Connack)
	switch {
	case !ok:
		return nil, fmt.Errorf("%w: a packet %s in answer to CONNECT", ErrProtocol, p.PacketType())
	case ack.ReasonCode == 1: // MQTT 3.1.1, table 3.1: a version that is not supported
		return nil, &RefusedError{What: Hello, Code: 0x84}
	case ack.ReasonCode != 0:
		return nil, &RefusedError{What: Hello, Code: ack.ReasonCode, Reason: reasonOf(ack.Properties)}
	}
	window := cmp.Or(o.Window, 1000)
	if props := ack.Properties; props != nil {
		if props.MaximumQOS != nil && *props.MaximumQOS == 0 {
			return nil, &RefusedError{What: "acknowledge messages", Code: 0x9b}
		}
		if props.RetainAvailable != nil && *props.RetainAvailable == 0 {
			return nil, &RefusedError{What: "keep messages", Code: 0x9a}
		}
		if props.ReceiveMaximum != nil {
			window = min(window, int(*props.ReceiveMaximum))
		}
		if props.MaximumPacketSize != nil {
			c.most = int(min(*props.MaximumPacketSize, 1<<30))
		}
		if props.ServerKeepAlive != nil && *props.ServerKeepAlive > 0 {
			c.alive = min(c.alive, time.Duration(*props.ServerKeepAlive)*time.Second)
		}
	}
	c.slots = make(chan struct{}, max(1, min(window, 1<<15)))
	c.running.Go(func() { c.read(r) })
	c.running.Go(c.ping)
	return c, nil
}

func connectPacket(o *Options, alive time.Duration) *packets.ControlPacket {
	most := uint32(maxPacket)
	p := packets.NewControlPacket(packets.CONNECT)
	h := p.Content.(*packets.Connect)
	h.ClientID, h.CleanStart = o.ClientID, true
	h.KeepAlive = uint16(max(1, min(alive/time.Second, 1<<16-1)))
	h.Properties.MaximumPacketSize = &most
	if o.User != "" {
		h.UsernameFlag, h.Username = true, o.User
	}
	if len(o.Password) > 0 {
		h.PasswordFlag, h.Password = true, o.Password
	}
	if w := o.Will; w != nil {
		h.WillFlag, h.WillTopic, h.WillMessage, h.WillRetain, h.WillQOS = true, w.Topic, w.Payload, w.Retain, 1
		h.WillProperties = &packets.Properties{User: w.User}
	}
	return p
}
