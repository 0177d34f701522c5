package identities

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
)

// Key returns the name of the identity that has a public key with this SHA-256 (of its SubjectPublicKeyInfo). Whoever asks has seen
// proof that the peer has the private key. The error is ErrUnknown or ErrRevoked.
func (s *Store) Key(hash [32]byte) (name string, err error) {
	if hash == ([32]byte{}) {
		return "", ErrUnknown // it showed no key
	}
	return s.find(Key, hash)
}

// Token returns the name of the identity that has a token. The error is ErrUnknown or ErrRevoked.
func (s *Store) Token(text string) (name string, err error) {
	if !IsToken(text) {
		return "", ErrUnknown
	}
	return s.find(Token, sha256.Sum256([]byte(text)))
}

// find compares with all, in a time that does not depend on which one it is, nor on how much of a hash is right.
func (s *Store) find(kind Kind, hash [32]byte) (string, error) {
	var who *Identity
	var which *Credential
	for _, id := range s.state.Load().list {
		for i := range id.Credentials {
			c := &id.Credentials[i]
			if c.Kind == kind && subtle.ConstantTimeCompare(c.hash[:], hash[:]) == 1 {
				who, which = id, c
			}
		}
	}
	return s.admit(who, which)
}

// admit returns the name of an identity whose credential was shown, or nil if nobody's was.
func (s *Store) admit(id *Identity, c *Credential) (string, error) {
	switch {
	case c == nil:
		return "", ErrUnknown
	case !c.Active():
		return "", ErrRevoked
	}
	c.used.Store(s.now().Unix())
	s.unsaved.Store(true)
	return id.Name, nil
}

// Password reports whether an identity has a password. The error is ErrUnknown, also if the password is wrong, ErrRevoked if it is right
// and revoked, or ErrCrowded. One password is checked at a time, which takes some 50 ms on a fast machine and a second on a slow one;
// whoever calls limits how often strangers may try. A name that nobody has takes as long.
func (s *Store) Password(ctx context.Context, name, password string) error {
	if len(password) > mostPassword {
		return ErrUnknown
	}
	var which *Credential
	id := s.state.Load().find(name)
	if id != nil {
		for i := range id.Credentials {
			if id.Credentials[i].Kind == Password {
				which = &id.Credentials[i]
			}
		}
	}
	kept := ""
	if which != nil {
		kept = which.proof
	}
	right, err := s.verify(ctx, kept, password)
	if err != nil {
		return err
	}
	if !right {
		return ErrUnknown
	}
	// It took a while: what was revoked meanwhile is.
	if now := s.state.Load().find(name); now != nil {
		for i := range now.Credentials {
			if c := &now.Credentials[i]; c.Kind == Password && c.proof == kept {
				_, err := s.admit(now, c)
				return err
			}
		}
	}
	return ErrRevoked
}
