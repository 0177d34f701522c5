package methods

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sighub/access"
	"sighub/access/identities"
	"sighub/access/pairing"
	"sighub/carrier"
	"sighub/hub/verb"
	"sighub/internal/yamlfile"
)

// Options say what the methods work with.
type Options struct {
	Control *access.Control // nil: the hub has no access
	// Caller says who calls a method, by its context.
	Caller func(context.Context) access.Actor
	// HubKey is the SHA-256 of the hub's public key. The zero hash: the hub has none, so nobody can be invited.
	HubKey func() [32]byte
	// Expel disconnects the clients of an identity of which something was revoked. Whoever has something else may come back.
	Expel func(identity string)
	// Ended disconnects those who have proven to be an identity by the secret of a session, which has ended.
	Ended func(identity, secret string)
	// Address returns where others reach the hub over TLS: host:port. The error says why they do not.
	Address func() (string, error)
}

// A Method is one that clients may call, with the verb that it needs; 0: none.
type Method struct {
	Needs verb.Verb
	Call  func(ctx context.Context, params carrier.Value) (any, error)
}

type methods struct{ Options }

// New returns the methods, by name.
func New(o Options) map[string]Method {
	m := &methods{o}
	return map[string]Method{
		WhoAmI:       {0, m.whoAmI},
		BeginSession: {0, m.beginSession},
		EndSession:   {0, m.endSession},
		DrawQR:       admin(m, m.drawQR),
		Explain:      admin(m, m.explain),
		Matrix:       admin(m, m.matrix),
		Identities:   admin(m, m.identities),
		Invite:       admin(m, m.invite),
		CancelInvite: admin(m, m.cancel),
		MakeToken:    admin(m, m.makeToken),
		AddDevice:    admin(m, m.addDevice),
		SetPassword:  {verb.Admin, m.setPassword},
		Revoke:       admin(m, m.revoke),
		Reload:       admin(m, m.reload),
	}
}

// errNone is the error of a hub without access.
var errNone = errors.New("this hub has no access control, so everybody who reaches it may do everything: `sudo sighub setup` on its machine sets it up")

// admin makes a method of a function that is given what the client has sent.
func admin[P any](m *methods, f func(by access.Actor, params P) (any, error)) Method {
	return Method{verb.Admin, func(ctx context.Context, v carrier.Value) (any, error) {
		params, err := decode[P](m, v)
		if err != nil {
			return nil, err
		}
		return f(m.Caller(ctx), params)
	}}
}

// decode returns what a client has sent to a hub that has access.
func decode[P any](m *methods, v carrier.Value) (params P, err error) {
	if m.Control == nil {
		return params, errNone
	}
	if !v.IsNull() {
		if err := v.Decode(&params); err != nil {
			return params, fmt.Errorf("the arguments are not understood: %w", err)
		}
	}
	return params, nil
}

func (m *methods) whoAmI(ctx context.Context, _ carrier.Value) (any, error) {
	if m.Control == nil {
		return Self{Open: true}, nil
	}
	who := m.Caller(ctx).Who
	e := m.Control.Policy().Explain(who, verb.Listen, "", "")
	self := Self{Identity: who, Text: describe(who), Who: spoken(who), Roles: e.Roles, Place: e.Place, File: m.Control.File(), Rights: m.Control.Policy().Digest(who)}
	for _, v := range verb.All() {
		if ok, _ := m.Control.Policy().May(who, v, "", ""); ok {
			self.May = append(self.May, v.String())
		}
	}
	return self, nil
}

func (m *methods) explain(by access.Actor, q Question) (any, error) {
	v, err := verb.Parse(q.Verb)
	if err != nil {
		return nil, err
	}
	if q.Name != "" && q.Sender == "" || v == verb.Admin && q.Sender != "" || v == verb.Add && q.Name != "" {
		return nil, fmt.Errorf("%s is not for a sender %q and a name %q: `sighub can --help` shows what is", v, q.Sender, q.Name)
	}
	who, err := m.resolve(by, q.Who)
	if err != nil {
		return nil, err
	}
	e := m.Control.Policy().Explain(who, v, q.Sender, q.Name)
	return Answer{e, say(e)}, nil
}

