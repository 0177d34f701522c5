package access

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"sighub/access/attempts"
	"sighub/access/audit"
	"sighub/access/identities"
	"sighub/access/internal/trusted"
	"sighub/access/pairing"
	"sighub/internal/yamlfile"
)

// Options say what a [Control] works with.
type Options struct {
	File      string            // the rules
	Store     *identities.Store // whom the hub knows; nil: nobody
	Directory Directory         // of users and groups: System by default
	Audit     *audit.Log        // nil: nothing is recorded
	// Now tells the time for invitations and failed logins, by a clock that is never set: time.Now by default.
	Now func() time.Time
	// Apply puts a Policy into force at the hub. It is called with each new one, one after the other. It may not change anything in the
	// Control. nil: nothing is called.
	Apply func(*Policy)
}

// A Control decides who is let in, and holds the Policy that is in force. Its methods may be called from any goroutine.
type Control struct {
	o        Options
	attempts attempts.Limiter
	pairings pairing.Pairings
	sessions sessions
	inForce  atomic.Pointer[generation]
	turn     chan struct{} // has room for one: whoever changes the Policy
}

// A generation is a Policy, and what it was made of.
type generation struct {
	policy *Policy
	rules  *Rules   // nil: the file had a fault from the beginning
	sum    [32]byte // of the file
	fault  error    // why there are no rules
}

// Open loads the rules, and puts them into force. If the file cannot be read or has a fault it returns an error that says so, and a
// Control by which nobody may do anything: whoever starts a hub in spite of that can mend the file, and reload it.
func Open(o Options) (*Control, error) {
	if o.Directory == nil {
		o.Directory = System{}
	}
	c := &Control{o: o, turn: make(chan struct{}, 1)}
	c.attempts.Now, c.pairings.Now = o.Now, o.Now
	g, err := c.load()
	if err != nil {
		g = &generation{policy: new(Policy), fault: err}
	}
	c.apply(g)
	return c, err
}

// load reads the file and compiles it.
func (c *Control) load() (*generation, error) {
	data, _, err := trusted.Read(c.o.File, yamlfile.MaxFile)
	if err != nil {
		return nil, err
	}
	rules, err := Parse(c.o.File, data)
	if err != nil {
		return nil, err
	}
	policy, err := Compile(rules, c.members(), c.o.Directory)
	if err != nil {
		return nil, err
	}
	return &generation{policy: policy, rules: rules, sum: sha256.Sum256(data)}, nil
}

// members returns whom the hub knows.
func (c *Control) members() (list []Member) {
	if c.o.Store == nil {
		return nil
	}
	for _, id := range c.o.Store.List() {
		list = append(list, Member{Name: id.Name, Roles: id.Roles, Devices: id.Devices(), Gone: !id.Active(), Revoked: id.RevokedDevices()})
	}
	return list
}

func (c *Control) apply(g *generation) {
	c.inForce.Store(g)
	if c.o.Apply != nil {
		c.o.Apply(g.policy)
	}
}

// Policy returns the Policy in force.
func (c *Control) Policy() *Policy { return c.inForce.Load().policy }

// An Actor is who changes something, for the audit.
type Actor struct {
	Who  string // an identity, or what else it is, such as SIGHUP
	From string
}

// Reload loads the rules again, and puts them into force. It returns who has gained and lost what. If the file has a fault, the error
// says which, and the old Policy stays in force.
func (c *Control) Reload(by Actor) ([]Change, error) {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	g, err := c.load()
	if err != nil {
		c.record(by, audit.Record{Event: audit.Policy, Verdict: audit.Refused, Cause: "fault", Detail: err.Error()})
		return nil, err
	}
	changes := c.Policy().Diff(g.policy)
	c.apply(g)
	c.record(by, audit.Record{Event: audit.Policy, Verdict: audit.Allowed, Cause: "reload", Detail: summary(changes)})
	return changes, nil
}

// DryRun says what [Control.Reload] would do, and does nothing.
func (c *Control) DryRun() (changes []Change, warnings []*yamlfile.Error, err error) {
	g, err := c.load()
	if err != nil {
		return nil, nil, err
	}
	return c.Policy().Diff(g.policy), g.policy.Warnings(), nil
}

// Pending says what stands between the file and what is in force, in words; empty: nothing does.
func (c *Control) Pending() string {
	in := c.inForce.Load()
	data, _, err := trusted.Read(c.o.File, yamlfile.MaxFile)
	switch {
	case err == nil && in.rules != nil && sha256.Sum256(data) == in.sum:
		return ""
	case err == nil:
		_, err = Parse(c.o.File, data)
	}
	switch {
	case err == nil && in.rules != nil:
		return c.o.File + " has changed, and is not in force: sighub reload"
	case err == nil:
		return c.o.File + " has no fault any more, and is not in force: sighub reload"
	}
	first, _, more := strings.Cut(err.Error(), "\n")
	if more {
		first += " (and more)"
	}
	if in.rules == nil {
		return "nobody may do anything: " + first
	}
	return first + "; what was loaded before is in force"
}

