package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"sighub/access/identities"
	"sighub/access/methods"
	"sighub/cmd/sighub/internal/secret"
	"sighub/internal/address"
	"sighub/internal/safetext"
	"sighub/internal/terminal"
)

type pairCommand struct {
	hubFlags
	Name    string   `arg:"" help:"How the hub is to call it: small letters, digits, and - _ . within."`
	Role    []string `short:"r" placeholder:"ROLE" help:"What it may do: viewer, operator, sender, admin, or a role of the rules. May be repeated. Default: what the rules say of the name, else viewer."`
	Token   bool     `xor:"kind" help:"Make a token instead, for scripts and other programs, and print it."`
	Device  string   `xor:"kind" placeholder:"UID" help:"Let a device in instead, if the rules say devices: known."`
	Cancel  bool     `xor:"kind" help:"Take the invitation back."`
	Label   string   `placeholder:"TEXT" help:"With --token: where it is used, for people to read."`
	Address string   `placeholder:"HOST:PORT" help:"How the other machine reaches the hub. Default: what the hub finds."`
	DryRun  bool     `short:"n" help:"Only check whether it could be done, and say what would be."`
	Output  string   `short:"o" enum:"text,json" default:"text" help:"text, or json: one object."`
}

// Help is what --help says in full.
func (*pairCommand) Help() string {
	return `It prints one line to type on the other machine, and the same as a QR code on a terminal. The line is a secret: whoever types it first is
let in. It is good for 10 minutes, for 5 tries, and once. Another one for the same name takes its place.

` + "`sighub revoke NAME`" + ` undoes it, and ` + "`sighub identities`" + ` shows who was let in.

Examples:

    sighub pair laptop
    sighub pair alice --role operator
    sighub pair laptop --cancel
    sighub pair homeassistant --token --role viewer
    sighub pair greenhouse --device f300f10844ecfc75`
}

// Run invites somebody.
func (c *pairCommand) Run(ctx context.Context, s *streams) error {
	if c.Label != "" && !c.Token {
		return usageError{errors.New("--label is for tokens: who joins says itself where it is")}
	}
	return c.owner(ctx, s, "sighub pair", func(ctx context.Context, m methods.Client) error {
		g := methods.Grant{Name: c.Name, Roles: c.Role, Address: c.Address, Label: c.Label, UID: c.Device, DryRun: c.DryRun}
		var (
			done methods.Invited
			err  error
		)
		if a, wrong := address.ParseHub(c.Hub); wrong == nil && c.Address == "" && a.Network != "unix" && !a.Local() {
			g.Address = a.Addr // it is reached there
		}
		switch {
		case c.Cancel && c.DryRun:
			return usageError{errors.New("there is nothing to try about --cancel: leave out one of them")}
		case c.Cancel:
			if err := m.CancelInvite(ctx, c.Name); err != nil {
				return err
			}
			return terminal.Line(s.out, "the invitation of %s is taken back", c.Name)
		case c.Token:
			done, err = m.MakeToken(ctx, g)
		case c.Device != "":
			done, err = m.AddDevice(ctx, g)
		default:
			done, err = m.Invite(ctx, g)
		}
		if err != nil {
			return err
		}
		if c.Output == "json" {
			return terminal.JSON(s.out, []methods.Invited{done})
		}
		return c.print(s, &done)
	})
}

func (c *pairCommand) print(s *streams, done *methods.Invited) error {
	as := "with the role " + strings.Join(done.Roles, ", ")
	if done.Default {
		as += " (another one: --role)"
	}
	switch {
	case c.DryRun && c.Device != "":
		return terminal.Line(s.out, "%s could be let in as the device %s, %s", done.Name, c.Device, as)
	case c.DryRun && c.Token:
		return terminal.Line(s.out, "%s could have a token, %s", done.Name, as)
	case c.DryRun:
		return terminal.Line(s.out, "%s could be invited to %s, %s", done.Name, done.Address, as)
	case c.Device != "":
		return terminal.Line(s.out, "%s is the device %s, %s", done.Name, c.Device, as)
	case done.Token != "":
		s.note("the token of %s, %s; it is told only now, and is said over TLS or on this machine only. Undo: `sighub revoke %s`", done.Name, as, done.Name)
		return terminal.Line(s.out, "%s", done.Token)
	}
	s.note("to let %s in, %s, type this there within %d minutes; undo: `sighub pair %s --cancel`", done.Name, as, done.Seconds/60, done.Name)
	if err := terminal.Line(s.out, "sighub join %s", done.Invitation); err != nil || !terminal.IsTerminal(s.out) {
		return err
	}
	code, width, err := terminal.QR(done.Invitation)
	if err != nil || width > terminal.Width(s.out) {
		return nil //nolint:nilerr // the line says the same
	}
	return terminal.Drawing(s.out, code)
}

