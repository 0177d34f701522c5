package remote

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"sighub/carrier/serial/port"
)

// How long things may take.
const (
	dialTimeout   = 5 * time.Second        // to connect, for all addresses of a name together
	openTimeout   = 5 * time.Second        // to agree on RFC 2217 and its settings, at most
	optionTimeout = 3 * time.Second        // to agree on the option
	answerTimeout = 2 * time.Second        // to answer a command
	hastyGoodbye  = 250 * time.Millisecond // in which a server closes a connection that it does not want
	userTimeout   = 30 * time.Second       // for which a server may take nothing of what it is sent
)

// keepAlive finds out within 25 s that the other end of an idle connection has vanished.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3}

// An Opener opens ports elsewhere. Its zero value is ready to use.
type Opener struct{}

var (
	_ port.SettingsOpener = Opener{}
	_ port.ContextOpener  = Opener{}
)

// Open implements [port.Opener]. Over tcp, the rate is that of the server.
func (o Opener) Open(path string, baud int) (port.Port, error) {
	return o.OpenWith(path, port.Settings{Baud: baud})
}

// OpenWith implements [port.SettingsOpener].
func (o Opener) OpenWith(path string, s port.Settings) (port.Port, error) {
	return o.OpenContext(context.Background(), path, s)
}

// OpenContext implements [port.ContextOpener].
func (Opener) OpenContext(ctx context.Context, path string, s port.Settings) (port.Port, error) {
	scheme, address, err := Split(path)
	if err != nil {
		return nil, err
	}
	if err := CheckSettings(scheme, s); err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	if err := s.Check(); err != nil {
		return nil, err
	}
	conn, err := dial(ctx, address)
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, &os.PathError{Op: "connect to", Path: path, Err: err}
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	var p port.Port
	if scheme == RFC2217 {
		p, err = openCOM(conn, address, s)
	} else {
		p, err = openRaw(conn)
	}
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case err != nil:
		err = &os.PathError{Op: "open", Path: path, Err: err}
	}
	if err != nil {
		_ = conn.Close()
		if p != nil {
			_ = p.Close()
		}
		return nil, err
	}
	return p, nil
}

// CheckSettings returns an error if settings cannot be had over a scheme, whatever the server is. The rate is not looked at.
func CheckSettings(scheme string, s port.Settings) error {
	switch {
	case s.RS485 != nil:
		return settingsError("a server elsewhere cannot be told to switch the direction of RS-485: leave rs485 out")
	case scheme == TCP && (!s.Usual() || s.DTROff || s.RTSOff):
		return settingsError("over tcp:// the settings are those of the server: leave them out here, or write rfc2217:// if the server knows that")
	}
	return nil
}

// dial connects to the first address of a host that can be reached.
func dial(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	d := net.Dialer{KeepAliveConfig: keepAlive, Control: limitPatience}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, dialError(err)
	}
	return conn, nil
}

// A rawPort passes bytes as they are.
type rawPort struct {
	net.Conn
	early []byte // was read when the port was opened
}

// openRaw waits for a moment, because a server that serves somebody else accepts a connection, says so and closes it.
func openRaw(conn net.Conn) (port.Port, error) {
	early := make([]byte, 512)
	n := 0
	_ = conn.SetReadDeadline(time.Now().Add(hastyGoodbye)) // a connection has deadlines
	var err error
	for err == nil && n < len(early) {
		var m int
		m, err = conn.Read(early[n:])
		n += m
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, sentAway(early[:n], lostError(err))
	}
	_ = conn.SetReadDeadline(time.Time{})
	return &rawPort{Conn: conn, early: early[:n]}, nil
}

// Read implements [port.Port].
func (p *rawPort) Read(b []byte) (int, error) {
	if len(p.early) > 0 {
		n := copy(b, p.early)
		p.early = p.early[n:]
		return n, nil
	}
	n, err := p.Conn.Read(b)
	if err != nil {
		err = lostError(err)
	}
	return n, err
}

// Write implements [port.Port].
func (p *rawPort) Write(b []byte) (int, error) {
	n, err := p.Conn.Write(b)
	if err != nil {
		err = lostError(err)
	}
	return n, err
}

// Close implements [port.Port].
func (p *rawPort) Close() error {
	if err := p.Conn.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Info describes the port.
func (p *rawPort) Info() Info { return Info{Address: p.RemoteAddr().String()} }

var _ io.ReadWriteCloser = (*rawPort)(nil)

// An Info describes a port elsewhere while it is open.
type Info struct {
	Address string `json:"address"`          // of the server
	Server  string `json:"server,omitempty"` // what it calls itself; a stranger's text, in printable ASCII
	// What the server has told of the port's other side.
	Modem  string            `json:"modem,omitempty"`  // its modem lines that are asserted, such as "CTS DSR"; "none" if it has told of none
	Errors map[string]uint64 `json:"errors,omitempty"` // overrun, parity, framing, break
}

// A Describer is a port that knows where it is.
type Describer interface{ Info() Info }
