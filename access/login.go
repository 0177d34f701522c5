package access

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"sighub/access/audit"
	"sighub/access/identities"
)

// A Peer is the other end of a connection, as the carrier knows it: nothing in it is what the peer says of itself.
type Peer struct {
	Addr   netip.Addr // not valid for a Unix socket
	Secure bool       // a Unix socket, the machine itself, or TLS: a secret may be said
	Unix   bool
	UID    int      // of a Unix socket, by SO_PEERCRED
	Groups []int    // by SO_PEERGROUPS
	Key    [32]byte // the SHA-256 of the public key of which the peer has the private one; zero: it has shown none

	ByAddress bool // the listener takes an address for an identity, because old programs cannot say who they are
}

func (p Peer) from() string {
	switch {
	case p.Unix:
		return fmt.Sprintf("uid %d", p.UID)
	case p.Addr.IsValid():
		return p.Addr.String()
	}
	return ""
}

// A Secret is what a peer says to prove who it is. In the zero Secret it says nothing.
type Secret struct {
	Token    string
	Name     string // of the identity; with a Token it may be empty
	Password string // or a token, for protocols that have no field of their own for it
}

// A LoginError says why somebody was not let in. Its text is for the peer, and says no more than a stranger may know.
type LoginError struct {
	Public string
	Cause  string        // one word, for the audit and for counters
	Wait   time.Duration // before another attempt; 0: it is not for that
	Err    error         // for the hub's owner; may be nil
}

func (e *LoginError) Error() string { return "access: " + e.Public }

// Unwrap returns what only the hub's owner is told.
func (e *LoginError) Unwrap() error { return e.Err }

func slow(wait time.Duration) *LoginError {
	return &LoginError{Public: fmt.Sprintf("too many logins from this address have failed: try again in %s", max(wait.Round(time.Second), time.Second)), Cause: "slow", Wait: wait}
}

// unknown is told whichever of them it is: a wrong secret, an unknown name, a revoked key.
func unknown(err error) *LoginError {
	cause := "unknown"
	if errors.Is(err, identities.ErrRevoked) {
		cause = "revoked"
	}
	return &LoginError{Public: "this login is not known here, or was revoked: ask the hub's owner", Cause: cause, Err: err}
}

// Login returns the identity of a peer. What it says counts first, then what it is: a user of this machine, the owner of a key, an
// address. The error is a [*LoginError].
//
// A key and a token cannot be guessed, so one that is right is never delayed, whatever others do from the same address. One that is
// wrong counts as a failure. A password is checked only if the address may try.
func (c *Control) Login(ctx context.Context, p Peer, s Secret) (identity string, err error) {
	identity, how, err := c.login(ctx, p, s)
	if err == nil && !c.Policy().Known(identity) {
		err = &LoginError{Public: "nothing is allowed to this login here: ask the hub's owner", Cause: "unbound"}
	}
	if err != nil {
		le, ok := errors.AsType[*LoginError](err)
		if !ok {
			le = unknown(err)
		}
		return "", c.refuse(p, audit.Login, identity, le)
	}
	c.record(Actor{identity, p.from()}, audit.Record{Event: audit.Login, Verdict: audit.Allowed, Cause: how})
	return identity, nil
}

// refuse records that somebody was not let in. who is known only if the secret was right.
func (c *Control) refuse(p Peer, e audit.Event, who string, le *LoginError) error {
	r := audit.Record{Event: e, Verdict: audit.Refused, Cause: le.Cause}
	if le.Err != nil {
		r.Detail = le.Err.Error()
	}
	c.record(Actor{who, p.from()}, r)
	return le
}

