package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sighub/access"
	"sighub/access/identities"
	"sighub/access/methods"
	"sighub/carrier"
	"sighub/hub"
	"sighub/hub/verb"
	"sighub/internal/address"
	"sighub/internal/plain"
	"sighub/internal/terminal"
)

// owner connects to the hub and calls use with the methods by which its owner sees and changes who may do what.
func (f *hubFlags) owner(ctx context.Context, s *streams, name string, use func(context.Context, methods.Client) error) error {
	return f.with(ctx, s, name, func(ctx context.Context, r *hub.ClientRouter) error { return use(ctx, methods.Client{Caller: r}) })
}

type canCommand struct {
	hubFlags
	Who    string `arg:"" optional:"" help:"Who: a name, user:NAME of the hub's machine, device:UID, an IP address, or me. Without it: who you are."`
	Verb   string `arg:"" optional:"" help:"add, trigger, listen, request or admin."`
	Sender string `arg:"" optional:"" help:"The sender. Default: any."`
	Name   string `arg:"" optional:"" help:"The event or the method. Default: any."`
	All    bool   `help:"Print what everybody may do."`
	Output string `short:"o" enum:"text,json" default:"text" help:"text, or json: one object a line."`
}

// Help is what --help says in full.
func (*canCommand) Help() string {
	return `It asks the hub, by the rules that are in force there, and names the file and the line that decide. It exits with 0 if the answer is yes,
and with 1 if it is no. What a file would allow that is not in force yet, ` + "`sighub check --access FILE`" + ` says.

Examples:

    sighub can
    sighub can alice listen light lux
    sighub can user:pi request pump on
    sighub can 192.168.1.40 listen
    sighub can --all`
}

// errNo is the error of an answer that is no. It is told already.
var errNo = errors.New("no")

// Run asks the hub.
func (c *canCommand) Run(ctx context.Context, s *streams) error {
	switch {
	case c.All && c.Who != "":
		return usageError{errors.New("--all is for everybody: leave out who, or --all")}
	case c.Who != "" && c.Verb == "":
		return usageError{fmt.Errorf("what is missing: write sighub can %s, and then %s", c.Who, strings.Join(verb.Words(), ", "))}
	}
	if _, err := verb.Parse(c.Verb); c.Verb != "" && err != nil {
		return usageError{err}
	}
	return c.owner(ctx, s, "sighub can", func(ctx context.Context, m methods.Client) error {
		switch {
		case c.All:
			return c.printAll(ctx, s, m)
		case c.Who == "":
			return c.printSelf(ctx, s, m)
		}
		answer, err := m.Explain(ctx, methods.Question{Who: c.Who, Verb: c.Verb, Sender: c.Sender, Name: c.Name})
		if err != nil {
			return err
		}
		if c.Output == "json" {
			err = terminal.JSON(s.out, []methods.Answer{answer})
		} else {
			err = terminal.Line(s.out, "%s", answer.Text)
		}
		if err == nil && !answer.Allowed {
			err = errNo
		}
		return err
	})
}

func (c *canCommand) printAll(ctx context.Context, s *streams, m methods.Client) error {
	table, err := m.Matrix(ctx)
	if err != nil {
		return err
	}
	if c.Output == "json" {
		return terminal.JSON(s.out, table.Rows)
	}
	if table.Pending != "" {
		s.note("%s", table.Pending)
	}
	for _, w := range table.Warnings {
		s.note("warning: %s", w)
	}
	return printMatrix(s, table.Rows)
}

// printMatrix prints what everybody may do.
func printMatrix(s *streams, rows []access.Row) error {
	var cells [][]string
	for _, r := range rows {
		row := []string{who(r.Section, r.Who), orDash(r.Roles)}
		for _, v := range verb.All() {
			may := strings.Join(r.May[v.String()], "; ")
			if may == "" {
				may = "-"
			}
			row = append(row, may)
		}
		cells = append(cells, append(row, r.Place))
	}
	return terminal.Table(s.out, "WHO\tROLES\t"+strings.ToUpper(strings.Join(verb.Words(), "\t"))+"\tBY", cells)
}

// who returns somebody of a section of the rules, as sighub can takes it.
func who(section, name string) string {
	switch section {
	case "users":
		return "user:" + name
	case "groups":
		return "group " + name
	case "addresses":
		return "address " + name
	case "devices":
		return "device " + name
	}
	return name
}

func (c *canCommand) printSelf(ctx context.Context, s *streams, m methods.Client) error {
	self, err := m.WhoAmI(ctx)
	if err != nil {
		return err
	}
	if c.Output == "json" {
		return terminal.JSON(s.out, []methods.Self{self})
	}
	if self.Open {
		return terminal.Line(s.out, "this hub has no access control, so everybody who reaches it may do everything: `sudo sighub setup` on its machine sets it up")
	}
	return terminal.Line(s.out, "%s", sayWho(&self))
}

// sayWho says who somebody is for the hub.
func sayWho(self *methods.Self) string {
	switch {
	case self.Place == "":
		return fmt.Sprintf("you are %s for this hub, and nothing gives you a role", self.Text)
	case len(self.Roles) == 0:
		return fmt.Sprintf("you are %s for this hub, without a role, by %s", self.Text, self.Place)
	}
	return fmt.Sprintf("you are %s for this hub, with the role %s, by %s", self.Text, strings.Join(self.Roles, ", "), self.Place)
}

