package access

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"sighub/access/internal/pattern"
	"sighub/hub/verb"
	"sighub/internal/yamlfile"
)

// A Member is somebody whom the hub knows by a key, a token, a password or a device's uid.
type Member struct {
	Name    string
	Roles   []string
	Devices []string // uids
	Gone    bool     // all was revoked: nobody comes under this name any more
	Revoked []string // uids of devices that were revoked
}

// A Policy decides. It never changes; its methods may be called from any goroutine. The zero Policy, and nil, deny everything.
type Policy struct {
	rules *Rules

	named     map[string]*binding
	users     map[int]*binding
	groups    []*binding          // in the order of the file
	prefixes  []*binding          // the longest first
	devices   map[string]*binding // nil: the device was revoked
	anyDevice *binding

	all     []*binding // in the order in which people read them
	hearing heard
	words   int // of a set of classes

	warnings []*yamlfile.Error
}

// A binding is somebody, or several, with their roles.
type binding struct {
	section string // of the file
	who     string
	roles   []string
	place   string // where it is said: a file and a line, or how the hub knows
	id      int    // of a user or a group
	prefix  netip.Prefix
	grant   *grant
	idle    bool // nobody has it: the hub, or the machine, does not know who it is for
}

// A grant is what roles allow together.
type grant struct {
	by    [verb.Admin + 1]allowances
	class uint16
}

// An allowance is a rule of a role.
type allowance struct {
	verb         verb.Verb
	sender, name pattern.Pattern
	role         string
	place        string // of the rule; empty: the role is built in
}

// maxClasses is how many sets of Listen rules there may be.
const maxClasses = 1<<16 - 1

// The sections of the file.
const (
	inIdentities = "identities"
	inUsers      = "users"
	inGroups     = "groups"
	inAddresses  = "addresses"
	inDevices    = "devices"
)

// Compile makes a Policy. It returns an error only if there are more different sets of rules than a hub can hold.
func Compile(r *Rules, members []Member, dir Directory) (*Policy, error) {
	p := &Policy{
		rules: r, named: make(map[string]*binding), users: make(map[int]*binding), devices: make(map[string]*binding),
		warnings: slices.Clone(r.warnings),
	}
	c := compiler{policy: p, grants: make(map[string]*grant), classes: map[string]uint16{"": 0}}
	c.identities(members)
	c.system(dir)
	for _, a := range r.addresses {
		b := c.bind(inAddresses, a.who, a.roles, r.at(a.line))
		b.prefix = a.Prefix
		p.prefixes = append(p.prefixes, b)
	}
	if !r.known {
		place := r.File + ", without a line about devices"
		if r.devices > 0 {
			place = r.at(r.devices)
		}
		p.anyDevice = c.bind(inDevices, "any", []string{Sender}, place)
	}
	if len(c.classes) > maxClasses {
		return nil, fmt.Errorf("%s: there are more than %d different sets of rules for listeners: give more people the same roles", r.File, maxClasses)
	}
	p.words = len(c.classes)/64 + 1
	p.hearing = c.hearing()
	return p, nil
}

// at returns a place in the file.
func (r *Rules) at(line int) string { return r.File + ":" + strconv.Itoa(line) }

// Warnings returns what is not a mistake, but is unlikely to be wanted.
func (p *Policy) Warnings() []*yamlfile.Error {
	if p == nil {
		return nil
	}
	return p.warnings
}

// May reports whether an identity may do something, and returns the rule that says so, as file:line.
//
// An empty sender or name stands for any: then May reports whether there is any for which it is allowed, as for a listener of
// all senders, who hears what [Policy.Hears] says. The name is that of an event or a method; [verb.Add] needs only a sender, and
// [verb.Admin] nothing. Nobody may trigger #connect, #disconnect and #gap; whoever may hear any event of a sender may hear these.
func (p *Policy) May(identity string, v verb.Verb, sender, name string) (ok bool, rule string) {
	b := p.find(identity)
	if b == nil {
		return false, ""
	}
	a := b.allows(v, sender, name)
	if a == nil {
		return false, ""
	}
	return true, b.cite(a)
}

// MayAll reports whether one rule allows an identity everything that a verb is for.
func (p *Policy) MayAll(identity string, v verb.Verb) bool {
	b := p.find(identity)
	return b != nil && v >= verb.Add && v <= verb.Admin && slices.ContainsFunc(b.grant.by[v].list, func(a allowance) bool { return a.all() })
}

// cite returns where it is said that an allowance of the binding holds.
func (b *binding) cite(a *allowance) string {
	if a.place != "" {
		return a.place
	}
	return b.place + " (" + a.role + ")"
}

// allows returns the first allowance of something, or nil.
func (b *binding) allows(v verb.Verb, sender, name string) *allowance {
	if v < verb.Add || v > verb.Admin {
		return nil
	}
	list := &b.grant.by[v]
	switch {
	case v == verb.Admin:
		sender, name = "", ""
	case v == verb.Add:
		name = ""
	case isOwn(name) && v == verb.Trigger:
		return nil
	case isOwn(name) && v == verb.Listen:
		name = ""
	}
	return list.first(sender, name)
}

// isOwn reports whether an event is one of the hub itself.
func isOwn(event string) bool {
	return event == "#connect" || event == "#disconnect" || event == "#gap"
}

// Known reports whether an identity is bound to roles. One that is not has no business at the hub.
func (p *Policy) Known(identity string) bool { return p.find(identity) != nil }

// Class returns the class of an identity: those who may hear the same have the same. 0 is the class of those who hear nothing.
// The classes of another Policy have other numbers.
func (p *Policy) Class(identity string) uint16 {
	if b := p.find(identity); b != nil {
		return b.grant.class
	}
	return 0
}

// find returns what an identity is bound to, or nil.
func (p *Policy) find(identity string) *binding {
	if p == nil || p.rules == nil || identity == "" {
		return nil
	}
	if rest, ok := strings.CutPrefix(identity, unixMark); ok {
		return p.findUser(rest)
	}
	if uid, ok := strings.CutPrefix(identity, deviceMark); ok {
		if b, known := p.devices[uid]; known {
			return b
		}
		return p.anyDevice
	}
	if text, ok := strings.CutPrefix(identity, addressMark); ok {
		if a, err := netip.ParseAddr(text); err == nil {
			for _, b := range p.prefixes {
				if b.prefix.Contains(a) {
					return b
				}
			}
		}
		return nil
	}
	return p.named[identity]
}

func (p *Policy) findUser(rest string) *binding {
	uid, groups, ok := parseUser(rest)
	if !ok {
		return nil
	}
	if b := p.users[uid]; b != nil {
		return b
	}
	for _, b := range p.groups {
		if slices.Contains(groups, b.id) {
			return b
		}
	}
	return nil
}