type passwordCommand struct {
	hubFlags
	Name   string   `arg:"" help:"Whose: small letters, digits, and - _ . within."`
	Role   []string `short:"r" placeholder:"ROLE" help:"What a new name may do: viewer, operator, sender, admin, or a role of the rules. May be repeated. Default: what the rules say of the name, else viewer."`
	File   string   `placeholder:"FILE" help:"Read the password from the only line of this file; -: from standard input. Default: from the terminal."`
	DryRun bool     `short:"n" help:"Only check whether it could be set, and say what would be."`
	Output string   `short:"o" enum:"text,json" default:"text" help:"text, or json: one object."`
}

// Help is what --help says in full.
func (*passwordCommand) Help() string {
	return `It asks for the password twice, and does not show what is typed. The password is never on the command line, where every user of the
machine could read it, and it is said to the hub only on this machine or over TLS. The hub keeps its argon2id, and nothing else of it.

Another password of the name is not taken any more, and who is connected under the name is disconnected. ` + "`sighub revoke NAME --credential ID`" + `
undoes it; a password that was there before does not come back.

Examples:

    sighub password alice --dry-run
    sighub password alice --role operator
    sighub password alice --file - <secret.txt`
}

// Run sets a password.
func (c *passwordCommand) Run(ctx context.Context, s *streams) error {
	if addr, _, err := c.place(); err == nil && addr.Network == "tcp" && !addr.Local() {
		return usageError{fmt.Errorf("a password is not said over clear text to another machine, where others may hear it: write tls://%s", addr.Addr)}
	}
	g := methods.Grant{Name: c.Name, Roles: c.Role, DryRun: c.DryRun}
	var err error
	if !c.DryRun || c.File != "" {
		if g.Password, err = c.read(s); err != nil {
			return usageError{err}
		}
		if err := identities.CheckPassword(c.Name, g.Password); err != nil {
			return usageError{err}
		}
	}
	return c.owner(ctx, s, "sighub password", func(ctx context.Context, m methods.Client) error {
		done, err := m.SetPassword(ctx, g)
		if err != nil {
			return err
		}
		if c.Output == "json" {
			return terminal.JSON(s.out, []methods.Invited{done})
		}
		is, undo := "has", fmt.Sprintf("; undo: `sighub revoke %s --credential %s`", done.Name, done.Credential)
		if c.DryRun {
			is, undo = "could have", ""
		}
		replaced := ""
		if done.Replaced {
			replaced = ", in place of the one before"
		}
		as := strings.Join(done.Roles, ", ")
		if done.Default {
			as += " (another one: --role)"
		}
		return terminal.Line(s.out, "%s %s a password, with the role %s%s%s", done.Name, is, as, replaced, undo)
	})
}

// read reads the password.
func (c *passwordCommand) read(s *streams) (text string, err error) {
	where := c.File
	switch t := secret.Open(s.in, s.err); {
	case where == "-":
		where = "standard input"
		text, err = secret.Read(s.in)
	case where != "":
		var f *os.File
		if f, err = os.Open(where); err != nil {
			return "", err
		}
		defer func() { _ = f.Close() }() // nothing was written
		text, err = secret.Read(f)
	case t == nil:
		return "", errors.New("there is no terminal to type the password at: --file FILE reads it from a file, --file - from standard input")
	default:
		where = "the terminal"
		text, err = secret.Ask(t, "the password of "+c.Name)
	}
	if err != nil {
		return "", fmt.Errorf("the password cannot be read from %s: %w", where, err)
	}
	return text, nil
}

type identitiesCommand struct {
	hubFlags
	Output string `short:"o" enum:"text,json" default:"text" help:"text, or json: one object a line."`
}

