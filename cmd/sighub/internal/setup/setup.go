// Package setup sets up a hub on a machine: a folder for its state, its key, the rules that say who may do what, and the
// configuration. What it makes is in a record, so that it can be undone: files that nobody has changed since are removed.
package setup

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sighub/access"
	"sighub/internal/config"
	"sighub/listen/keys"
)

// A User is one of the machine.
type User struct {
	Name     string
	UID, GID int
}

// Options say what to set up.
type Options struct {
	Root   string // in front of all paths; empty: none
	Listen string // for other machines: tcp://host:port
	Admin  *User  // nil: root alone is one
	Owner  *User  // who runs the hub, and has its state; nil: whoever runs this
	Unit   bool   // systemd starts the hub, and makes the folder of its socket
}

// A Plan is what is to be done, and what is there already.
type Plan struct {
	o       Options
	record  record
	before  *config.Config // nil: there is no configuration yet
	file    string         // with the rules
	Actions []Action
	There   []Action // which need nothing
	Notes   []string // for people: what setup leaves to them
}

// An Action makes or changes one file.
type Action struct {
	Path string
	What string // for people
	do   func() error
}

// The places, below the root.
const (
	stateDir    = "/var/lib/sighub"
	configDir   = "/etc/sighub"
	runDir      = "/run/sighub"
	tmpfilesDir = "/etc/tmpfiles.d"
)

func (o *Options) at(path ...string) string {
	return filepath.Join(append([]string{o.Root, "/"}, path...)...)
}

// State returns the folder of the hub's state.
func (o *Options) State() string { return o.at(stateDir) }

// Config returns the file of the configuration.
func (o *Options) Config() string { return o.at(configDir, "sighub.yaml") }

// Rules returns the file that says who may do what.
func (o *Options) Rules() string { return o.at(configDir, "access.yaml") }

// Socket returns where the hub is reached on the machine itself.
func (o *Options) Socket() string { return o.at(runDir, "hub.sock") }

// New looks what there is to do. It changes nothing.
func New(ctx context.Context, o Options) (*Plan, error) {
	p := &Plan{o: o, file: o.Rules()}
	if err := p.record.load(o.recordFile()); err != nil {
		return nil, err
	}
	if _, err := os.Stat(o.Config()); !errors.Is(err, fs.ErrNotExist) {
		if p.before, err = config.Load(ctx, o.Config(), nil); err != nil {
			return nil, fmt.Errorf("the configuration has a mistake, which is to be mended first: %w", err)
		}
		p.file = cmp.Or(p.before.Access.Rules, p.file)
	}
	p.folder(o.State(), "the folder for what the hub remembers", o.Owner, 0o755)
	p.key()
	p.folder(filepath.Dir(o.Config()), "the folder for what you write", nil, 0o755)
	p.rules()
	if err := p.config(); err != nil {
		return nil, err
	}
	if !o.Unit {
		p.folder(filepath.Dir(o.Socket()), "the folder of the hub's socket", o.Owner, 0o755)
		p.tmpfiles()
	}
	return p, nil
}

// Do carries the plan out, and calls done after each action. What is made is recorded at once, so that it can be undone also if
// something fails.
func (p *Plan) Do(done func(Action) error) error {
	for _, a := range p.Actions {
		if err := a.do(); err != nil {
			return fmt.Errorf("%s cannot be made: %w", a.Path, err)
		}
		if err := errors.Join(p.record.save(p.o.recordFile()), done(a)); err != nil {
			return err
		}
	}
	return nil
}

// add adds an action if what it makes is not there yet.
func (p *Plan) add(path, what string, do func() error) {
	a := Action{path, what, do}
	if _, err := os.Lstat(path); err == nil {
		p.There = append(p.There, a)
		return
	}
	p.Actions = append(p.Actions, a)
}

// folder makes a folder.
func (p *Plan) folder(path, what string, owner *User, mode fs.FileMode) {
	p.add(path, what, func() error {
		var missing []string // the folders above it, too, are made here
		for dir := path; ; dir = filepath.Dir(dir) {
			if _, err := os.Lstat(dir); err == nil || dir == filepath.Dir(dir) {
				break
			}
			missing = append(missing, dir)
		}
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
		slices.Reverse(missing)
		p.record.Folders = append(p.record.Folders, missing...)
		return errors.Join(os.Chmod(path, mode), give(path, owner))
	})
}

// give makes somebody the owner.
func give(path string, owner *User) error {
	if owner == nil || os.Geteuid() != 0 {
		return nil
	}
	return os.Lchown(path, owner.UID, owner.GID)
}

// key makes the hub's key and certificate.
func (p *Plan) key() {
	folder := filepath.Join(p.o.State(), "tls")
	p.add(folder, "the hub's key, by which others know it, and its certificate", func() error {
		if _, err := keys.Own(folder, slog.New(slog.DiscardHandler)); err != nil {
			return err
		}
		p.record.Key = folder
		err := give(folder, p.o.Owner)
		for _, file := range filesIn(folder) {
			err = errors.Join(err, give(file, p.o.Owner))
		}
		return err
	})
}

func filesIn(folder string) (list []string) {
	entries, _ := os.ReadDir(folder) // what cannot be read has none
	for _, e := range entries {
		list = append(list, filepath.Join(folder, e.Name()))
	}
	return list
}

// write makes a file that others may read.
func (p *Plan) write(path, what, text string) {
	p.add(path, what, func() error { return p.put(path, text) })
}

