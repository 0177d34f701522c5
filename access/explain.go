package access

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"sighub/hub/verb"
	"sighub/internal/safetext"
)

// An Explanation says why somebody may do something, or may not.
type Explanation struct {
	Identity string `json:"identity"`
	Verb     string `json:"verb"`
	Sender   string `json:"sender"` // empty: any
	Name     string `json:"name"`   // of the event or the method; empty: any
	Allowed  bool   `json:"allowed"`

	Rule  string   `json:"rule,omitempty"`  // that allows it: a file and a line
	Role  string   `json:"role,omitempty"`  // that the rule belongs to
	Roles []string `json:"roles,omitempty"` // of the identity
	Place string   `json:"place,omitempty"` // where the identity has its roles from
	Own   bool     `json:"own,omitempty"`   // it is an event of the hub, which nobody may trigger
	Idle  bool     `json:"idle,omitempty"`  // the roles are those of an identity that the hub does not know, or that was revoked
	Near  []string `json:"near,omitempty"`  // what the identity may do with the same verb
}

// maxNear is how many rules an Explanation has that allow something else.
const maxNear = 10

// Explain says why an identity may do something, or may not.
func (p *Policy) Explain(identity string, v verb.Verb, sender, name string) Explanation {
	e := Explanation{Identity: identity, Verb: v.String(), Sender: sender, Name: name, Own: v == verb.Trigger && isOwn(name)}
	b := p.find(identity)
	if b == nil {
		if b = p.idle(identity); b != nil {
			e.Roles, e.Place, e.Idle = b.roles, b.place, true
		}
		return e
	}
	e.Roles, e.Place = b.roles, b.place
	if a := b.allows(v, sender, name); a != nil {
		e.Allowed, e.Rule, e.Role = true, b.cite(a), a.role
		return e
	}
	if v >= verb.Add && v <= verb.Admin {
		for i := range b.grant.by[v].list {
			if len(e.Near) == maxNear {
				e.Near = append(e.Near, "and more")
				break
			}
			a := &b.grant.by[v].list[i]
			e.Near = append(e.Near, a.words()+", by "+b.cite(a))
		}
	}
	return e
}

// Digest returns a short text that differs between policies in which an identity may do different things.
func (p *Policy) Digest(identity string) string {
	h := sha256.New()
	if b := p.find(identity); b != nil {
		for v := verb.Add; v <= verb.Admin; v++ {
			for i := range b.grant.by[v].list {
				fmt.Fprintf(h, "%d %q\n", v, b.grant.by[v].list[i].words())
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// idle returns what the file says of an identity that the hub does not know; nil: nothing.
func (p *Policy) idle(identity string) *binding {
	if p == nil {
		return nil
	}
	for _, b := range p.all {
		if b.idle && b.section == inIdentities && b.who == identity {
			return b
		}
	}
	return nil
}

// words returns what an allowance is for.
func (a *allowance) words() string {
	second := secondKey(a.verb)
	switch {
	case a.verb == verb.Admin || a.all():
		return "all"
	case second == "":
		return a.sender.String()
	}
	return a.sender.String() + " " + a.name.String()
}

// String returns the explanation in words.
func (e Explanation) String() string {
	var b strings.Builder
	may := "may"
	if !e.Allowed {
		may = "may not"
	}
	fmt.Fprintf(&b, "%s %s %s", Describe(e.Identity), may, e.what())
	switch {
	case e.Allowed:
		fmt.Fprintf(&b, ": %s, with the role %s", e.Rule, e.Role)
	case e.Own:
		fmt.Fprintf(&b, ": %s is an event of the hub itself", e.Name)
	case e.Idle:
		fmt.Fprintf(&b, ": it has its roles (%s) by %s, but the hub knows no key, token or password of it", strings.Join(e.Roles, ", "), e.Place)
	case e.Place == "":
		b.WriteString(": nothing binds it to a role")
	case len(e.Roles) == 0:
		fmt.Fprintf(&b, ": it has no role, by %s", e.Place)
	case len(e.Near) == 0:
		fmt.Fprintf(&b, ": no rule about %s is in its roles (%s), which it has by %s", e.Verb, strings.Join(e.Roles, ", "), e.Place)
	default:
		fmt.Fprintf(&b, ": its roles (%s), which it has by %s, allow it only for %s", strings.Join(e.Roles, ", "), e.Place, strings.Join(e.Near, "; "))
	}
	return safetext.Line(b.String())
}

// what returns what is wanted, in words.
func (e *Explanation) what() string {
	sender := or(e.Sender, "any sender")
	switch e.Verb {
	case verb.Add.String():
		return "add " + sender
	case verb.Trigger.String():
		return "trigger " + or(e.Name, "any event") + " of " + sender
	case verb.Listen.String():
		return "listen to " + or(e.Name, "any event") + " of " + sender
	case verb.Request.String():
		return "request " + or(e.Name, "any method") + " of " + sender
	case verb.Admin.String():
		return "administer the hub"
	}
	return e.Verb
}

func or(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
