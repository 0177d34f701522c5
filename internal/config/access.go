package config

import (
	"errors"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"sighub/internal/address"
	"sighub/internal/yamlfile"
)

// Access says where it is written who may do what. If it is zero, everybody may do everything who reaches the hub.
type Access struct {
	Rules string // the file
	Audit string // the file of what was refused and changed; empty: in the folder of the state
	Quiet bool   // there is no such file
}

// AccessPlace is the place of access in a file.
const AccessPlace = "access"

// auditOff is the value of audit that stands for no file.
const auditOff = "off"

func (d *decoder) access(n ast.Node, a *Access) {
	if yamlfile.IsNull(n) {
		d.Fail(n, "access is empty: write the file with the rules, such as /etc/sighub/access.yaml, or remove this line, and everybody who reaches "+
			"the hub may do everything")
		return
	}
	d.seen[AccessPlace], _ = yamlfile.Place(n.GetToken())
	if _, isMap := n.(ast.MapNode); !isMap {
		d.path(n, "access", &a.Rules)
		return
	}
	before := d.Found()
	d.Mapping(n, "access",
		yamlfile.Key("rules", func(n ast.Node) { d.path(n, "rules", &a.Rules) }),
		yamlfile.Key("audit", func(n ast.Node) {
			if text, ok := d.word(n, "audit"); ok && text == auditOff {
				a.Quiet = true
			} else if ok {
				d.path(n, "audit", &a.Audit)
			}
		}),
	)
	if a.Rules == "" && d.Found() == before {
		d.Fail(n, "access names no rules: write rules: and the file, such as /etc/sighub/access.yaml")
	}
}

// path reads the path of a file.
func (d *decoder) path(n ast.Node, what string, v *string) {
	switch text, ok := d.Text(n, what); {
	case !ok:
	case strings.HasPrefix(text, "~"):
		d.Fail(n, "%s %s: ~ has no meaning here: write the full path", what, text)
	default:
		*v = text
	}
}

// CheckExposed returns an error for each address that other machines reach although there are no rules, unless it says that this is
// meant. It is called when nothing else is added to the configuration.
func (c *Config) CheckExposed() error {
	if c.Access.Rules != "" {
		return nil
	}
	var errs []error
	for _, a := range c.Listen {
		if exposed(a) {
			e := c.Warn(AddressPlace(a.String()), "%s can be reached from other machines, and everybody there could read and send: write access: with a "+
				"file of rules (docs/access.md), or tcp://127.0.0.1 for this machine alone; if everybody shall, write insecure: true at the address, "+
				"or --listen '%s?insecure=true'", a, a)
			if c.file == "" || e.Line == 0 { // it is of the command line
				errs = append(errs, errors.New(e.Message))
				continue
			}
			errs = append(errs, e)
		}
	}
	return errors.Join(errs...)
}

func exposed(a address.Address) bool { return !a.Local() && !a.Insecure }