// Help is what --help says in full.
func (*identitiesCommand) Help() string {
	return `Each line is one way in which somebody proves to be somebody: a key, a token, a password or a device. PROOF is the beginning of the
SHA-256 of a public key, or the uid of a device. Who is invited and has not come yet stands below the table.

Examples:

    sighub identities
    sighub identities --output json | jq -r .name`
}

// Run lists whom the hub knows.
func (c *identitiesCommand) Run(ctx context.Context, s *streams) error {
	return c.owner(ctx, s, "sighub identities", func(ctx context.Context, m methods.Client) error {
		all, err := m.Identities(ctx)
		if err != nil {
			return err
		}
		if c.Output == "json" {
			return terminal.JSON(s.out, all.Identities)
		}
		now := time.Now()
		var rows [][]string
		for _, id := range all.Identities {
			for i, cr := range id.Credentials {
				row := []string{"", "", cr.Kind, cr.ID, orDash(nonEmpty(cr.Label)), orDash(nonEmpty(beginning(cr))), age(now.Sub(cr.Created)) + " ago", "never", "-"}
				if i == 0 {
					row[0], row[1] = id.Name, orDash(id.Roles)
				}
				if cr.Used != nil {
					row[7] = age(now.Sub(*cr.Used)) + " ago"
				}
				if cr.Revoked != nil {
					row[8] = age(now.Sub(*cr.Revoked)) + " ago"
				}
				rows = append(rows, row)
			}
		}
		switch {
		case len(rows) > 0:
			err = terminal.Table(s.out, "NAME\tROLES\tBY\tID\tLABEL\tPROOF\tSINCE\tUSED\tREVOKED", rows)
		case len(all.Invited) == 0:
			s.note("the hub knows nobody by a key, a token or a password: `sighub pair NAME` invites somebody")
		}
		for _, o := range all.Invited {
			tries := ""
			if o.Failed > 0 {
				tries = fmt.Sprintf("; %d wrong tries", o.Failed)
			}
			left := time.Duration(o.Left * float64(time.Second))
			err = cmp.Or(err, terminal.Line(s.out, "%s is invited, for another %s%s", o.Name, age(left), tries))
		}
		return err
	})
}

func nonEmpty(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}

// beginning returns as much of a proof as people compare.
func beginning(c methods.Credential) string {
	if c.Kind == "key" {
		return c.Proof[:min(len(c.Proof), 16)]
	}
	return c.Proof
}

type revokeCommand struct {
	hubFlags
	Name       string `arg:"" help:"Who: a name, as sighub identities prints it."`
	Credential string `placeholder:"ID" help:"Only this key, token, password or device. Default: all of them."`
	DryRun     bool   `short:"n" help:"Only say what would be revoked."`
	Output     string `short:"o" enum:"text,json" default:"text" help:"text, or json: one object."`
}

// Help is what --help says in full.
func (*revokeCommand) Help() string {
	return `It holds at once: who is connected by it is disconnected. What is revoked stays revoked: to undo it, pair the name again, which lets in
only what is paired then.

Examples:

    sighub revoke laptop --dry-run
    sighub revoke laptop
    sighub revoke alice --credential k3x9`
}

// Run revokes somebody.
func (c *revokeCommand) Run(ctx context.Context, s *streams) error {
	return c.owner(ctx, s, "sighub revoke", func(ctx context.Context, m methods.Client) error {
		r, err := m.Revoke(ctx, methods.Revocation{Name: c.Name, Credential: c.Credential, DryRun: c.DryRun})
		if err != nil {
			return err
		}
		if c.Output == "json" {
			return terminal.JSON(s.out, []methods.Revoked{r})
		}
		is := "is"
		if c.DryRun {
			is = "would be"
		}
		for _, cr := range r.Credentials {
			label := ""
			if cr.Label != "" {
				label = " (" + safetext.Line(cr.Label) + ")"
			}
			if err := terminal.Line(s.out, "the %s %s of %s%s %s revoked", cr.Kind, cr.ID, c.Name, label, is); err != nil {
				return err
			}
		}
		switch {
		case r.Invitation:
			err = terminal.Line(s.out, "the invitation of %s %s taken back", c.Name, is)
		case len(r.Credentials) == 0:
			err = terminal.Line(s.out, "nothing of %s is left to revoke", c.Name)
		}
		if err == nil && r.Left > 0 {
			s.note("%s can still log in by %d others: `sighub identities` shows them", c.Name, r.Left)
		}
		return err
	})
}
