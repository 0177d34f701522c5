package access

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"sighub/hub/verb"
	"sighub/internal/safetext"
	"sighub/internal/yamlfile"
)

// A Row says what somebody may do.
type Row struct {
	Section string              `json:"section"` // identities, users, groups, addresses or devices
	Who     string              `json:"who"`
	Roles   []string            `json:"roles"`
	Place   string              `json:"place"` // where the roles come from
	May     map[string][]string `json:"may"`   // by verb: the patterns, or "all"
}

// Matrix returns what everybody may do: identities, users, groups, addresses, devices.
func (p *Policy) Matrix() []Row {
	if p == nil {
		return nil
	}
	rows := make([]Row, 0, len(p.all))
	for _, b := range p.all {
		row := Row{Section: b.section, Who: b.who, Roles: b.roles, Place: b.place, May: make(map[string][]string)}
		for _, v := range verb.All() {
			for _, a := range simplify(b.grant.by[v].list) {
				row.May[v.String()] = append(row.May[v.String()], a.words())
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// Unknown says what rows do not tell, in lines for people: it is decided when somebody connects.
func Unknown(rows []Row) (lines []string) {
	var groups []string
	for _, r := range rows {
		if r.Section == inGroups {
			groups = append(groups, r.Who)
		}
	}
	if len(groups) > 0 {
		lines = append(lines, fmt.Sprintf("who is in the group %s is not known here: the system says it when somebody connects; a user with a line under users, "+
			"or in a group further up, has that line's roles alone; `sighub can user:NAME` asks the hub about one", yamlfile.OrList(groups)))
	}
	return lines
}

// MatrixText returns rows as a table for people.
func MatrixText(rows []Row) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\twho\troles\t%s\tby\n", strings.Join(verb.Words(), "\t"))
	for _, r := range rows {
		cells := []string{r.Section, r.Who, strings.Join(r.Roles, ", ")}
		for _, v := range verb.All() {
			cells = append(cells, or(strings.Join(r.May[v.String()], "; "), "-"))
		}
		for i, c := range append(cells, r.Place) {
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
			fmt.Fprint(w, safetext.Short(c, 120))
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush() // a strings.Builder takes everything
	lines := strings.Split(b.String(), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	return strings.Join(lines, "\n")
}

// A Change is what somebody gains and loses by another Policy. Each text is a verb and what it is for.
type Change struct {
	Section string   `json:"section"`
	Who     string   `json:"who"`
	Gains   []string `json:"gains,omitempty"`
	Loses   []string `json:"loses,omitempty"`
}

// Diff returns who would gain and who would lose what if another Policy took the place of this one. Those for whom nothing
// changes are left out.
func (p *Policy) Diff(next *Policy) []Change {
	was, is := p.bindings(), next.bindings()
	order := slices.Collect(maps.Keys(was))
	for key := range is {
		if was[key] == nil {
			order = append(order, key)
		}
	}
	slices.SortFunc(order, func(a, b string) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b)) })
	var changes []Change
	for _, key := range order {
		a, b := was[key], is[key]
		switch {
		case a == nil:
			a = p.wider(b)
		case b == nil:
			b = next.wider(a)
		}
		c := Change{Gains: missing(a, b), Loses: missing(b, a)}
		if len(c.Gains)+len(c.Loses) == 0 {
			continue
		}
		c.Section, c.Who, _ = strings.Cut(key, " ")
		changes = append(changes, c)
	}
	return append(changes, p.groupOrder(next)...)
}

// rank returns the place of a section among the others.
func rank(key string) int {
	section, _, _ := strings.Cut(key, " ")
	return slices.Index([]string{inIdentities, inUsers, inGroups, inAddresses, inDevices}, section)
}

// wider returns what addresses have where they have no line of their own: that of the longest prefix that has all of them. It
// returns nil for what is not an address.
func (p *Policy) wider(b *binding) *binding {
	if p == nil || b.section != inAddresses {
		return nil
	}
	for _, other := range p.prefixes {
		if other.prefix.Bits() <= b.prefix.Bits() && other.prefix.Contains(b.prefix.Addr()) {
			return other
		}
	}
	return nil
}

// bindings returns the bindings that somebody has, by section and name.
func (p *Policy) bindings() map[string]*binding {
	found := make(map[string]*binding)
	if p == nil {
		return found
	}
	for _, b := range p.all {
		key := b.section + " " + b.who
		if found[key] == nil && !b.idle {
			found[key] = b
		}
	}
	return found
}

// missing returns what b may do and a may not.
func missing(a, b *binding) (texts []string) {
	if b == nil {
		return nil
	}
	for _, v := range verb.All() {
		var have []allowance
		if a != nil {
			have = a.grant.by[v].list
		}
		for _, rule := range simplify(b.grant.by[v].list) {
			if !slices.ContainsFunc(have, func(h allowance) bool { return h.covers(rule) }) {
				texts = append(texts, v.String()+" "+rule.words())
			}
		}
	}
	return texts
}

// groupOrder tells of groups whose order has changed: whoever is in two of them has the roles of the first.
func (p *Policy) groupOrder(next *Policy) []Change {
	if p == nil || next == nil {
		return nil
	}
	names := func(p, other *Policy) (list []string) {
		for _, b := range p.groups {
			if slices.ContainsFunc(other.groups, func(o *binding) bool { return o.who == b.who }) {
				list = append(list, b.who)
			}
		}
		return list
	}
	if was, is := names(p, next), names(next, p); !slices.Equal(was, is) {
		return []Change{{Section: inGroups, Who: "who is in several", Gains: []string{"the roles of the first of " + strings.Join(is, ", ")},
			Loses: []string{"the roles of the first of " + strings.Join(was, ", ")}}}
	}
	return nil
}

// ChangesText returns changes as lines for people.
func ChangesText(changes []Change) string {
	if len(changes) == 0 {
		return "nobody gains or loses anything\n"
	}
	var b strings.Builder
	for _, c := range changes {
		who := safetext.Short(strings.TrimPrefix(c.Section, inIdentities)+" "+c.Who, 120)
		for _, t := range c.Gains {
			fmt.Fprintf(&b, "+ %s: %s\n", strings.TrimSpace(who), safetext.Short(t, 300))
		}
		for _, t := range c.Loses {
			fmt.Fprintf(&b, "- %s: %s\n", strings.TrimSpace(who), safetext.Short(t, 300))
		}
	}
	return b.String()
}
