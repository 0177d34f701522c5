package listen

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"time"
)

// A Login returns the identity of who is at the other end of a connection: by what that says, and by what its connection tells. The
// protocols ask it once for each connection, on a goroutine that only this connection waits for, before they call [Conn].Admit.
// The error is a [*LoginError] if it is for the peer; of another one the peer is told nothing.
type Login func(ctx context.Context, p Peer, s Secret) (identity string, err error)

// A Secret is what a client says to prove who it is. In the zero Secret it says nothing. It is never printed.
type Secret struct {
	Token    string
	Name     string // of the identity; with a Token it may be empty
	Password string

	// Pairing is said by who was invited, in place of everything else.
	Pairing *Pairing
}

// SessionMark begins the secret of a session, which may end before its identity does.
const SessionMark = "sgs_"

// Session returns the name of the session whose secret was said, by which the secret cannot be found; empty: it is not that of one.
func (s Secret) Session() string {
	secret := cmp.Or(s.Token, s.Password)
	if !strings.HasPrefix(secret, SessionMark) {
		return ""
	}
	sum := sha256.Sum256([]byte(secret))
	return "session:" + base64.RawURLEncoding.EncodeToString(sum[:16])
}

// A Pairing is what a client says that was invited, and that the hub does not know yet. Its key is that of the connection.
type Pairing struct {
	ID    string   // of the invitation
	Proof [32]byte // that the client has the invitation: for its key and the hub's
	Label string   // where the client's key is, for people to read
}

// A LoginError says why somebody is not let in.
type LoginError struct {
	Public string        // for the peer: no more than a stranger may know
	Cause  string        // one word
	Wait   time.Duration // before another attempt; 0: it is not for that
	Err    error         // for the hub's owner; may be nil. There is no secret in it
}

// Error returns what the peer is told.
func (e *LoginError) Error() string { return "login: " + e.Public }

// Unwrap returns what only the hub's owner is told.
func (e *LoginError) Unwrap() error { return e.Err }

// String keeps secrets out of what is printed.
func (Secret) String() string { return "(a secret)" }

// GoString keeps secrets out of what a debugger prints.
func (s Secret) GoString() string { return s.String() }
