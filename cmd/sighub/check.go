package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"

	"sighub/access"
	"sighub/internal/address"
	"sighub/internal/config"
	"sighub/internal/gateway"
	"sighub/internal/guard"
	"sighub/internal/plain"
	"sighub/internal/reference"
	"sighub/internal/terminal"
	"sighub/journal/folder"
	"sighub/listen/keys"
)

type checkCommand struct {
	File   string `arg:"" optional:"" help:"The configuration file to check; - is standard input."`
	Config string `short:"c" placeholder:"FILE" help:"The same, as run has it."`
	Access string `placeholder:"FILE" help:"Check the rules in this file instead, which say who may do what, and print what everybody could do by them."`
	State  string `placeholder:"DIR" help:"With --access: the folder that the hub was given with --state, for those whom it knows."`
}

// Help is what --help says in full.
func (*checkCommand) Help() string {
	return `It prints every mistake with its line, and exits with 2 if there are any. It warns of what run would not find on this machine now:
a bus, a sensor of the kernel, a folder, an address. It starts nothing, and exits with 0 in spite of warnings.

With --access it does so with the file that says who may do what, before it is in force. It asks no hub: what is in force there,
` + "`sighub can --all`" + ` prints.

Examples:

    sighub check /etc/sighub/sighub.yaml
    sighub check --access /etc/sighub/access.yaml
    sed s/3000/3001/ sighub.yaml | sighub check -`
}

// Run checks the file.
func (c *checkCommand) Run(ctx context.Context, s *streams) error {
	file := c.File
	switch {
	case c.Access != "" && (file != "" || c.Config != ""):
		return usageError{errors.New("two files are given: check one after the other")}
	case c.Access != "":
		folder := ""
		if c.State != "" {
			folder = guard.Folder(c.State)
		}
		return checkAccess(s, c.Access, folder)
	case c.State != "":
		return usageError{errors.New("--state is for --access: add that, or leave it out")}
	case file == "" && c.Config == "":
		return usageError{errors.New("the file is missing: write sighub check FILE, or - for standard input")}
	case file != "" && c.Config != "":
		return usageError{errors.New("two files are given: check one after the other")}
	case file == "":
		file = c.Config
	}
	cfg, err := config.Load(ctx, file, s.in)
	switch {
	case err != nil && ctx.Err() != nil:
		return errInterrupted
	case err != nil:
		return usageError{err}
	}
	if err := cfg.CheckExposed(); err != nil {
		return usageError{err}
	}
	if file == config.Stdin {
		file = "standard input"
	}
	warnings := cfg.Warnings()
	warnings = append(warnings, gateway.Findings(cfg, "/sys", "/dev")...)
	warnings = append(warnings, systemFindings(cfg)...)
	for _, w := range warnings {
		s.note("%s: warning: %s", w.Place(), w.Message)
	}
	ok := "ok"
	switch len(warnings) {
	case 0:
	case 1:
		ok = "ok, with 1 warning"
	default:
		ok = fmt.Sprintf("ok, with %d warnings", len(warnings))
	}
	return terminal.Line(s.out, "%s: %s: %s", file, ok, cfg.Summary())
}

type configCommand struct {
	Section string `arg:"" optional:"" help:"One section alone, such as serial."`
	Example bool   `help:"Print a file with examples, each behind a #, to begin with."`
}

// Help is what --help says in full.
func (*configCommand) Help() string {
	return `It prints what a configuration may say: every key, its default and what it means. It asks no hub.

Examples:

    sighub config | less
    sighub config sensors
    sighub config --example >sighub.yaml`
}

// Run prints the page, or the example.
func (c *configCommand) Run(_ context.Context, s *streams) error {
	show := reference.Page
	if c.Example {
		show = reference.Example
	}
	text, err := show(c.Section)
	if err != nil {
		return usageError{err}
	}
	return terminal.Own(s.out, text)
}

