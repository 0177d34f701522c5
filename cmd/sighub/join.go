package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sighub/access/pairing"
	"sighub/carrier/tcp"
	"sighub/cmd/sighub/internal/joined"
	"sighub/internal/address"
	"sighub/internal/plain"
	"sighub/internal/terminal"
	"sighub/listen/keys"
)

// localSocket returns where the hub of this machine has its socket, as `sighub setup` sets it up. systemd says the folder to programs
// of its own.
func localSocket() string {
	return filepath.Join(cmp.Or(os.Getenv("RUNTIME_DIRECTORY"), "/run/sighub"), "hub.sock")
}

// usualHub is where a hub is that nobody has set up.
const usualHub = "tcp://127.0.0.1:3000"

// choose decides which hub it is if neither the command line nor the environment says so: that of this machine, else the one that was
// joined.
func (f *hubFlags) choose() error {
	if f.Hub != "" {
		return nil
	}
	if info, err := os.Stat(localSocket()); err == nil && info.Mode()&os.ModeSocket != 0 {
		f.Hub = "unix://" + localSocket()
		return nil
	}
	f.Hub = usualHub
	folder, err := joined.Folder()
	if err != nil {
		return nil //nolint:nilerr // a user without a folder has joined nothing
	}
	hub, err := joined.Load(folder)
	if hub != nil {
		f.Hub = hub.URL()
	}
	return err
}

// place returns where the hub is, and how it is known and is shown who this is.
func (f *hubFlags) place() (addr address.Address, secure tcp.TLS, err error) {
	if err := f.choose(); err != nil {
		return addr, secure, err
	}
	addr, err = address.ParseHub(f.Hub)
	if err != nil {
		return addr, secure, usageError{fmt.Errorf("--hub %s: %w", f.Hub, err)}
	}
	f.useJoined(&addr)
	secure, err = f.tls(&addr)
	return addr, secure, err
}

// useJoined has the hub that was joined be known by its pin, and know this user by the key, also if its address is given.
func (f *hubFlags) useJoined(addr *address.Address) {
	folder, err := joined.Folder()
	if err != nil || addr.Network != "tls" {
		return
	}
	hub, err := joined.Load(folder)
	if err != nil || hub == nil || hub.Address != addr.Addr {
		return
	}
	pin, err := keys.ParsePin(hub.Pin)
	if err != nil {
		return
	}
	if addr.Pin.IsZero() && f.Pin == "" && f.CA == "" {
		addr.Pin = pin
	}
	if f.Key == "" {
		f.Key = joined.KeyFile(folder)
	}
}

// tls returns what the flags say about TLS.
func (f *hubFlags) tls(addr *address.Address) (o tcp.TLS, err error) {
	switch {
	case addr.Network == "tls":
	case f.Pin != "" || f.CA != "":
		return o, usageError{fmt.Errorf("--pin and --ca are for TLS, and %s is clear text: write --hub tls://%s", addr, addr.Addr)}
	default: // a key is shown where it can be
		return o, nil
	}
	if f.Pin != "" {
		pin, err := keys.ParsePin(f.Pin)
		if err != nil {
			return o, usageError{fmt.Errorf("--pin: %s", plain.Text(err.Error()))}
		}
		if !addr.Pin.IsZero() && addr.Pin != pin {
			return o, usageError{fmt.Errorf("--pin and the pin in --hub %s are not the same: leave one of them out", f.Hub)}
		}
		addr.Pin = pin
	}
	if f.CA != "" {
		data, err := os.ReadFile(f.CA)
		if err != nil {
			return o, usageError{fmt.Errorf("--ca: %w", err)}
		}
		o.Authorities = x509.NewCertPool()
		if !o.Authorities.AppendCertsFromPEM(data) {
			return o, usageError{fmt.Errorf("--ca: %s has no certificate in PEM", f.CA)}
		}
	}
	if f.Key != "" {
		if o.Key, err = keys.Client(f.Key); err != nil {
			return o, err
		}
	}
	return o, nil
}

type joinCommand struct {
	Invitation []string `arg:"" help:"The line that sighub pair has printed on the hub: HOST:PORT/CODE."`
	Label      string   `placeholder:"TEXT" help:"What this machine is called where the hub lists its keys. Default: its name."`
	Force      bool     `short:"f" help:"Join although another hub was joined, which is forgotten."`
	DryRun     bool     `short:"n" help:"Only check the invitation, and say what would be done. The hub is not asked."`
}

