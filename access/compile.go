package access

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"

	"sighub/hub/verb"
	"sighub/internal/yamlfile"
)

// A compiler makes a Policy.
type compiler struct {
	policy  *Policy
	grants  map[string]*grant // by their roles
	classes map[string]uint16 // by their Listen rules
	heard   []listening       // of each class, but class 0
}

// A listening is what one class may hear.
type listening struct {
	class uint16
	rules []allowance
}

func (c *compiler) warn(line int, format string, args ...any) {
	e := &yamlfile.Error{File: c.policy.rules.File, Line: line, Message: fmt.Sprintf(format, args...)}
	if line > 0 {
		e.Column = 1
	}
	c.policy.warnings = append(c.policy.warnings, e)
}

// bind binds somebody to roles.
func (c *compiler) bind(section, who string, roles []string, place string) *binding {
	b := &binding{section: section, who: who, roles: roles, place: place, grant: c.grant(roles)}
	c.policy.all = append(c.policy.all, b)
	return b
}

// identities binds those whom the hub knows. What the file says of one counts instead of what it was given when it was paired.
func (c *compiler) identities(members []Member) {
	r, p := c.policy.rules, c.policy
	known := make(map[string]bool, len(members))
	for _, m := range members {
		known[m.Name] = !m.Gone
	}
	for _, b := range r.identities {
		bound := c.bind(inIdentities, b.who, b.roles, r.at(b.line))
		if bound.idle = !known[b.who]; bound.idle { // else it would have these roles even after it was revoked
			c.warn(b.line, "the hub knows no key, token or password of %s: nobody can come under this name", b.who)
			continue
		}
		p.named[b.who] = bound
	}
	for _, m := range members {
		for _, uid := range m.Revoked {
			p.devices[uid] = nil
		}
		if m.Gone {
			continue
		}
		b := p.named[m.Name]
		if b == nil {
			for _, role := range m.Roles {
				if err := r.CheckRole(role); err != nil {
					c.warn(0, "%s was given the role %s, which is not in the file: add it to roles, or write %s below identities", m.Name, role, m.Name)
				}
			}
			b = c.bind(inIdentities, m.Name, m.Roles, "the pairing of "+m.Name)
			p.named[m.Name] = b
		}
		for _, uid := range m.Devices {
			p.devices[uid] = b
		}
	}
}

// system binds users and groups of the machine. Root is an administrator, unless the file says something else of root.
func (c *compiler) system(dir Directory) {
	r, p := c.policy.rules, c.policy
	number := func(b bound, what string, lookup func(string) (int, error)) (int, bool) {
		id, err := strconv.Atoi(b.who)
		if err != nil {
			id, err = lookup(b.who)
		}
		switch {
		case err != nil:
			c.warn(b.line, "this machine has no %s %s: the line has no effect until it has, and the file is loaded again", what, b.who)
		case id == nobodyID || id < 0:
			c.warn(b.line, "%s %s is what the kernel says when it does not know the %s: the line has no effect", what, b.who, what)
			err = strconv.ErrRange
		}
		return id, err == nil
	}
	for _, b := range r.users {
		id, ok := number(b, "user", dir.UserID)
		bound := c.bind(inUsers, b.who, b.roles, r.at(b.line))
		bound.id, bound.idle = id, true
		if !ok {
			bound.id = nobodyID
			continue
		}
		if other := p.users[id]; other != nil {
			c.warn(b.line, "%s and %s are the same user: %s counts", other.who, b.who, other.place)
			continue
		}
		bound.idle = false
		p.users[id] = bound
	}
	if p.users[0] == nil {
		p.users[0] = c.bind(inUsers, "root", []string{Administrator}, r.File+", without a line about root")
	}
	for _, b := range r.groups {
		id, ok := number(b, "group", dir.GroupID)
		bound := c.bind(inGroups, b.who, b.roles, r.at(b.line))
		bound.id, bound.idle = id, !ok
		if !ok {
			bound.id = nobodyID
			continue
		}
		p.groups = append(p.groups, bound)
	}
}

// grant returns what roles allow together. Those with the same roles share one.
func (c *compiler) grant(roles []string) *grant {
	sorted := slices.Compact(slices.Sorted(slices.Values(roles)))
	key := strings.Join(sorted, " ")
	if g := c.grants[key]; g != nil {
		return g
	}
	g := new(grant)
	for _, role := range sorted {
		for _, v := range builtIn(role) {
			g.by[v].add(allowance{verb: v, sender: anything(), name: anything(), role: role})
		}
		for _, r := range c.policy.rules.roles[role] {
			g.by[r.verb].add(allowance{verb: r.verb, sender: r.sender, name: r.name, role: role, place: c.policy.rules.at(r.line)})
		}
	}
	g.class = c.class(g.by[verb.Listen].list)
	c.grants[key] = g
	return g
}

// class returns the class of those with these Listen rules.
func (c *compiler) class(rules []allowance) uint16 {
	list := simplify(rules)
	targets := make([]string, len(list))
	for i, a := range list {
		targets[i] = target(a)
	}
	key := strings.Join(targets, "\n")
	n, ok := c.classes[key]
	if !ok {
		n = uint16(min(len(c.classes), maxClasses)) // Compile refuses more
		c.classes[key] = n
		c.heard = append(c.heard, listening{n, list})
	}
	return n
}

// target returns the patterns of an allowance in one text, which is the same for those that allow the same.
func target(a allowance) string {
	return strconv.Quote(a.sender.Canonical()) + strconv.Quote(a.name.Canonical())
}

// simplify removes what others have already, and sorts the rest.
func simplify(rules []allowance) []allowance {
	var list []allowance
	if i := slices.IndexFunc(rules, allowance.all); i >= 0 {
		return rules[i : i+1 : i+1]
	}
	seen := make(map[string]bool, len(rules))
	for _, a := range rules {
		if key := target(a); !seen[key] {
			seen[key] = true
			list = append(list, a)
		}
	}
	// Only a rule with a star has more than itself: so each is held against those only.
	var wide []int
	for i, a := range list {
		_, sender := a.sender.Exact()
		_, name := a.name.Exact()
		if !sender || !name {
			wide = append(wide, i)
		}
	}
	kept := make([]allowance, 0, len(list))
	for i, a := range list {
		if !slices.ContainsFunc(wide, func(j int) bool { return j != i && list[j].covers(a) }) {
			kept = append(kept, a)
		}
	}
	list = kept
	sort.Slice(list, func(i, j int) bool { return target(list[i]) < target(list[j]) })
	return list
}

func (a allowance) all() bool { return a.sender.Any() && a.name.Any() }

// covers reports whether a allows all that b allows, of one verb.
func (a allowance) covers(b allowance) bool {
	return a.sender.Covers(&b.sender) && a.name.Covers(&b.name)
}

// hearing returns who may hear what: each pair of patterns once, with the classes that have it.
func (c *compiler) hearing() heard {
	h := heard{words: c.policy.words}
	at := make(map[string]int)
	for _, l := range c.heard {
		for _, a := range l.rules {
			key := target(a)
			i, ok := at[key]
			if !ok {
				i = h.add(a)
				at[key] = i
			}
			h.classes[i*h.words+int(l.class/64)] |= 1 << (l.class % 64)
		}
	}
	return h
}