// say returns an explanation in words, with the name of a user.
func say(e access.Explanation) string {
	text := e.String()
	if rest, ok := strings.CutPrefix(text, access.Describe(e.Identity)); ok {
		text = describe(e.Identity) + rest
	}
	return text
}

func (m *methods) matrix(access.Actor, struct{}) (any, error) {
	p := m.Control.Policy()
	return Table{p.Matrix(), m.Control.File(), m.Control.Pending(), texts(p.Warnings())}, nil
}

func texts(list []*yamlfile.Error) (lines []string) {
	for _, w := range list {
		lines = append(lines, w.Error())
	}
	return lines
}

func (m *methods) identities(access.Actor, struct{}) (any, error) {
	list, policy := []Identity{}, m.Control.Policy()
	for _, id := range m.Control.Identities() {
		e := policy.Explain(id.Name, verb.Listen, "", "")
		one := Identity{Name: id.Name, Roles: e.Roles, Place: e.Place, Created: id.Created, Credentials: []Credential{}}
		if e.Place == "" {
			one.Roles = id.Roles // nothing binds somebody who cannot log in
		}
		for _, c := range id.Credentials {
			one.Credentials = append(one.Credentials, shown(c))
		}
		list = append(list, one)
	}
	var invited []Opening
	for _, o := range m.Control.Pairings().Open() {
		invited = append(invited, Opening{o.Name, o.Left.Seconds(), o.Failed})
	}
	return Everybody{list, invited}, nil
}

func shown(c identities.Credential) Credential {
	s := Credential{ID: c.ID, Kind: string(c.Kind), Label: c.Label, Proof: c.Proof(), Created: c.Created}
	if used := c.Used(); !used.IsZero() {
		s.Used = &used
	}
	if !c.Active() {
		s.Revoked = &c.Revoked
	}
	return s
}

// grant returns what somebody is to get. Without roles it is those that the identity has, or viewer if it has none.
func (m *methods) grant(g Grant) (grant pairing.Grant, out Invited, err error) {
	out = Invited{Name: g.Name, Roles: g.Roles}
	grant = pairing.Grant{Name: g.Name, Roles: g.Roles}
	if len(g.Roles) == 0 {
		e := m.Control.Policy().Explain(g.Name, verb.Listen, "", "")
		i := slices.IndexFunc(m.Control.Identities(), func(id identities.Identity) bool { return id.Name == g.Name && id.Active() })
		switch {
		case i >= 0: // known: what it has stays as it is
			out.Roles = e.Roles
		case len(e.Roles) > 0: // a line of the file waits for it
			out.Roles, grant.Roles = e.Roles, e.Roles
		default:
			out.Roles, grant.Roles, out.Default = []string{access.Viewer}, []string{access.Viewer}, true
		}
	}
	return grant, out, m.Control.CheckGrant(grant)
}

func (m *methods) invite(by access.Actor, g Grant) (any, error) {
	grant, out, err := m.grant(g)
	if err != nil {
		return nil, err
	}
	if m.HubKey() == [32]byte{} {
		return nil, errors.New("this hub has no certificate, so nobody can be sure to reach it: give it a state folder, and `tls: required` at an address")
	}
	if g.Address == "" {
		if g.Address, err = m.Address(); err != nil {
			return nil, err
		}
	}
	if out.Address = g.Address; g.DryRun {
		return out, pairing.CheckAddress(g.Address)
	}
	in, err := m.Control.Invite(by, g.Address, m.HubKey(), grant)
	if err != nil {
		return nil, err
	}
	out.Invitation, out.Seconds, out.Tries = in.String(), int(pairing.Valid.Seconds()), pairing.Tries
	return out, nil
}

func (m *methods) cancel(by access.Actor, g Grant) (any, error) {
	if !m.Control.Cancel(by, g.Name) {
		return nil, fmt.Errorf("nobody is invited as %q: `sighub identities` shows who is", g.Name)
	}
	return nil, nil //nolint:nilnil // there is nothing to say
}

func (m *methods) makeToken(by access.Actor, g Grant) (any, error) {
	grant, out, err := m.grant(g)
	if err != nil || g.DryRun {
		return out, err
	}
	out.Token, err = m.Control.AddToken(by, grant, g.Label)
	out.Address, _ = m.Address() // where it may be said, if others reach the hub
	return out, err
}

