package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"sighub/cmd/sighub/internal/setup"
	"sighub/internal/address"
	"sighub/internal/terminal"
	"sighub/listen/keys"
)

type setupCommand struct {
	Admin  string `placeholder:"USER" help:"The user of this machine who may do everything. Default: who has called sudo."`
	Listen string `default:"tcp://0.0.0.0:3000" placeholder:"ADDR" help:"Where the hub listens for other machines, over TLS. Default: ${default}."`
	Root   string `placeholder:"DIR" help:"Put everything below this folder, to try it: DIR/etc/sighub, DIR/var/lib/sighub, DIR/run/sighub."`
	DryRun bool   `short:"n" help:"Only say what would be done."`
	Undo   bool   `help:"Take back what was set up, except for what was changed since."`
}

// Help is what --help says in full.
func (*setupCommand) Help() string {
	return `It makes the hub's key and certificate, a file that says who may do what, in which you are an admin, and a configuration: a socket for
this machine, and TLS at port 3000 for others, whom ` + "`sighub pair`" + ` lets in. What is there already stays as it is; so it may run twice.
It says what it has written, and what to type next.

Examples:

    sudo sighub setup --dry-run
    sudo sighub setup
    sudo sighub setup --undo
    sighub setup --root ~/hub`
}

// Run sets up a hub, or takes that back.
func (c *setupCommand) Run(ctx context.Context, s *streams) error {
	o, err := c.options()
	if err != nil {
		return usageError{err}
	}
	needsRoot := c.Root == "" && os.Geteuid() != 0
	if c.Undo {
		return c.undo(s, o, needsRoot)
	}
	plan, err := setup.New(ctx, o)
	if err != nil {
		return err
	}
	tell := func(verb string, a setup.Action) error {
		return terminal.Line(s.out, "%-11s %s: %s", verb, a.Path, a.What)
	}
	for _, a := range plan.There {
		if err := tell("is there:", a); err != nil {
			return err
		}
	}
	if c.DryRun || needsRoot {
		for _, a := range plan.Actions {
			if err := tell("would make:", a); err != nil {
				return err
			}
		}
	} else if err := plan.Do(func(a setup.Action) error { return tell("made:", a) }); err != nil {
		return withSudo(err, needsRoot)
	}
	for _, note := range plan.Notes {
		s.note("%s", note)
	}
	switch {
	case needsRoot && !c.DryRun:
		return errors.New("nothing was made, because this needs root: `sudo sighub setup`; or try it in a folder: --root DIR")
	case c.DryRun:
		return nil
	}
	return c.next(s, &o)
}

// withSudo says what to do about an error of somebody who is not root.
func withSudo(err error, needsRoot bool) error {
	if needsRoot {
		return fmt.Errorf("%w: this needs root: `sudo sighub setup`", err)
	}
	return err
}

// next says what to type next.
func (c *setupCommand) next(s *streams, o *setup.Options) error {
	start, undo, hub := "sighub run --config "+o.Config(), "sudo sighub setup --undo", ""
	switch {
	case o.Unit:
		start = "sudo systemctl restart sighub"
	case o.Owner == nil && c.Root == "":
		start = "sudo " + start
	}
	if c.Root != "" {
		undo, hub = "sighub setup --undo --root "+shellWord(c.Root), " --hub unix://"+o.Socket()
	}
	pin := ""
	if leaf, err := keys.ReadOwn(o.State() + "/tls"); err == nil {
		pin = keys.PinOf(keys.Hash(leaf)).Short().String()
	}
	if err := terminal.Line(s.out, ""); err != nil {
		return err
	}
	for _, line := range [][2]string{
		{"start the hub", start},
		{"let another machine in", "sighub pair laptop" + hub},
		{"see who may do what", "sighub can --all" + hub},
		{"undo", undo},
	} {
		if err := terminal.Line(s.out, "%-24s%s", line[0]+":", line[1]); err != nil {
			return err
		}
	}
	if pin != "" {
		return terminal.Line(s.out, "%-24s%s", "the pin of its key:", pin)
	}
	return nil
}

func (c *setupCommand) undo(s *streams, o setup.Options, needsRoot bool) error {
	list, err := setup.Undo(o, c.DryRun || needsRoot)
	removed := "removed:"
	if c.DryRun || needsRoot {
		removed = "would be removed:"
	}
	for _, u := range list {
		var printed error
		if u.Kept != "" {
			printed = terminal.Line(s.out, "kept: %s: %s", u.Path, u.Kept)
		} else {
			printed = terminal.Line(s.out, "%s %s", removed, u.Path)
		}
		if printed != nil {
			return printed
		}
	}
	switch {
	case err != nil:
		return withSudo(err, needsRoot)
	case needsRoot && !c.DryRun:
		return errors.New("nothing was removed, because this needs root: `sudo sighub setup --undo`")
	}
	return nil
}

// serviceUser is who runs the hub as a service of systemd.
const serviceUser = "sighub"

// options returns what the command line and the machine say.
func (c *setupCommand) options() (o setup.Options, err error) {
	o = setup.Options{Root: c.Root, Listen: c.Listen}
	if c.Root != "" {
		if o.Root, err = filepath.Abs(c.Root); err != nil {
			return o, err
		}
	}
	a, err := address.ParseListen(c.Listen)
	if err != nil || a.Network != "tcp" {
		return o, errors.Join(fmt.Errorf("--listen %s: write tcp://host:port", c.Listen), err)
	}
	o.Listen = a.String()
	if o.Admin, err = c.admin(); err != nil {
		return o, err
	}
	if c.Root != "" {
		return o, nil
	}
	for _, dir := range []string{"/etc/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system"} {
		_, err := os.Stat(dir + "/sighub.service")
		o.Unit = o.Unit || err == nil
	}
	if o.Owner, err = findUser(serviceUser); err != nil {
		o.Owner = o.Admin // who runs it by hand
	}
	return o, nil
}

// admin returns who is to be an admin beside root.
func (c *setupCommand) admin() (*setup.User, error) {
	name := cmp.Or(c.Admin, os.Getenv("SUDO_USER"), os.Getenv("DOAS_USER"))
	if name == "" && os.Geteuid() != 0 {
		name = strconv.Itoa(os.Geteuid())
	}
	if name == "" || name == "root" {
		return nil, nil //nolint:nilnil // root is one without being named
	}
	u, err := findUser(name)
	if err != nil {
		return nil, fmt.Errorf("--admin %s: this machine has no such user: choose one that `getent passwd` lists", name)
	}
	return u, nil
}

func findUser(name string) (*setup.User, error) {
	u, err := user.Lookup(name)
	if err != nil {
		if u, err = user.LookupId(name); err != nil {
			return nil, err
		}
	}
	uid, uidErr := strconv.Atoi(u.Uid)
	gid, gidErr := strconv.Atoi(u.Gid)
	return &setup.User{Name: u.Username, UID: uid, GID: gid}, errors.Join(uidErr, gidErr)
}