// Change changes the identities by a function, and puts that into force: also if the function fails, because a revocation holds even if
// it cannot be written. what says for the audit what is done.
func (c *Control) Change(by Actor, what string, f func(*identities.Store) error) error {
	if c.o.Store == nil {
		return errNoStore
	}
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	return c.change(by, what, f)
}

var errNoStore = errors.New("access: this hub keeps no identities: give it a state folder")

// change is Change for who has the turn.
func (c *Control) change(by Actor, what string, f func(*identities.Store) error) error {
	err := f(c.o.Store)
	detail := what
	if in := c.inForce.Load(); in.rules != nil {
		policy, compileErr := Compile(in.rules, c.members(), c.o.Directory)
		if compileErr == nil {
			detail += ": " + summary(in.policy.Diff(policy))
			next := *in
			next.policy = policy
			c.apply(&next)
		}
		err = errors.Join(err, compileErr)
	}
	r := audit.Record{Event: audit.Policy, Verdict: audit.Allowed, Cause: "identities", Detail: detail}
	if err != nil {
		r.Verdict, r.Detail = audit.Refused, detail+": "+err.Error()
	}
	c.record(by, r)
	return err
}

// Revoke revokes an identity, or one credential of it, if id is not empty. With the identity goes an invitation to its name, and with
// either its sessions.
func (c *Control) Revoke(by Actor, name, id string) (n int, err error) {
	err = c.Change(by, "revoke "+strings.TrimSpace(name+" "+id), func(s *identities.Store) error {
		if id == "" { // also who was not paired yet
			c.pairings.Cancel(name)
		}
		n, err = s.Revoke(name, id)
		c.sessions.revoke(name, c.now())
		return err
	})
	return n, err
}

// Pairings returns the pairings that are open.
func (c *Control) Pairings() *pairing.Pairings { return &c.pairings }

// Pair lets somebody in who was invited, and pins the key. hubKey is that of the connection. label says where the key is.
func (c *Control) Pair(_ context.Context, p Peer, id pairing.ID, proof pairing.Proof, hubKey [32]byte, label string) (identity string, err error) {
	if !p.Secure || p.Key == ([32]byte{}) {
		return "", c.refuse(p, audit.Pairing, "", &LoginError{Public: "an invitation is used over TLS, with a key of one's own: connect with TLS", Cause: "insecure"})
	}
	at, wait := c.attempts.Begin(p.Addr)
	if wait > 0 {
		return "", c.refuse(p, audit.Pairing, "", slow(wait))
	}
	c.turn <- struct{}{} // so that no revocation comes between
	defer func() { <-c.turn }()
	g, err := c.pairings.Try(id, proof, hubKey, p.Key)
	if err != nil {
		return "", c.refuse(p, audit.Pairing, "", &LoginError{Public: "this invitation is not valid, or not any more: ask for another one", Cause: pairCause(err), Err: err})
	}
	at.Succeeded()
	err = c.change(Actor{Who: g.Name, From: p.from()}, "pair "+g.Name, func(s *identities.Store) error { return s.AddKey(g.Name, g.Roles, p.Key, label) })
	if err != nil {
		return "", c.refuse(p, audit.Pairing, g.Name, &LoginError{Public: "the hub could not keep the key: its owner finds the reason in its log; then ask for another invitation", Cause: "store", Err: err})
	}
	c.record(Actor{g.Name, p.from()}, audit.Record{Event: audit.Pairing, Verdict: audit.Allowed, Cause: "paired"})
	return g.Name, nil
}

func pairCause(err error) string {
	for target, cause := range map[error]string{pairing.ErrNone: "unknown", pairing.ErrExpired: "expired", pairing.ErrWrong: "wrong", pairing.ErrGuessed: "guessed"} {
		if errors.Is(err, target) {
			return cause
		}
	}
	return "other"
}

func (c *Control) record(by Actor, r audit.Record) {
	r.Who, r.From = by.Who, by.From
	c.o.Audit.Record(r)
}

// maxSummary is how many changes a summary tells.
const maxSummary = 5

// summary says in a few words who gains and loses something.
func summary(changes []Change) string {
	if len(changes) == 0 {
		return "nobody gains or loses anything"
	}
	var parts []string
	for _, ch := range changes[:min(len(changes), maxSummary)] {
		part := ch.Who
		if len(ch.Gains) > 0 {
			part += " gains " + strings.Join(ch.Gains[:min(len(ch.Gains), maxSummary)], ", ")
		}
		if len(ch.Loses) > 0 {
			part += " loses " + strings.Join(ch.Loses[:min(len(ch.Loses), maxSummary)], ", ")
		}
		parts = append(parts, part)
	}
	if n := len(changes) - maxSummary; n > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(parts, "; ")
}

// validAddr returns an address, or none for a Unix socket.
func (p Peer) validAddr() netip.Addr {
	if p.Unix {
		return netip.Addr{}
	}
	return p.Addr
}