func (m *methods) addDevice(by access.Actor, g Grant) (any, error) {
	if len(g.Roles) == 0 {
		g.Roles = []string{access.Sender}
		if slices.ContainsFunc(m.Control.Identities(), func(id identities.Identity) bool { return id.Name == g.Name && id.Active() }) {
			g.Roles = nil
		}
	}
	grant, out, err := m.grant(g)
	if err != nil || g.DryRun {
		return out, err
	}
	return out, m.Control.AddDevice(by, grant, g.UID)
}

// setPassword gives an identity a password. The connections of one that has had another password end: they may have come by that.
func (m *methods) setPassword(ctx context.Context, v carrier.Value) (any, error) {
	g, err := decode[Grant](m, v)
	if err != nil {
		return nil, err
	}
	grant, out, err := m.grant(g)
	if err != nil {
		return nil, err
	}
	if g.DryRun {
		out.Replaced = m.passwordOf(g.Name) != ""
		if g.Password != "" {
			err = identities.CheckPassword(g.Name, g.Password)
		}
		return out, err
	}
	out.Replaced, err = m.Control.SetPassword(ctx, m.Caller(ctx), grant, g.Password)
	if out.Replaced { // also if what follows from it has failed
		m.Expel(g.Name)
	}
	if err != nil {
		return nil, err
	}
	out.Credential = m.passwordOf(g.Name)
	return out, nil
}

// passwordOf returns the id of the password that an identity has; empty: it has none.
func (m *methods) passwordOf(name string) string {
	for _, id := range m.Control.Identities() {
		for _, c := range id.Credentials {
			if id.Name == name && c.Kind == identities.Password && c.Active() {
				return c.ID
			}
		}
	}
	return ""
}

func (m *methods) revoke(by access.Actor, r Revocation) (any, error) {
	list := m.Control.Identities()
	i := slices.IndexFunc(list, func(id identities.Identity) bool { return id.Name == r.Name })
	out := Revoked{Credentials: []Credential{}}
	if i >= 0 {
		for _, c := range list[i].Credentials {
			switch {
			case !c.Active():
			case r.Credential == "" || r.Credential == c.ID:
				out.Credentials = append(out.Credentials, shown(c))
			default:
				out.Left++
			}
		}
	}
	invited := r.Credential == "" && slices.ContainsFunc(m.Control.Pairings().Open(), func(o pairing.Status) bool { return o.Name == r.Name })
	if r.DryRun {
		if i < 0 && !invited {
			return nil, fmt.Errorf("nobody is called %q: `sighub identities` shows whom the hub knows", r.Name)
		}
		out.Invitation = invited
		return out, nil
	}
	if invited {
		out.Invitation = m.Control.Cancel(by, r.Name)
	}
	if i < 0 && out.Invitation {
		return out, nil
	}
	_, err := m.Control.Revoke(by, r.Name, r.Credential)
	m.Expel(r.Name)
	switch {
	case errors.Is(err, identities.ErrUnknown) && r.Credential == "":
		return nil, fmt.Errorf("nobody is called %q: `sighub identities` shows whom the hub knows", r.Name)
	case errors.Is(err, identities.ErrUnknown):
		return nil, fmt.Errorf("nobody is called %q, or has no credential %q: `sighub identities` shows whom the hub knows", r.Name, r.Credential)
	}
	return out, err
}

func (m *methods) reload(by access.Actor, r Reloading) (any, error) {
	out := Reloaded{File: m.Control.File()}
	var err error
	if r.DryRun {
		changes, warnings, failed := m.Control.DryRun()
		out.Changes, out.Warnings, err = changes, texts(warnings), failed
		var rows []access.Row
		for _, c := range changes {
			rows = append(rows, access.Row{Section: c.Section, Who: c.Who})
		}
		out.Unknown = access.Unknown(rows)
	} else {
		out.Changes, err = m.Control.Reload(by)
		out.Warnings = texts(m.Control.Policy().Warnings())
	}
	if err != nil {
		out.Faults, out.Warnings = strings.Split(err.Error(), "\n"), nil
	}
	return out, nil
}
