//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"sighub/access/identities"
	"sighub/internal/guard"
)

// The forms of a siege: the hub has no rules, or it has some, and the attackers are not let in, or are let in and may do little.
const (
	formOpen      = "open"
	formStrangers = "strangers"
	formMembers   = "members"
)

// forms are all of them.
func forms() []string { return []string{formOpen, formStrangers, formMembers} }

// tokenVariable tells a role by which token the hub knows it. The command line of a process can be read by all.
const tokenVariable = "SIEGE_TOKEN"

// The identities: of those who behave well, and of the attackers.
const (
	wellName = "well"
	fewName  = "few"
)

const accessRules = `roles:
  few:
    - add: {sender: "few*"}
    - trigger: {sender: "few*", event: "*"}
    - listen: {sender: prey, event: tick}
    - request: {sender: prey, method: "*"}
identities: {well: admin, few: few}
`

// A passes has the tokens of a hub; empty ones if it has no rules.
type passes struct{ well, few string }

// guard has a hub that will have its state in dir/state be guarded, and returns what to add to its command line.
func (o *options) guard(dir string) (args []string, p passes, err error) {
	if o.form == formOpen {
		return nil, p, nil
	}
	rules := filepath.Join(dir, "access.yaml")
	if err := os.WriteFile(rules, []byte(accessRules), 0o600); err != nil {
		return nil, p, err
	}
	store, err := identities.Open(guard.Folder(filepath.Join(dir, "state")), identities.Options{})
	if err != nil {
		return nil, p, err
	}
	var fewErr error
	p.well, err = store.AddToken(wellName, []string{"admin"}, "")
	p.few, fewErr = store.AddToken(fewName, []string{"admin"}, "") // the rules say less
	if o.form == formStrangers {
		p.few = ""
	}
	return []string{"--access", rules}, p, errors.Join(err, fewErr, store.Close())
}

// source16 returns one of many addresses of attackers: beyond the wires of a siege in namespaces, else of the loopback interface.
func (t *target) source16(n int) string {
	net := "127.66"
	if t.far != "" {
		net = "10.98"
	}
	return fmt.Sprintf("%s.%d.%d", net, n>>8&255, n&255)
}

// hasFar reports whether attackers come from another machine, or what looks like one. A hub without rules lets none of them in.
func (o *options) hasFar() bool { return o.far != "" && o.form != formOpen }
