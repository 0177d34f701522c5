package access

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"sighub/access/internal/pattern"
	"sighub/access/internal/trusted"
	"sighub/hub/verb"
	"sighub/internal/yamlfile"
)

// Load reads a file that nobody but root and the user of this process can have written. The error says why it could not be read, or
// joins a *yamlfile.Error for each mistake in it.
func Load(file string) (*Rules, error) {
	data, _, err := trusted.Read(file, yamlfile.MaxFile)
	if err != nil {
		return nil, err
	}
	return Parse(file, data)
}

// Parse reads rules; errors name file, and join a *yamlfile.Error for each mistake, in the order of the lines. A file without content
// is a mistake: it may be half written. {} is a file in which nobody has a role.
func Parse(file string, data []byte) (*Rules, error) {
	d := decoder{yamlfile.New(file), &Rules{File: file, roles: make(map[string][]rule), lines: make(map[string]int)}}
	root := d.Parse(data)
	switch {
	case root != nil:
		d.file(root)
	case d.Found() == 0:
		d.FailAt(1, 1, "the file is empty: write who may do what, or {} if nobody is to have a role")
	}
	if err := d.Faults(); err != nil {
		return nil, err
	}
	sortPrefixes(d.rules.addresses)
	d.rules.warnings = d.Warnings()
	return d.rules, nil
}

type decoder struct {
	*yamlfile.Decoder
	rules *Rules
}

// file decodes the whole. Roles come first, wherever they are, because the rest names them.
func (d *decoder) file(n ast.Node) {
	var bindings []func()
	later := func(key string, list *[]bound, what string) yamlfile.Field {
		return yamlfile.Key(key, func(n ast.Node) {
			bindings = append(bindings, func() { d.bindings(n, key, what, list) })
		})
	}
	var addresses []bound
	d.Mapping(n, "the access file",
		yamlfile.Key("roles", d.roles),
		later("identities", &d.rules.identities, "an identity"),
		later("users", &d.rules.users, "a user"),
		later("groups", &d.rules.groups, "a group"),
		later("addresses", &addresses, "an address"),
		yamlfile.Key("devices", d.devices),
	)
	for _, decode := range bindings {
		decode()
	}
	for _, b := range addresses {
		p, _ := parsePrefix(b.who)
		d.rules.addresses = append(d.rules.addresses, prefix{p, b})
	}
}

// entries calls f for each key of a mapping whose keys people choose.
func (d *decoder) entries(n ast.Node, what, example string, f func(name string, key, value ast.Node)) {
	if yamlfile.IsNull(n) { // all entries commented out
		return
	}
	m, ok := n.(ast.MapNode)
	if !ok {
		d.Fail(n, "%s is %s: write a mapping such as %s", what, yamlfile.Describe(n), example)
		return
	}
	lines := make(map[string]int)
	for it := m.MapRange(); it.Next(); {
		if key := it.Key(); d.First(key, lines) {
			d.Value(it.Value(), func(value ast.Node) { f(yamlfile.KeyName(key), key, value) })
		}
	}
}

func (d *decoder) roles(n ast.Node) {
	d.entries(n, "roles", `{gardener: [{listen: {sender: "green*", event: "*"}}]}`, func(name string, key, value ast.Node) {
		if !d.Check(key, CheckName(name)) {
			return
		}
		if builtIn(name) != nil {
			d.Fail(key, "the role %s is built in: choose another name", name)
			return
		}
		d.rules.lines[name], _ = yamlfile.Place(key.GetToken())
		d.rules.roles[name] = []rule{}
		d.Items(value, "a role", func(n ast.Node) {
			d.rules.roles[name] = append(d.rules.roles[name], d.rule(n)...)
		})
		if len(d.rules.roles[name]) == 0 {
			d.Warn(key, "the role %s allows nothing", name)
		}
	})
}

// rule decodes an entry of a role: a verb, or a mapping of verbs to patterns.
func (d *decoder) rule(n ast.Node) (rules []rule) {
	if m, ok := n.(ast.MapNode); ok {
		lines := make(map[string]int)
		for it := m.MapRange(); it.Next(); {
			if key := it.Key(); d.First(key, lines) {
				d.Value(it.Value(), func(value ast.Node) {
					if v, err := verb.Parse(yamlfile.KeyName(key)); d.Check(key, err) {
						rules = append(rules, d.patterns(v, key, value))
					}
				})
			}
		}
		return rules
	}
	text, ok := d.Text(n, "a rule")
	if !ok {
		return nil
	}
	v, err := verb.Parse(text)
	if !d.Check(n, err) {
		return nil
	}
	line, _ := yamlfile.Place(n.GetToken())
	return []rule{{verb: v, sender: anything(), name: anything(), line: line}}
}