// put writes a file, and records it. The file is never there in part.
func (p *Plan) put(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := replace(path, text, 0o644); err != nil {
		return err
	}
	p.record.Files = append(p.record.Files, file{path, sum(text)})
	return nil
}

func replace(path, text string, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".sighub-setup-")
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func sum(text string) string {
	hash := sha256.Sum256([]byte(text))
	return hex.EncodeToString(hash[:])
}

// rules makes the file that says who may do what.
func (p *Plan) rules() {
	var b strings.Builder
	b.WriteString("# Who may do what at this hub: docs/access.md. After a change: sighub reload\n")
	what := "who may do what: root may do everything"
	if a := p.o.Admin; a != nil {
		fmt.Fprintf(&b, "users:\n  %s: admin\n", yamlName(a))
		what = fmt.Sprintf("who may do what: %s (uid %d) and root may do everything", a.Name, a.UID)
	}
	b.WriteString("devices: any\n")
	text := b.String()
	if _, err := access.Parse(p.file, []byte(text)); err != nil {
		panic(err) // the text above is wrong
	}
	p.write(p.file, what+"; all devices may report", text)
	if data, err := os.ReadFile(p.file); err == nil && p.o.Admin != nil && !bytes.Contains(data, []byte(yamlName(p.o.Admin)+":")) {
		p.Notes = append(p.Notes, fmt.Sprintf("%s does not name %s: to make %s an admin, write there, below users:, %s: admin", p.file, p.o.Admin.Name,
			p.o.Admin.Name, yamlName(p.o.Admin)))
	}
}

// yamlName returns how rules name a user: by the number, if the name means something else in YAML.
func yamlName(u *User) string {
	rules := fmt.Sprintf("users: {%s: admin}", u.Name)
	if strings.Trim(u.Name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
		return fmt.Sprint(u.UID)
	}
	if _, err := access.Parse("", []byte(rules)); err != nil {
		return fmt.Sprint(u.UID)
	}
	return u.Name
}

// tmpfiles has the folder of the socket made at each start of the machine, if no unit of systemd does so.
func (p *Plan) tmpfiles() {
	if p.o.Owner == nil || p.o.Root != "" {
		return // root makes it itself
	}
	p.write(p.o.at(tmpfilesDir, "sighub.conf"), "so that the folder of the socket is there after each start",
		fmt.Sprintf("d %s 0755 %d %d\n", filepath.Dir(p.o.Socket()), p.o.Owner.UID, p.o.Owner.GID))
}

// What is added to a configuration stands between these lines.
const (
	blockBegins = "# Added by sighub setup. sighub setup --undo takes it out, unless you have changed it."
	blockEnds   = "# The end of what sighub setup has added."
)

// config makes the configuration, or adds to the one that is there.
func (p *Plan) config() error {
	path := p.o.Config()
	parts := []struct{ key, text string }{
		{"state", "state: " + p.o.State() + "\n"},
		{"access", "access: " + p.o.Rules() + "\n"},
		{"listen", fmt.Sprintf("listen:\n  - {address: %q, mode: \"0666\"}   # for this machine\n  - {address: %q, tls: required}   # for others\n",
			"unix://"+p.o.Socket(), p.o.Listen)},
	}
	if p.before == nil {
		text := "# The configuration of the hub: docs/configuration.md. After a change: sighub check " + path + "\n" +
			parts[0].text + parts[1].text + parts[2].text
		if _, err := config.Parse(path, []byte(text)); err != nil {
			return err // such as a path that is too long for a socket
		}
		p.write(path, "the configuration: TLS at "+p.o.Listen+" for other machines, a socket for this one", text)
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	p.lookAtListen()
	block, keys := blockBegins+"\n", []string(nil)
	for _, part := range parts {
		if hasKey(data, part.key) {
			continue
		}
		block += part.text
		keys = append(keys, part.key)
	}
	if keys == nil {
		p.There = append(p.There, Action{Path: path, What: "the configuration"})
		return nil
	}
	block += blockEnds + "\n"
	text := string(data)
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	text += block
	if _, err := config.Parse(path, []byte(text)); err != nil {
		return fmt.Errorf("%s cannot be added to %s: write it yourself: %w", strings.Join(keys, ", "), path, err)
	}
	p.Actions = append(p.Actions, Action{path, "the configuration, to which is added: " + strings.Join(keys, ", "), func() error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if err := replace(path, text, info.Mode().Perm()); err != nil {
			return err
		}
		p.record.Block = &change{path, block}
		return nil
	}})
	return nil
}

// lookAtListen notes what the configuration that is there lacks, if it says where the hub listens.
func (p *Plan) lookAtListen() {
	local, others := false, false
	for _, a := range p.before.Listen {
		local = local || a.Network == "unix"
		others = others || !a.Local() && a.TLS != "off"
	}
	data, _ := os.ReadFile(p.o.Config()) // it was read before
	if hasKey(data, "listen") && (!local || !others) {
		p.Notes = append(p.Notes, fmt.Sprintf("%s says already where the hub listens; it needs an address for this machine, {address: %q, mode: \"0666\"}, "+
			"and one for others, {address: %q, tls: required}", p.o.Config(), "unix://"+p.o.Socket(), p.o.Listen))
	}
}

// hasKey reports whether a configuration in YAML has a key at its top.
func hasKey(data []byte, key string) bool {
	for line := range bytes.Lines(data) {
		if bytes.HasPrefix(line, []byte(key+":")) {
			return true
		}
	}
	return false
}
