package access

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sighub/access/audit"
	"sighub/access/identities"
	"sighub/access/pairing"
	"sighub/internal/yamlfile"
)

// Invite begins a pairing, and returns the invitation. hubKey is the SHA-256 of the hub's SubjectPublicKeyInfo. Without roles the
// identity has those that it has already.
func (c *Control) Invite(by Actor, address string, hubKey [32]byte, g pairing.Grant) (*pairing.Invitation, error) {
	in, err := c.invite(address, hubKey, g)
	r := audit.Record{Event: audit.Pairing, Verdict: audit.Allowed, Cause: "invited", Detail: "for " + g.Name + ", " + or(strings.Join(g.Roles, ", "), "with the roles that it has")}
	if err != nil {
		r.Verdict, r.Detail = audit.Refused, r.Detail+": "+err.Error()
	}
	c.record(by, r)
	return in, err
}

func (c *Control) invite(address string, hubKey [32]byte, g pairing.Grant) (*pairing.Invitation, error) {
	if err := c.checkGrant(g); err != nil {
		return nil, err
	}
	return c.pairings.Start(address, hubKey, g)
}

// checkGrant says why nobody can be let in as that.
func (c *Control) checkGrant(g pairing.Grant) error {
	rules := c.inForce.Load().rules
	if rules == nil {
		return fmt.Errorf("nobody can be let in while %s has a fault: mend it, and reload it", c.o.File)
	}
	for _, role := range g.Roles {
		if err := rules.CheckRole(role); err != nil {
			return err
		}
	}
	if c.o.Store == nil {
		return errNoStore
	}
	if id, ok := c.o.Store.Find(g.Name); len(g.Roles) == 0 && (!ok || !id.Active()) {
		return fmt.Errorf("nobody is called %s: say which role to give: %s", g.Name, yamlfile.OrList(rules.Roles()))
	}
	return c.o.Store.CheckNew(g.Name, g.Roles) // else nobody could use the invitation
}

// CheckGrant says why nobody can be let in as that: a role that is not there, or another one than the identity has.
func (c *Control) CheckGrant(g pairing.Grant) error {
	if err := CheckName(g.Name); err != nil {
		return err
	}
	return c.checkGrant(g)
}

// AddToken makes a token, and returns it. It is not kept, so it can be told only now.
func (c *Control) AddToken(by Actor, g pairing.Grant, label string) (token string, err error) {
	if err := c.CheckGrant(g); err != nil {
		return "", err
	}
	err = c.Change(by, "make a token for "+g.Name, func(s *identities.Store) error {
		token, err = s.AddToken(g.Name, g.Roles, label)
		return err
	})
	return token, err
}

// SetPassword gives an identity a password. It reports whether that is in place of another one, with which the sessions of the identity
// end: somebody may be there by that.
func (c *Control) SetPassword(ctx context.Context, by Actor, g pairing.Grant, password string) (replaced bool, err error) {
	if err := c.CheckGrant(g); err != nil {
		return false, err
	}
	if err := identities.CheckPassword(g.Name, password); err != nil {
		return false, err
	}
	err = c.Change(by, "set a password of "+g.Name, func(s *identities.Store) error {
		before, _ := s.Find(g.Name)
		if err := s.SetPassword(ctx, g.Name, g.Roles, password); err != nil {
			return err
		}
		if replaced = slices.ContainsFunc(before.Credentials, isPassword); replaced {
			c.sessions.revoke(g.Name, c.now())
		}
		return nil
	})
	return replaced, err
}

// isPassword reports whether a credential is a password that is taken.
func isPassword(c identities.Credential) bool { return c.Kind == identities.Password && c.Active() }

// AddDevice makes a device known by its uid.
func (c *Control) AddDevice(by Actor, g pairing.Grant, uid string) error {
	if err := c.CheckGrant(g); err != nil {
		return err
	}
	return c.Change(by, "know the device "+uid+" as "+g.Name, func(s *identities.Store) error { return s.AddDevice(g.Name, g.Roles, uid) })
}

// Cancel ends the pairing of a name that is open. It reports whether one was.
func (c *Control) Cancel(by Actor, name string) bool {
	ok := c.pairings.Cancel(name)
	if ok {
		c.record(by, audit.Record{Event: audit.Pairing, Verdict: audit.Allowed, Cause: "cancelled", Detail: "for " + name})
	}
	return ok
}

// Identities returns whom the hub knows, by name.
func (c *Control) Identities() []identities.Identity {
	if c.o.Store == nil {
		return nil
	}
	return c.o.Store.List()
}

// File returns the name of the file with the rules.
func (c *Control) File() string { return c.o.File }
