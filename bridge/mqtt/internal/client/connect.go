package client

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"sighub/internal/mqtt/packet"
)

// Options are those of a connection.
type Options struct {
	Addr string      // host:port
	TLS  *tls.Config // nil: clear text
	// Version is what is spoken: [packet.V5] or [packet.V311]. 0: MQTT 5, and 3.1.1 with a broker that does not take that.
	Version byte
	// Modern says that the broker has spoken MQTT 5 before. If it closes a connection without an answer, that has another reason then.
	Modern   bool
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
	for name, text := range map[string]int{"client identifier": len(o.ClientID), "user name": len(o.User), "password": len(o.Password)} {
		if text > maxText {
			return nil, fmt.Errorf("mqtt: the %s has %d bytes, and the limit is %d", name, text, maxText)
		}
	}
	c, err := connectIn(ctx, &o, cmp.Or(o.Version, packet.V5))
	if err == nil || o.Version != 0 || ctx.Err() != nil || !refusesVersion(err, o.Modern) {
		return c, err
	}
	c, older := connectIn(ctx, &o, packet.V311)
	if older != nil && !errors.As(older, new(*RefusedError)) {
		return nil, err // it does not know 3.1.1 either, or nothing answers
	}
	return c, older
}

// refusesVersion reports whether an answer to CONNECT, or none, may mean that the broker does not know its version. MQTT 3.1.1 demands an
// answer, but not all brokers have one.
func refusesVersion(err error, modern bool) bool {
	if r, is := errors.AsType[*RefusedError](err); is {
		return r.Code == packet.UnsupportedVersion
	}
	return !modern && errors.Is(err, ErrNoAnswer)
}

// ErrNoAnswer is that the broker has closed a connection before it has answered CONNECT.
var ErrNoAnswer = errors.New("mqtt: the broker has closed the connection without an answer")

// connectIn connects in a version.
func connectIn(ctx context.Context, o *Options, version byte) (*Client, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	dial := o.Dial
	if dial == nil {
		dial = func(ctx context.Context, addr string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		}
	}
	conn, err := dial(ctx, o.Addr)
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
	c, err := hello(conn, o, version)
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
func hello(conn net.Conn, o *Options, version byte) (*Client, error) {
	alive := cmp.Or(o.Alive, 10*time.Second)
	c := &Client{
		conn: conn, version: version, handle: o.Handle, alive: alive, done: make(chan struct{}), flights: make(map[uint16]flight),
	}
	_ = conn.SetDeadline(time.Now().Add(dialTimeout)) // the write fails if this does
	if _, err := conn.Write(connectPacket(o, version, alive)); err != nil {
		return nil, noAnswer(readError(err))
	}
	r := &packetReader{conn: conn}
	p, err := r.next()
	if err != nil {
		return nil, noAnswer(err)
	}
	if p.Type != packet.Connack {
		return nil, fmt.Errorf("%w: a packet %s in answer to CONNECT", ErrProtocol, p.Type)
	}
	ack, err := packet.ParseConnack(version, p.Body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
	case ack.Reason != packet.Success:
		return nil, &RefusedError{What: Hello, Code: ack.Reason, Reason: string(ack.Properties.ReasonText)}
	case ack.Version != version: // it takes any CONNECT, and reads it as one of its own version
		return nil, &RefusedError{What: Hello, Code: packet.UnsupportedVersion}
	case ack.Present:
		return nil, fmt.Errorf("%w: a session that was not asked for", ErrProtocol)
	}
	props := &ack.Properties
	if props.Has(packet.PropMaxQoS) && props.MaxQoS == 0 {
		return nil, &RefusedError{What: "acknowledge messages", Code: packet.NoQoS}
	}
	if props.Has(packet.PropRetain) && props.Retain == 0 {
		return nil, &RefusedError{What: "keep messages", Code: packet.NoRetain}
	}
	window := cmp.Or(o.Window, 1000)
	if props.Has(packet.PropReceiveMax) {
		window = min(window, int(props.ReceiveMax))
	}
	if props.Has(packet.PropMaxPacket) {
		c.most = int(min(props.MaxPacket, 1<<30))
	}
	if props.ServerKeepAlive > 0 {
		c.alive = min(c.alive, time.Duration(props.ServerKeepAlive)*time.Second)
	}
	c.slots = make(chan struct{}, max(1, min(window, 1<<15)))
	c.running.Go(func() { c.read(r) })
	c.running.Go(c.ping)
	return c, nil
}

func noAnswer(err error) error {
	if errors.Is(err, ErrClosed) {
		return fmt.Errorf("%w: %w", ErrNoAnswer, err)
	}
	return err
}

func connectPacket(o *Options, version byte, alive time.Duration) []byte {
	p := &packet.ConnectPacket{
		Version: version, CleanStart: true, KeepAlive: uint16(max(1, min(alive/time.Second, 1<<16-1))), ClientID: []byte(o.ClientID),
		HasUser: o.User != "", User: []byte(o.User), HasPassword: len(o.Password) > 0, Password: o.Password,
	}
	if w := o.Will; w != nil {
		p.Will, p.WillQoS, p.WillRetain, p.WillTopic, p.WillPayload = true, 1, w.Retain, []byte(w.Topic), w.Payload
	}
	return packet.AppendConnect(nil, p, packet.AppendUint32(nil, packet.PropMaxPacket, maxPacket), nil)
}
