package access

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sighub/hub/verb"
)

// A world is what a file and the hub's identities say, as plainly as possible. What it decides is found in another way than a Policy does.
type world struct {
	roles     map[string][]modelRule
	named     map[string][]string // by the file
	paired    map[string][]string // by the hub
	gone      []string            // whose credentials were all revoked
	devices   map[string]string   // whose they are, by uid
	lost      map[string]string   // the same of devices that were revoked
	users     map[int][]string
	groups    []modelGroup
	addresses map[string][]string // by prefix
	known     bool
}

type modelRule struct{ verb, sender, name string }

type modelGroup struct {
	id    int
	roles []string
}

// An actor is somebody who wants something.
type actor struct {
	identity string // as a Policy calls it
	roles    func(w *world) []string
}

var globs = make(map[string]*regexp.Regexp)

// glob matches with a regular expression.
func glob(pattern, name string) bool {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '*':
			b.WriteString("(?s:.*)")
		case '\\':
			i++
			fallthrough
		default:
			b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		}
	}
	re, ok := globs[pattern]
	if !ok {
		re = regexp.MustCompile("^" + b.String() + "$")
		globs[pattern] = re
	}
	return re.MatchString(name)
}

// may decides. Nothing is prepared, and nothing is remembered.
func (w *world) may(roles []string, v verb.Verb, sender, name string) bool {
	own := name == "#connect" || name == "#disconnect" || name == "#gap"
	if own && v == verb.Trigger {
		return false
	}
	for _, role := range roles {
		switch role + " " + v.String() {
		case "viewer listen", "operator listen", "operator request", "sender add", "sender trigger":
			return true
		}
		if role == "admin" {
			return true
		}
		for _, r := range w.roles[role] {
			if r.verb != v.String() {
				continue
			}
			matchesSender := v == verb.Admin || sender == "" || glob(r.sender, sender)
			matchesName := v == verb.Admin || v == verb.Add || name == "" || own && v == verb.Listen || glob(r.name, name)
			if matchesSender && matchesName {
				return true
			}
		}
	}
	return false
}

// yaml writes the world as a file.
func (w *world) yaml() string {
	var b strings.Builder
	b.WriteString("roles:\n  idle: []\n")
	for _, name := range sorted(w.roles) {
		fmt.Fprintf(&b, "  %s:\n", name)
		for _, r := range w.roles[name] {
			v, _ := verb.Parse(r.verb)
			switch second := secondKey(v); {
			case v == verb.Admin, r.sender == "*" && r.name == "*":
				fmt.Fprintf(&b, "    - %s\n", r.verb)
			case second == "":
				fmt.Fprintf(&b, "    - %s: {sender: '%s'}\n", r.verb, r.sender)
			default:
				fmt.Fprintf(&b, "    - %s: {sender: '%s', %s: '%s'}\n", r.verb, r.sender, second, r.name)
			}
		}
	}
	section := func(name string, keys []string, roles func(key string) []string) {
		if len(keys) > 0 {
			fmt.Fprintf(&b, "%s:\n", name)
		}
		for _, k := range keys {
			fmt.Fprintf(&b, "  \"%s\": [%s]\n", k, strings.Join(roles(k), ", "))
		}
	}
	section("identities", sorted(w.named), func(k string) []string { return w.named[k] })
	var uids []string
	byUID := make(map[string][]string)
	for uid, roles := range w.users {
		uids, byUID[fmt.Sprint(uid)] = append(uids, fmt.Sprint(uid)), roles
	}
	slices.Sort(uids)
	section("users", uids, func(k string) []string { return byUID[k] })
	var gids []string
	byGID := make(map[string][]string)
	for _, g := range w.groups { // in their order
		gids, byGID[fmt.Sprint(g.id)] = append(gids, fmt.Sprint(g.id)), g.roles
	}
	section("groups", gids, func(k string) []string { return byGID[k] })
	section("addresses", sorted(w.addresses), func(k string) []string { return w.addresses[k] })
	if w.known {
		b.WriteString("devices: known\n")
	}
	return b.String()
}

func sorted[V any](m map[string]V) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (w *world) members() (list []Member) {
	for _, name := range sorted(w.paired) {
		m := Member{Name: name, Roles: w.paired[name], Gone: slices.Contains(w.gone, name)}
		for uid, owner := range w.devices {
			if owner == name && !m.Gone {
				m.Devices = append(m.Devices, uid)
			}
		}
		for _, devices := range []map[string]string{w.lost, w.devices} {
			for uid, owner := range devices {
				if owner == name && !slices.Contains(m.Devices, uid) {
					m.Revoked = append(m.Revoked, uid)
				}
			}
		}
		list = append(list, m)
	}
	return list
}

func (w *world) rolesOf(name string) []string {
	if _, ok := w.paired[name]; !ok || slices.Contains(w.gone, name) {
		return nil // nobody comes under this name
	}
	if roles, ok := w.named[name]; ok {
		return roles
	}
	return w.paired[name]
}

