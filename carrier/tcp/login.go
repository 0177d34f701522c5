package tcp

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"sighub/carrier"
	"sighub/listen"
)

// ErrClearText is the error of a client that has a secret to say, and reaches a hub on another machine without TLS.
var ErrClearText = errors.New("tcp: a token is not said over clear text to another machine, where others may hear it: connect with tls://")

// loginFailed is what a client is told if what went wrong is not for it.
const loginFailed = "the hub could not find out who this is: its owner finds the reason in its log"

// parseSecret reads what proves who a client is, and reports whether that is what key is for. What is said there is in no error.
func (h *hello) parseSecret(key string, v carrier.Value) (secret bool, err error) {
	switch {
	case key != "token" && key != "password" && key != "pair":
		return false, nil
	case v.IsNull():
		return true, nil
	case key != "pair":
		text := &h.secret.Token
		if key == "password" {
			text = &h.secret.Password
		}
		if v.Decode(text) != nil {
			return true, errors.New(key + ": it must be a text")
		}
		return true, nil
	}
	p := new(listen.Pairing)
	proof := ""
	fields := map[string]*string{"id": &p.ID, "proof": &proof, "label": &p.Label}
	err = v.Fields(func(key string, v carrier.Value) error {
		if field := fields[key]; field != nil && v.Decode(field) != nil {
			return fmt.Errorf("%s must be a text", key)
		}
		return nil
	})
	if err != nil {
		return true, errors.New("pair: it must be a map of id, proof and label, which are texts")
	}
	if n, err := hex.Decode(p.Proof[:], []byte(proof)[:min(len(proof), 2*len(p.Proof))]); err != nil || n < len(p.Proof) || len(proof) > 2*n {
		return true, fmt.Errorf("pair: proof must be %d digits in hexadecimal", 2*len(p.Proof))
	}
	h.secret.Pairing = p
	return true, nil
}

// letIn finds out who the client is, and ends that it is a stranger. It reports false if the client may not come in, or has gone
// meanwhile.
func (s *Server) letIn(ctx context.Context, c *conn, m *carrier.Message, secret listen.Secret, held int) bool {
	err := s.login(ctx, c, secret)
	if err == nil {
		err = c.nc.Admit()
	}
	if err == nil {
		return true
	}
	if m.Method == methodHello {
		c.writer.endLines() // no legacy client says hello
	}
	c.reply(m.ID, carrier.Failed(err), held)
	c.fail(cause(err))
	return false
}

// A login is who a client is, as the Login says.
type login struct {
	identity string
	proven   time.Time // when that was asked
	session  string    // see carrier.Client
}

// login asks who the client is. The goroutine is the client's alone, so nobody else waits. An error wraps [carrier.ErrDenied], and
// is what the client is told.
func (s *Server) login(ctx context.Context, c *conn, secret listen.Secret) error {
	if s.options.Login == nil {
		return nil
	}
	c.together.End() // it may take a while
	defer c.together.Begin()
	ctx, cancel := context.WithTimeout(ctx, c.limits.HelloTimeout)
	defer cancel()
	asked := time.Now()
	identity, err := s.options.Login(ctx, c.nc.Peer(), secret)
	if err == nil {
		c.login = &login{identity, asked, secret.Session()}
		return nil
	}
	told, why := loginFailed, "other"
	if e, ok := errors.AsType[*listen.LoginError](err); ok {
		told, why, err = e.Public, e.Cause, e.Err
	}
	c.peers.log.Warn("a login is refused", "client", c.addr, "cause", why, "told", told, "error", err)
	return &refusedError{told}
}

// A refusedError says what a client is told that is not let in.
type refusedError struct{ told string }

func (e *refusedError) Error() string { return e.told }

func (e *refusedError) Unwrap() error { return carrier.ErrDenied }
