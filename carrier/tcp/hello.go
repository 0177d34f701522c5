package tcp

import (
	"context"
	"errors"
	"fmt"

	"sighub/carrier"
	"sighub/internal/safetext"
	"sighub/listen"
)

const methodHello = "hello"

// errName: a client's name for itself cannot be shown to people.
var errName = carrier.NewRefusal("tcp: bad name", "name")

var errHelloLate = errors.New("hello must be a client's first message")

// A hello is what a client says of itself, and what the hub answers: the fields that are zero were not given.
type hello struct {
	protocol   int
	name       string
	window     int
	maxMessage int
	signals    int // unanswered signals that it takes; 0: no stream of them

	secret   listen.Secret // of a client
	identity string        // that the hub has given to the client; what a client says here is the secret's Name
}

func parseHello(v carrier.Value) (h hello, err error) {
	if v.IsNull() {
		return h, errors.New("hello: the params are missing")
	}
	fields := map[string]any{
		"protocol": &h.protocol, "name": &h.name, "window": &h.window, "max_message": &h.maxMessage, "signals": &h.signals,
		"identity": &h.identity,
	}
	err = v.Fields(func(key string, v carrier.Value) error {
		if secret, err := h.parseSecret(key, v); secret {
			return err
		}
		field := fields[key]
		if field == nil || v.IsNull() {
			return nil
		}
		if err := v.Decode(field); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	})
	switch {
	case err != nil:
		return h, fmt.Errorf("hello: %w", err)
	case h.protocol != Protocol:
		return h, fmt.Errorf("hello: protocol is %d: only protocol %d is supported", h.protocol, Protocol)
	case h.window < 0 || h.maxMessage < 0 || h.signals < 0:
		return h, errors.New("hello: window, max_message and signals must not be negative")
	}
	if h.name != "" {
		if err := safetext.CheckName(h.name); err != nil {
			return h, fmt.Errorf("%w: hello: name \"%s\": %w", errName, safetext.Short(h.name, 64), err)
		}
	}
	return h, nil
}

// greet deals with what a client says first.
func (s *Server) greet(ctx context.Context, c *conn, m *carrier.Message, packed []byte, held int) {
	if c.codec.Name() == carrier.CBOR.Name() {
		c.codec = keyStyle(packed)
	}
	if m.Method != methodHello {
		if !s.letIn(ctx, c, m, listen.Secret{}, held) {
			return
		}
		c.announce("")
		c.deliver(m, held)
		return
	}
	h, err := parseHello(m.Params)
	if err != nil {
		c.peers.log.Warn("a hello is refused", "client", c.addr, "error", err)
		c.count(carrier.Cause(err))
		c.writer.endLines() // no legacy client says hello
		c.reply(m.ID, carrier.Failed(err), held)
		return
	}
	h.secret.Name = h.identity
	if !s.letIn(ctx, c, m, h.secret, held) { // before it is told that it is welcome
		return
	}
	c.agree(h)
	welcome := carrier.Object{
		{Key: "protocol", Value: Protocol},
		{Key: "name", Value: s.options.Name},
		{Key: "version", Value: s.options.Version},
		{Key: "window", Value: c.window},
		{Key: "max_message", Value: c.limits.MaxMessage},
	}
	if c.signals.window > 0 {
		welcome = append(welcome, carrier.Field{Key: "signals", Value: c.limits.Signals})
	}
	if c.login != nil && c.login.identity != "" {
		welcome = append(welcome, carrier.Field{Key: "identity", Value: c.login.identity})
	}
	c.reply(m.ID, carrier.Done(welcome), held)
	c.announce(h.name)
}

// agree applies what the two ends have told each other.
func (c *conn) agree(h hello) {
	c.hello, c.window, c.peerMax = true, c.limits.Window, h.maxMessage
	if c.writer.json {
		c.codec = carrier.JSON
	}
	if h.window > 0 {
		c.window = min(c.window, h.window)
	}
	setDefault(&c.peerMax, c.limits.MaxMessage)
	if c.limits.MaxOutstanding <= 0 {
		c.maxOutstanding = 2 * c.window
	}
	c.calls.SetWindow(c.window)
	if h.signals > 0 && c.peers.signals != nil {
		c.signals.window = min(h.signals, c.limits.Signals)
		c.split.takeSignals()
	}
	c.writer.stream(max(1, min(ackMost, c.limits.Signals/4)))
}