// actors are all kinds of identities.
func actors() []actor {
	named := func(name string) actor {
		return actor{name, func(w *world) []string { return w.rolesOf(name) }}
	}
	user := func(uid int, groups ...int) actor {
		return actor{User(uid, groups), func(w *world) []string {
			if roles, ok := w.users[uid]; ok {
				return roles
			}
			if uid == 0 {
				return []string{"admin"}
			}
			for _, g := range w.groups {
				if slices.Contains(groups, g.id) {
					return g.roles
				}
			}
			return nil
		}}
	}
	device := func(uid string) actor {
		return actor{Device(uid), func(w *world) []string {
			if owner, ok := w.devices[uid]; ok {
				return w.rolesOf(owner)
			}
			if _, lost := w.lost[uid]; lost || w.known {
				return nil
			}
			return []string{"sender"}
		}}
	}
	address := func(text string) actor {
		a := netip.MustParseAddr(text)
		return actor{Address(a), func(w *world) []string {
			best, roles := -1, []string(nil)
			for text, r := range w.addresses {
				if p := netip.MustParsePrefix(text); p.Contains(a.Unmap()) && p.Bits() > best {
					best, roles = p.Bits(), r
				}
			}
			return roles
		}}
	}
	nobody := func(identity string) actor { return actor{identity, func(*world) []string { return nil }} }
	return []actor{
		named("alice"), named("bob"), named("carol"), named("mallory"),
		user(0), user(0, 27), user(1000), user(1000, 20, 27), user(1001, 27, 20), user(1001, 20), user(1002), user(1002, 27, 3, 4), user(1003, 99),
		device("30:AE"), device("unknown"), device("alice"),
		address("192.168.1.40"), address("192.168.1.41"), address("::ffff:192.168.1.40"), address("2001:db8::7"), address("127.0.0.1"),
		nobody(""), nobody("root"), nobody("unix:"), nobody("unix:x"), nobody("address:"), nobody("address:x"), nobody("*"), nobody("alice "), nobody(User(65534, []int{27})),
	}
}

var (
	modelSenders  = []string{"", "light", "greenhouse", "green/1", "*", "green*", "Küche", "a.b", "light2", "alice"}
	modelNames    = []string{"", "lux", "#connect", "#gap", "#dark", "*", "on", "#disconnect", "lux2"}
	modelPatterns = []string{"*", "light", "green*", "*house", "gr*h*e", `\*`, `green\*`, "Küche", "lux", "#*", "#connect", "l*", "a.b"}
)

// check holds a Policy against the world, for all cells, and returns how many there were.
func (w *world) check(t rapid.TB, p *Policy) (cells int) {
	t.Helper()
	for _, a := range actors() {
		roles := a.roles(w)
		class := p.Class(a.identity)
		for _, sender := range modelSenders {
			for _, name := range modelNames {
				for _, v := range verb.All() {
					cells++
					want := w.may(roles, v, sender, name)
					got, rule := p.May(a.identity, v, sender, name)
					if got != want || got != (rule != "") {
						t.Fatalf("%s may %s %q %q: %v by %q, want %v, in\n%s%v", a.identity, v, sender, name, got, rule, want, w.yaml(), w.members())
					}
					if e := p.Explain(a.identity, v, sender, name); e.Allowed != want || e.Rule != rule || e.String() == "" {
						t.Fatalf("it is explained otherwise: %+v", e)
					}
				}
				if sender != "" && name != "" {
					bits := p.Hears(sender, name)
					if got, want := bits[class/64]&(1<<(class%64)) != 0, w.may(roles, verb.Listen, sender, name); got != want {
						t.Fatalf("%s hears %q %q: %v, want %v, in\n%s", a.identity, sender, name, got, want, w.yaml())
					}
				}
			}
		}
		if class == 0 != !w.may(roles, verb.Listen, "", "") {
			t.Fatalf("%s has the class %d", a.identity, class)
		}
	}
	for _, sender := range modelSenders {
		if p.Hears(sender, "lux")[0]&1 != 0 {
			t.Fatal("nobody hears something")
		}
	}
	return cells
}

// TestMatrix: every role, verb and kind of pattern, for every kind of identity, against the model; and the same once more after the
// same file was loaded again.
func TestMatrix(t *testing.T) {
	cells := 0
	for _, v := range verb.All() {
		for i, sender := range modelPatterns {
			name := modelPatterns[(i*5+3)%len(modelPatterns)]
			if own := name == "#connect" && v == verb.Trigger; own {
				name = "on"
			}
			w := &world{
				roles: map[string][]modelRule{"one": {{v.String(), sender, name}}, "two": {{v.String(), name, "*"}, {"listen", "light", "lux"}}},
				named: map[string][]string{"alice": {"one"}}, paired: map[string][]string{"alice": {"admin"}, "bob": {"two", "viewer"}, "carol": {"gone"}},
				devices: map[string]string{"30:AE": "bob"}, users: map[int][]string{1000: {"two"}}, groups: []modelGroup{{20, []string{"one"}}, {27, []string{"operator"}}},
				addresses: map[string][]string{"192.168.1.0/24": {"one"}, "192.168.1.40/32": {"sender"}, "2001:db8::/32": {"two", "one"}}, known: i%2 == 0,
			}
			if v == verb.Add && strings.HasPrefix(name, "#") {
				w.roles["two"] = w.roles["two"][1:]
			}
			for range 2 {
				cells += w.check(t, compile(t, w.yaml(), w.members()...))
			}
		}
	}
	t.Logf("%d cells", cells)
}

