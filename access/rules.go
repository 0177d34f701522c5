package access

import (
	"fmt"
	"net/netip"
	"slices"
	"sort"

	"sighub/access/internal/naming"
	"sighub/access/internal/pattern"
	"sighub/hub/verb"
	"sighub/internal/yamlfile"
)

// Rules are what the file says.
type Rules struct {
	File string

	roles      map[string][]rule // those of the file, by name
	lines      map[string]int    // of the roles
	identities []bound
	users      []bound // by name or number
	groups     []bound
	addresses  []prefix
	known      bool // only devices that the hub knows may come
	devices    int  // the line that says which devices may come; 0: none does

	warnings []*yamlfile.Error
}

// Warnings returns what the file says that is not a mistake, but is unlikely to work.
func (r *Rules) Warnings() []*yamlfile.Error { return r.warnings }

// A rule allows one thing.
type rule struct {
	verb   verb.Verb
	sender pattern.Pattern
	name   pattern.Pattern // of an event or a method; any, where the verb needs none
	line   int
}

// A bound says which roles somebody has.
type bound struct {
	who   string
	roles []string
	line  int
}

type prefix struct {
	netip.Prefix
	bound
}

// The roles that are built in.
const (
	Viewer        = "viewer"
	Operator      = "operator"
	Sender        = "sender"
	Administrator = "admin"
)

// builtIn returns what a built-in role allows; nil for any other name.
func builtIn(role string) []verb.Verb {
	switch role {
	case Viewer:
		return []verb.Verb{verb.Listen}
	case Operator:
		return []verb.Verb{verb.Listen, verb.Request}
	case Sender:
		return []verb.Verb{verb.Add, verb.Trigger}
	case Administrator:
		return verb.All()
	}
	return nil
}

func builtInRoles() []string { return []string{Viewer, Operator, Sender, Administrator} }

// Roles returns the names of all roles that somebody may have.
func (r *Rules) Roles() []string {
	own := make([]string, 0, len(r.roles))
	for name := range r.roles {
		own = append(own, name)
	}
	slices.Sort(own)
	return append(builtInRoles(), own...)
}

// CheckRole says why nobody can have a role, and which ones there are.
func (r *Rules) CheckRole(role string) error {
	if _, own := r.roles[role]; own || builtIn(role) != nil {
		return nil
	}
	return fmt.Errorf("there is no role %q: write %s, or add it to roles in %s", role, yamlfile.OrList(r.Roles()), r.File)
}

// CheckName says why a text cannot be the name of an identity or a role: a name has small letters, digits, and within it - _ . too.
// So no two names look alike, and a name is not taken for a user, a device or an address.
func CheckName(name string) error { return naming.Check(name) }

// sortPrefixes brings the longest prefixes to the front.
func sortPrefixes(list []prefix) {
	sort.SliceStable(list, func(i, j int) bool { return list[i].Bits() > list[j].Bits() })
}