// explainDenied adds to an error of what is not allowed who this is for the hub, and how to find out more.
func (f *hubFlags) explainDenied(ctx context.Context, r *hub.ClientRouter, err error) error {
	if !errors.Is(err, carrier.ErrDenied) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	self, whoErr := methods.Client{Caller: r}.WhoAmI(ctx)
	if whoErr != nil || self.Open {
		return err
	}
	role := "without a role"
	if len(self.Roles) > 0 {
		role = strings.Join(self.Roles, ", ")
	}
	return deniedError{fmt.Sprintf("%s (%s) %s: an admin sees why with `sighub can %s %s`, and changes it in %s", self.Text, role, deniedWhat(err), self.Who,
		cmp.Or(f.wants, verb.Admin.String()), self.File), err}
}

// A deniedError is of the kind carrier.ErrDenied, in words of its own.
type deniedError struct {
	text string
	err  error
}

func (e deniedError) Error() string { return e.text }
func (e deniedError) Unwrap() error { return e.err }

// deniedWhat returns what somebody may not do, in the words of the hub, without those about the client and the remedy.
func deniedWhat(err error) string {
	_, text, ok := strings.Cut(err.Error(), "this client may not ")
	if !ok {
		return "may not do that (" + plain.Text(err.Error()) + ")"
	}
	if i := strings.LastIndex(text, ": a rule "); i >= 0 {
		text = text[:i]
	}
	return "may not " + text
}

// deniedLogin returns the error of a hub that does not let this client in, in the words that are meant for it.
func deniedLogin(addr address.Address, err error) error {
	text := err.Error()
	if _, told, ok := strings.Cut(text, plain.Text(carrier.ErrDenied.Error())+": "); ok {
		text = told
	}
	return deniedError{fmt.Sprintf("the hub at %s does not let you in: %s", addr, plain.Text(text)), err}
}

// wanted returns what is wanted of a hub, as people type it behind sighub can WHO.
func wanted(v verb.Verb, names ...string) string {
	words := []string{v.String()}
	for _, name := range names {
		if name == "" || strings.ContainsAny(name, "*?") {
			break // any
		}
		words = append(words, shellWord(name))
	}
	return strings.Join(words, " ")
}

// shellWord returns a text as a shell takes it for one word.
func shellWord(text string) string {
	if text != "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%+,=") == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

type reloadCommand struct {
	hubFlags
	DryRun bool   `short:"n" help:"Only say what would change."`
	Output string `short:"o" enum:"text,json" default:"text" help:"text, or json: one object."`
}

// Help is what --help says in full.
func (*reloadCommand) Help() string {
	return `The hub reads the file with the rules again, and puts them into force at once: who loses something is cut off from it. It prints
who gains (+) and who loses (-) what. If the file has a fault, what was in force stays in force, and it exits with 1.

The configuration is read again on SIGHUP (` + "`systemctl reload sighub`" + `), together with these rules.

Examples:

    sighub reload --dry-run
    sighub reload`
}

// Run has the hub reload its rules.
func (c *reloadCommand) Run(ctx context.Context, s *streams) error {
	return c.owner(ctx, s, "sighub reload", func(ctx context.Context, m methods.Client) error {
		r, err := m.Reload(ctx, methods.Reloading{DryRun: c.DryRun})
		if err != nil {
			return err
		}
		var faults []error
		for _, f := range r.Faults {
			faults = append(faults, errors.New(plain.Text(f)))
		}
		if len(faults) > 0 {
			faults = append(faults, errors.New("what was in force before stays in force"))
		}
		if c.Output == "json" {
			return errors.Join(terminal.JSON(s.out, []methods.Reloaded{r}), errors.Join(faults...))
		}
		if len(faults) > 0 {
			return errors.Join(faults...)
		}
		for _, w := range r.Warnings {
			s.note("warning: %s", w)
		}
		for _, line := range r.Unknown {
			s.note("%s", line)
		}
		return printChanges(s, r.Changes)
	})
}

// printChanges prints who gains and who loses what.
func printChanges(s *streams, changes []access.Change) error {
	for line := range strings.Lines(access.ChangesText(changes)) {
		if err := terminal.Line(s.out, "%s", strings.TrimRight(line, "\n")); err != nil {
			return err
		}
	}
	return nil
}

// checkAccess prints what the rules in a file allow, or what is wrong with them. folder has the identities; empty: nobody is known.
func checkAccess(s *streams, file, folder string) error {
	rules, err := access.Load(file)
	if err != nil {
		return usageError{err}
	}
	var members []access.Member
	if folder != "" {
		list, err := identities.Read(folder)
		if err != nil {
			return err
		}
		for _, id := range list {
			if id.Active() {
				members = append(members, access.Member{Name: id.Name, Roles: id.Roles, Devices: id.Devices()})
			}
		}
	}
	policy, err := access.Compile(rules, members, access.System{})
	if err != nil {
		return err
	}
	for _, w := range append(rules.Warnings(), policy.Warnings()...) {
		s.note("%s: warning: %s", w.Place(), w.Message)
	}
	rows := policy.Matrix()
	for _, line := range access.Unknown(rows) {
		s.note("%s", line)
	}
	if folder == "" {
		s.note("whom the hub knows by a key, a token, a password or a device is not looked at: --state DIR names the folder of the hub")
	}
	return printMatrix(s, rows)
}