// TestRandomWorlds: any rules, bindings and identities, against the model; and what a dry run says is what changes.
func TestRandomWorlds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, after := drawWorld(t), drawWorld(t)
		p, next := compileWorld(t, before), compileWorld(t, after)
		before.check(t, p)
		if changes := p.Diff(p); len(changes) > 0 {
			t.Fatalf("nothing has changed, but %+v", changes)
		}
		// Whoever may do something under one of them alone gains or loses it. The same name is bound under both, or it is somebody new.
		changes := p.Diff(next)
		for identity, key := range map[string]string{
			"alice": "identities alice", "bob": "identities bob", "carol": "identities carol", "address:192.168.1.40": "addresses 192.168.1.40/32",
		} {
			i := slices.IndexFunc(changes, func(c Change) bool { return c.Section+" "+c.Who == key })
			if p.bindings()[key] == nil && next.bindings()[key] == nil {
				continue // a wider prefix has it under both
			}
			gains, loses := false, false
			for _, v := range verb.All() {
				for _, sender := range modelSenders[1:] {
					for _, n := range modelNames[1:] {
						was, _ := p.May(identity, v, sender, n)
						is, _ := next.May(identity, v, sender, n)
						gains, loses = gains || !was && is, loses || was && !is
					}
				}
			}
			if gains && (i < 0 || len(changes[i].Gains) == 0) || loses && (i < 0 || len(changes[i].Loses) == 0) {
				t.Fatalf("%s gains %v, loses %v: %+v\n%s\n%s", key, gains, loses, changes, before.yaml(), after.yaml())
			}
		}
		if len(p.Matrix()) == 0 || MatrixText(p.Matrix()) == "" || ChangesText(changes) == "" {
			t.Fatal("there is no text")
		}
	})
}

func compileWorld(t *rapid.T, w *world) *Policy {
	r, err := Parse("access.yaml", []byte(w.yaml()))
	if err != nil {
		t.Fatalf("%v in\n%s", err, w.yaml())
	}
	p, err := Compile(r, w.members(), machine)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func drawWorld(t *rapid.T) *world {
	w := &world{
		roles: make(map[string][]modelRule), named: make(map[string][]string), paired: make(map[string][]string),
		devices: make(map[string]string), lost: make(map[string]string),
		users: make(map[int][]string), addresses: make(map[string][]string), known: rapid.Bool().Draw(t, "known"),
	}
	patterns := rapid.SampledFrom(modelPatterns)
	for i := range rapid.IntRange(0, 3).Draw(t, "roles") {
		name := fmt.Sprint("role", i)
		w.roles[name] = []modelRule{}
		for range rapid.IntRange(0, 4).Draw(t, "rules") {
			r := modelRule{rapid.SampledFrom(verb.Words()).Draw(t, "verb"), patterns.Draw(t, "sender"), patterns.Draw(t, "name")}
			if r.verb == "trigger" && r.name == "#connect" {
				r.name = "*"
			}
			w.roles[name] = append(w.roles[name], r)
		}
	}
	roles := append(sorted(w.roles), builtInRoles()...)
	some := func() []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(roles), 0, 3, rapid.ID[string]).Draw(t, "of roles")
	}
	for _, name := range []string{"alice", "bob", "carol"} {
		if rapid.Bool().Draw(t, "named") {
			w.named[name] = some()
		}
		if rapid.Bool().Draw(t, "paired") {
			w.paired[name] = some()
			if rapid.Bool().Draw(t, "device") {
				w.devices["30:AE"] = name
			}
			if rapid.Bool().Draw(t, "lost") {
				w.lost["unknown"] = name
			}
			if rapid.IntRange(0, 3).Draw(t, "gone") == 0 {
				w.gone = append(w.gone, name)
			}
		}
	}
	for _, uid := range []int{0, 1000, 1001} {
		if rapid.Bool().Draw(t, "user") {
			w.users[uid] = some()
		}
	}
	for _, gid := range rapid.SliceOfNDistinct(rapid.SampledFrom([]int{20, 27, 3}), 0, 3, rapid.ID[int]).Draw(t, "groups") {
		w.groups = append(w.groups, modelGroup{gid, some()})
	}
	for _, p := range []string{"0.0.0.0/0", "192.168.1.0/24", "192.168.1.40/32", "2001:db8::/64"} {
		if rapid.Bool().Draw(t, "prefix") {
			w.addresses[p] = some()
		}
	}
	return w
}