// Help is what --help says in full.
func (*joinCommand) Help() string {
	return `It makes sure that it has reached the hub of the invitation before it says anything, lets the hub know a key of this user, and remembers
the hub. From then on, commands without --hub ask that hub, unless SIGHUB_HUB names one, or there is one on this machine.
` + "`sighub leave`" + ` undoes it.

Small letters are as good as capitals, and hyphens may be missing.

Examples:

    sighub join pi.local:3000/7A8G-X2RT-9KMN-4P6Q-ZV0W-1Y3H-E5D7
    sighub listen`
}

// joinTime bounds how long joining may take.
const joinTime = 20 * time.Second

// Run joins a hub.
func (c *joinCommand) Run(ctx context.Context, s *streams) error {
	in, err := pairing.Parse(strings.Join(c.Invitation, " ")) // spaces are as good as hyphens
	if err != nil {
		return usageError{errors.New(plain.Text(err.Error()))}
	}
	folder, err := joined.Folder()
	if err != nil {
		return err
	}
	before, err := joined.Load(folder)
	if err != nil {
		return err
	}
	if before != nil && before.Address != in.Address && !c.Force {
		return fmt.Errorf("the hub at %s was joined before, and only one can be: `sighub leave` forgets it, or --force does so now", before.Address)
	}
	if c.DryRun {
		return terminal.Line(s.out, "the invitation has no mistake; without --dry-run, a key is made in %s unless it has one, and the hub at %s is remembered", folder, in.Address)
	}
	key, err := keys.Client(joined.KeyFile(folder))
	if err != nil {
		return err
	}
	label := c.Label
	if label == "" {
		label, _ = os.Hostname() // it is only to be read
	}
	asking, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	done, err := tcp.Pair(asking, in.Address, tcp.Invitation{
		ID: in.ID().String(), Key: key, Label: label, Name: "sighub join",
		Proof: func(hubKey, clientKey [32]byte) ([32]byte, error) { return in.Proof(hubKey, clientKey) },
	})
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return errInterrupted
	default:
		return unreachable(address.Address{Network: "tls", Addr: in.Address}, err)
	}
	hub := &joined.Hub{Address: in.Address, Pin: done.Pin.String(), Identity: done.Identity, Joined: time.Now().UTC().Truncate(time.Second)}
	if err := joined.Save(folder, hub); err != nil {
		return fmt.Errorf("the hub knows this key as %s, but cannot be remembered: %w: use --hub %s --key %s", done.Identity, err, hub.URL(), joined.KeyFile(folder))
	}
	if err := terminal.Line(s.out, "joined the hub at %s as %s", in.Address, done.Identity); err != nil {
		return err
	}
	var asked hubFlags
	asked.Hub = os.Getenv("SIGHUB_HUB")
	switch err := asked.choose(); {
	case err != nil:
		return err
	case os.Getenv("SIGHUB_HUB") != "":
		s.note("SIGHUB_HUB names another hub, which commands ask first: unset it")
	case asked.Hub != hub.URL():
		s.note("there is a hub on this machine, at %s, which commands ask first: --hub tls://%s asks this one", asked.Hub, in.Address)
	default:
		s.note("commands without --hub ask it from now on: try `sighub listen`; undo: `sighub leave`")
	}
	return nil
}

type leaveCommand struct {
	DryRun bool `short:"n" help:"Only say what would be removed."`
}

// Help is what --help says in full.
func (*leaveCommand) Help() string {
	return `It removes this user's key, and what was remembered of the hub. The hub still knows the key, which nobody has any more, until its owner
types ` + "`sighub revoke NAME`" + `.

Example:

    sighub leave`
}

// Run forgets the hub that was joined.
func (c *leaveCommand) Run(_ context.Context, s *streams) error {
	folder, err := joined.Folder()
	if err != nil {
		return err
	}
	hub, err := joined.Load(folder) // one that is damaged is forgotten all the same
	files := joined.Files(folder)
	if hub == nil && err == nil && len(files) == 0 {
		return errors.New("no hub was joined: `sighub join` does that")
	}
	removed := "removed"
	if c.DryRun {
		removed = "would be removed"
	} else if files, err = joined.Forget(folder); err != nil {
		return err
	}
	for _, file := range files {
		if err := terminal.Line(s.out, "%s: %s", removed, file); err != nil {
			return err
		}
	}
	if hub != nil {
		s.note("the hub at %s still knows %s: an admin of it types `sighub revoke %s`", hub.Address, hub.Identity, hub.Identity)
	}
	return nil
}