// login returns who somebody is, and by which proof.
func (c *Control) login(ctx context.Context, p Peer, s Secret) (identity, how string, err error) {
	if s.Token == "" && identities.IsToken(s.Password) {
		s.Token, s.Password = s.Password, ""
	}
	switch {
	case strings.HasPrefix(s.Token, SessionMark):
		identity, err = c.session(p, s)
		return identity, "session", err
	case s.Token != "":
		identity, err = c.token(p, s)
		return identity, "token", err
	case s.Password != "":
		identity, err = c.password(ctx, p, s)
		return identity, "password", err
	case p.Unix:
		return User(p.UID, p.Groups), "unix", nil
	case p.Key != [32]byte{}:
		identity, err = c.key(p)
		return identity, "key", err
	case p.ByAddress:
		return Address(p.Addr), "address", nil
	}
	return "", "", &LoginError{Public: "say who you are: with a key, a token or a password", Cause: "nothing"}
}

func (c *Control) token(p Peer, s Secret) (string, error) {
	name, err := "", identities.ErrUnknown
	if c.o.Store != nil {
		name, err = c.o.Store.Token(s.Token)
	}
	if !p.Secure { // a right one was heard by whoever listens: the audit says whose it is
		return name, &LoginError{Public: "a token is not taken over clear text from another machine: connect with TLS, and make another token, because this one was heard", Cause: "insecure"}
	}
	if err == nil && s.Name != "" && s.Name != name {
		err = identities.ErrUnknown
	}
	if err != nil {
		return "", c.failed(p, err)
	}
	return name, nil
}

func (c *Control) session(p Peer, s Secret) (string, error) {
	name, ok := c.sessions.find(s.Token, c.now())
	switch {
	case !p.Secure:
		c.sessions.end(s.Token) // whoever listens has heard it
		return name, &LoginError{Public: "a session does not go on over clear text from another machine: connect with TLS, and log in again", Cause: "insecure"}
	case !ok:
		return "", &LoginError{Public: "you are logged in no more: log in again", Cause: "over"}
	case s.Name != "" && s.Name != name: // as with a token
		return "", c.failed(p, identities.ErrUnknown)
	}
	return name, nil
}

func (c *Control) key(p Peer) (string, error) {
	if c.o.Store == nil {
		return "", c.failed(p, identities.ErrUnknown)
	}
	name, err := c.o.Store.Key(p.Key)
	if err != nil {
		return "", c.failed(p, err)
	}
	return name, nil
}

// failed counts a failure with something that nobody can guess.
func (c *Control) failed(p Peer, err error) error {
	wait := c.attempts.Waits(p.validAddr())
	c.attempts.Failed(p.validAddr())
	if wait > 0 {
		return slow(wait)
	}
	return unknown(err)
}

func (c *Control) password(ctx context.Context, p Peer, s Secret) (string, error) {
	if !p.Secure {
		return "", &LoginError{Public: "a password is not taken over clear text from another machine: connect with TLS, and choose another password, because this one was heard", Cause: "insecure"}
	}
	if c.o.Store == nil {
		return "", c.failed(p, identities.ErrUnknown)
	}
	at, wait := c.attempts.Begin(p.validAddr())
	if wait > 0 {
		return "", slow(wait)
	}
	err := c.o.Store.Password(ctx, s.Name, s.Password)
	switch {
	case err == nil:
		at.Succeeded()
		return s.Name, nil
	case errors.Is(err, identities.ErrCrowded):
		at.Succeeded() // it was not tried
		return "", &LoginError{Public: "too many passwords wait to be checked: try again in a few seconds", Cause: "crowded", Wait: time.Second, Err: err}
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		if errors.Is(err, context.DeadlineExceeded) {
			at.Succeeded() // the hub was too slow; but who has gone had a place in the queue, and could have it again and again
		}
		return "", &LoginError{Public: "the login was interrupted: try again", Cause: "interrupted", Err: ctx.Err()}
	}
	return "", unknown(err)
}

// Denied records that somebody who was let in may not do something.
func (c *Control) Denied(by Actor, verb, sender, name string) {
	c.record(by, audit.Record{Event: audit.Denied, Verdict: audit.Refused, Verb: verb, Sender: sender, Name: name})
}
