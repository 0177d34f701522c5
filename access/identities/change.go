package identities

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// AddKey lets an identity in who has the private key to a public one with this SHA-256. Roles are those of a new identity; nil: those
// that it has. label says where the key is.
func (s *Store) AddKey(name string, roles []string, hash [32]byte, label string) error {
	return s.add(name, roles, Credential{Kind: Key, Label: label, proof: hex.EncodeToString(hash[:])})
}

// AddToken makes a token for an identity, and returns it. It is not kept, so it can be told only now.
func (s *Store) AddToken(name string, roles []string, label string) (token string, err error) {
	token, hash := newToken()
	if err := s.add(name, roles, Credential{Kind: Token, Label: label, proof: hex.EncodeToString(hash[:])}); err != nil {
		return "", err
	}
	return token, nil
}

// SetPassword gives an identity a password, in place of the one that it has.
func (s *Store) SetPassword(ctx context.Context, name string, roles []string, password string) error {
	if err := CheckPassword(name, password); err != nil {
		return err
	}
	hash, err := s.hashOf(ctx, password)
	if err != nil {
		return err
	}
	return s.add(name, roles, Credential{Kind: Password, proof: hash})
}

// AddDevice makes a device known by its uid.
func (s *Store) AddDevice(name string, roles []string, uid string) error {
	return s.add(name, roles, Credential{Kind: Device, proof: uid})
}

// add gives an identity a credential.
func (s *Store) add(name string, roles []string, c Credential) error {
	if err := checkNames(name, roles); err != nil {
		return err
	}
	return s.change(func(next *state, now time.Time) error {
		c.ID, c.Created, c.used = newID(), now, new(atomic.Int64)
		if err := c.check(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		id, err := next.identity(name, roles, now)
		if err != nil {
			return err
		}
		if err := next.makeRoom(id, &c); err != nil {
			return err
		}
		id.Credentials = append(id.Credentials, c)
		return nil
	})
}

// CheckNew says why an identity cannot be given a credential with these roles; nil: those that it has.
func (s *Store) CheckNew(name string, roles []string) error {
	if err := checkNames(name, roles); err != nil {
		return err
	}
	s.changes.Lock()
	defer s.changes.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	_, err := s.state.Load().clone().identity(name, roles, time.Time{})
	return err
}

// identity returns the identity of a name, and makes it if the name is new.
func (s *state) identity(name string, roles []string, now time.Time) (*Identity, error) {
	roles = slices.Compact(slices.Sorted(slices.Values(roles)))
	id := s.find(name)
	switch {
	case id == nil:
		if len(roles) == 0 {
			return nil, fmt.Errorf("nobody is called %s: say which role to give", name)
		}
		id = &Identity{Name: name, Roles: roles, Created: now}
		at, _ := slices.BinarySearchFunc(s.list, name, func(id *Identity, name string) int { return cmp.Compare(id.Name, name) })
		s.list = slices.Insert(s.list, at, id)
	case len(roles) == 0 && !id.Active():
		return nil, fmt.Errorf("%s was revoked: say which role to give", name)
	case len(roles) > 0 && !id.Active(): // it begins anew
		id.Roles, id.Created = roles, now
	case len(roles) > 0 && !slices.Equal(id.Roles, roles):
		return nil, fmt.Errorf("%s has the role %s already: leave out the role, or choose another name", name, strings.Join(id.Roles, ", "))
	}
	return id, nil
}

// makeRoom removes what a new credential takes the place of, and what was revoked longest ago if the identity has too many.
func (s *state) makeRoom(id *Identity, c *Credential) error {
	for _, other := range s.list {
		for i := range other.Credentials {
			old := &other.Credentials[i]
			if old.Kind != c.Kind || old.proof != c.proof {
				continue
			}
			if old.Active() && other != id {
				return fmt.Errorf("this %s is that of %s: revoke it there first", c.Kind, other.Name)
			}
		}
		other.Credentials = slices.DeleteFunc(other.Credentials, func(old Credential) bool {
			return old.Kind == c.Kind && (old.proof == c.proof || other == id && c.Kind == Password)
		})
	}
	for len(id.Credentials) >= maxEach {
		oldest := -1
		for i := range id.Credentials {
			if at := id.Credentials[i].Revoked; !at.IsZero() && (oldest < 0 || at.Before(id.Credentials[oldest].Revoked)) {
				oldest = i
			}
		}
		if oldest < 0 {
			return fmt.Errorf("%s has %d credentials, and may have no more: revoke one first", id.Name, maxEach)
		}
		id.Credentials = slices.Delete(id.Credentials, oldest, oldest+1)
	}
	return nil
}

// Revoke revokes all credentials of an identity, or the one with an id, if that is not empty. It returns how many there were. That holds
// at once: if it cannot be written, the error says so, and it is written with the next change.
func (s *Store) Revoke(name, id string) (n int, err error) {
	s.changes.Lock()
	defer s.changes.Unlock()
	if err := s.usable(); err != nil {
		return 0, err
	}
	next, now := s.state.Load().clone(), s.now().UTC().Truncate(time.Second)
	who := next.find(name)
	if who == nil {
		return 0, fmt.Errorf("nobody is called %s: %w", name, ErrUnknown)
	}
	found := false
	for i := range who.Credentials {
		c := &who.Credentials[i]
		if id != "" && c.ID != id {
			continue
		}
		found = true
		if c.Active() {
			c.Revoked = now
			n++
		}
	}
	if !found && id != "" {
		return 0, fmt.Errorf("%s has no credential %s: %w", name, id, ErrUnknown)
	}
	s.state.Store(next)
	if err := s.save(next); err != nil {
		return n, fmt.Errorf("it is revoked only until the hub ends: %w", err)
	}
	return n, nil
}

// Remove removes an identity that is revoked, with all that is kept of it.
func (s *Store) Remove(name string) error {
	return s.change(func(next *state, _ time.Time) error {
		who := next.find(name)
		switch {
		case who == nil:
			return fmt.Errorf("nobody is called %s: %w", name, ErrUnknown)
		case who.Active():
			return fmt.Errorf("%s can still log in: revoke it first", name)
		}
		next.list = slices.DeleteFunc(next.list, func(id *Identity) bool { return id == who })
		return nil
	})
}