// patterns decodes what a verb is allowed for.
func (d *decoder) patterns(v verb.Verb, key, n ast.Node) rule {
	r := rule{verb: v, sender: anything(), name: anything()}
	r.line, _ = yamlfile.Place(key.GetToken())
	if yamlfile.IsNull(n) {
		d.Fail(key, "%s has no pattern: write - %s if all is meant, or %s: %s", v, v, v, example(v))
		return r
	}
	found, second := make(map[string]bool), secondKey(v)
	field := func(key string, p *pattern.Pattern) yamlfile.Field {
		return yamlfile.Key(key, func(n ast.Node) {
			found[key] = true
			*p = d.pattern(n, key)
		})
	}
	fields := []yamlfile.Field{field("sender", &r.sender)}
	switch {
	case v == verb.Admin:
		d.Fail(n, "admin has no pattern: write - admin")
		return r
	case second != "":
		fields = append(fields, field(second, &r.name))
	}
	if _, ok := n.(ast.MapNode); !ok {
		d.Fail(n, "%s is %s: write %s: %s", v, yamlfile.Describe(n), v, example(v))
		return r
	}
	before := d.Found()
	d.Mapping(n, v.String(), fields...)
	for _, f := range fields {
		if !found[f.Key] && d.Found() == before {
			d.Fail(n, `%s does not say which %s: write %s: "*" if all are meant`, v, f.Key, f.Key)
		}
	}
	if v == verb.Trigger {
		if name, exact := r.name.Exact(); exact && isOwn(name) {
			d.Fail(n, "%s is an event of the hub itself, which nobody may trigger: remove the rule", name)
		}
	}
	return r
}

// secondKey returns the key of a rule's second pattern; empty: the verb has one pattern at most.
func secondKey(v verb.Verb) string {
	switch v {
	case verb.Trigger, verb.Listen:
		return "event"
	case verb.Request:
		return "method"
	}
	return ""
}

func example(v verb.Verb) string {
	if second := secondKey(v); second != "" {
		return `{sender: "green*", ` + second + `: "*"}`
	}
	return `{sender: "green*"}`
}

func (d *decoder) pattern(n ast.Node, what string) pattern.Pattern {
	var text string
	switch v := n.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode: // a name may be a number
		text = n.GetToken().Value
	case *ast.StringNode:
		text = v.Value
	default:
		var ok bool
		if text, ok = d.Text(n, what); !ok {
			return pattern.Pattern{}
		}
	}
	p, err := pattern.Parse(text)
	if err != nil {
		d.Fail(n, "%s %q is not a pattern: %s", what, text, err)
	}
	return p
}

func anything() pattern.Pattern {
	p, _ := pattern.Parse("*") // it is one
	return p
}

// bindings decodes who has which roles.
func (d *decoder) bindings(n ast.Node, section, what string, list *[]bound) {
	d.entries(n, section, "{"+sample(section)+": viewer}", func(name string, key, value ast.Node) {
		switch section {
		case "identities":
			if !d.Check(key, CheckName(name)) {
				return
			}
		case "addresses":
			p, err := parsePrefix(name)
			if err != nil {
				d.Fail(key, "%q is not an address: write an IP address such as 192.168.1.40, or a prefix such as 192.168.1.0/24", name)
				return
			}
			if i := slices.IndexFunc(*list, func(b bound) bool { other, _ := parsePrefix(b.who); return other == p }); i >= 0 {
				d.Fail(key, "%s is already on line %d: remove one of them", p, (*list)[i].line)
				return
			}
		default:
			if name == "" || strings.ContainsAny(name, ": \\") {
				d.Fail(key, "%q is not %s of this machine: write its name or its number", name, what)
				return
			}
		}
		b := bound{who: name}
		b.line, _ = yamlfile.Place(key.GetToken())
		role := func(n ast.Node) {
			text, ok := d.Text(n, "a role")
			if !ok || !d.Check(n, d.rules.CheckRole(text)) {
				return
			}
			if slices.Contains(b.roles, text) {
				d.Fail(n, "the role %s is there twice: remove one", text)
				return
			}
			b.roles = append(b.roles, text)
		}
		if _, one := value.(*ast.StringNode); one {
			role(value)
		} else if yamlfile.IsNull(value) {
			d.Fail(key, "%s has no role: write one, such as %s: viewer, or remove the line", name, name)
		} else {
			d.Items(value, "the roles of "+name, role)
		}
		*list = append(*list, b)
	})
}

func sample(section string) string {
	return map[string]string{"identities": "alice", "users": "pi", "groups": "sighub", "addresses": "192.168.1.40"}[section]
}

// parsePrefix reads an address, or a prefix, which stands for all addresses that begin with it.
func parsePrefix(text string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		const mapped = 96 // bits before an IPv4 address that is written as one of IPv6
		if p.Addr().Is4In6() && p.Bits() >= mapped {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped)
		}
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	a = a.Unmap().WithZone("")
	return a.Prefix(a.BitLen())
}

func (d *decoder) devices(n ast.Node) {
	text, ok := d.Text(n, "devices")
	if !ok {
		return
	}
	switch text {
	case "any", "known":
		d.rules.known = text == "known"
		d.rules.devices, _ = yamlfile.Place(n.GetToken())
	default:
		d.Fail(n, "devices is %q: write any, or known if only those are to be let in that the hub knows", text)
	}
}