// systemFindings returns what the hub would not find, or could not do, on this machine now.
func systemFindings(cfg *config.Config) (list []*config.Error) {
	if cfg.State != "" {
		if err := tryFolder(cfg.State); err != nil {
			list = append(list, cfg.Warn(config.StatePlace, "state %s cannot be used, so the hub would remember nothing: %v: choose another folder",
				cfg.State, err))
		}
	}
	list = append(list, journalFindings(cfg)...)
	if cfg.TLS.Certificate != "" {
		if _, err := keys.Files(cfg.TLS.Certificate, cfg.TLS.Key, slog.New(slog.DiscardHandler)); err != nil {
			list = append(list, cfg.Warn(config.TLSPlace, "%s", plain.Text(err.Error())))
		}
	}
	if rules := cfg.Access.Rules; rules != "" {
		if _, err := access.Load(rules); err != nil {
			list = append(list, cfg.Warn(config.AccessPlace, "nobody could do anything, because the rules cannot be used: %s", plain.Text(err.Error())))
		}
	}
	for _, a := range cfg.Listen {
		if err := tryAddress(a); err != nil {
			list = append(list, cfg.Warn(config.AddressPlace(a.String()), "the hub cannot listen at %s: %v", a, err))
		}
	}
	for _, p := range cfg.Serial {
		info, err := os.Stat(p.Port)
		if err == nil && info.Mode()&os.ModeCharDevice == 0 {
			list = append(list, cfg.Warn(config.PortPlace(p.Port), "%s is there and is not a serial port", p.Port))
		}
	}
	return list
}

// journalFindings returns why what is to be kept could not be, or not as much of it.
func journalFindings(cfg *config.Config) (list []*config.Error) {
	c := &cfg.Journal
	if c.Off || c.Folder == "" && cfg.State == "" { // the usual place depends on who runs the hub
		return nil
	}
	dir, err := journalFolder(cfg)
	if err != nil {
		return nil
	}
	if err := tryFolder(dir); c.Folder != "" && err != nil {
		list = append(list, cfg.Warn(config.JournalPlace, "the journal cannot be kept in %s: %v: choose another folder", dir, err))
	}
	there, err := nearest(dir)
	if err != nil {
		return list
	}
	total, _, err := folder.Directory(there).Space()
	if most := total / 10; err == nil && most > 0 && c.Size > most && c.Size != config.Default().Journal.Size {
		list = append(list, cfg.Warn(config.JournalPlace, "the journal will have %s, not %s, because it takes at most a tenth of the disk of %s",
			terminal.Size(most), terminal.Size(c.Size), there))
	}
	return list
}

// tryFolder tries whether a folder can be made, or written to if it is there. It leaves nothing behind.
func tryFolder(dir string) error {
	there, err := nearest(dir)
	if err != nil {
		return plainPathError(err)
	}
	made, err := os.MkdirTemp(there, ".sighub-check-")
	if err == nil {
		err = os.Remove(made)
	}
	return plainPathError(err)
}

// nearest returns a folder, or the nearest one around it that is there.
func nearest(dir string) (string, error) {
	for {
		_, err := os.Stat(dir)
		if err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if !errors.Is(err, os.ErrNotExist) || parent == dir {
			return "", err
		}
		dir = parent
	}
}

// plainPathError leaves out what was tried, and where.
func plainPathError(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err
	}
	return err
}

// tryAddress says why the hub could not listen at an address, if that is known without listening: the hub may be running there.
func tryAddress(a address.Address) error {
	if a.Network == "unix" {
		dir := filepath.Dir(a.Addr)
		info, err := os.Stat(dir)
		switch {
		case err != nil:
			return fmt.Errorf("there is no folder %s: make it", dir)
		case !info.IsDir():
			return fmt.Errorf("%s is not a folder", dir)
		}
		return nil
	}
	host, _, _ := net.SplitHostPort(a.Addr) // it was parsed before
	ip := net.ParseIP(host)
	if ip == nil || ip.IsUnspecified() || ip.IsLoopback() {
		return nil
	}
	own, _ := net.InterfaceAddrs() // what is not known is not a finding
	has := func(o net.Addr) bool {
		n, ok := o.(*net.IPNet)
		return ok && n.IP.Equal(ip)
	}
	if len(own) > 0 && !slices.ContainsFunc(own, has) {
		return fmt.Errorf("this machine has no address %s now: write 0.0.0.0 for all that it has", host)
	}
	return nil
}
