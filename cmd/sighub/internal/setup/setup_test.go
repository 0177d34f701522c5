package setup

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sighub/access"
	"sighub/access/identities"
	"sighub/internal/config"
	"sighub/listen/keys"
)

var pi = &User{Name: "pi", UID: 1000, GID: 1000}

func options(t *testing.T) Options {
	t.Helper()
	return Options{Root: t.TempDir(), Listen: "tcp://0.0.0.0:3000", Admin: pi}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// run sets up, and returns what was made.
func run(t *testing.T, o Options) (made []string) {
	t.Helper()
	p, err := New(t.Context(), o)
	must(t, err)
	must(t, p.Do(func(a Action) error {
		made = append(made, strings.TrimPrefix(a.Path, o.Root))
		return nil
	}))
	return made
}

// files returns what is in a folder: texts by path.
func files(t *testing.T, root string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	must(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		text := "folder"
		if !d.IsDir() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text = string(data)
		}
		all[strings.TrimPrefix(path, root)] = text
		return nil
	}))
	return all
}

func TestSetup(t *testing.T) {
	o := options(t)
	p, err := New(t.Context(), o)
	if err != nil || len(p.Actions) != 6 || len(files(t, o.Root)) > 0 {
		t.Fatalf("to look changes something: %+v, %v", p, err)
	}
	made := run(t, o)
	want := []string{"/var/lib/sighub", "/var/lib/sighub/tls", "/etc/sighub", "/etc/sighub/access.yaml", "/etc/sighub/sighub.yaml", "/run/sighub"}
	if !slices.Equal(made, want) {
		t.Errorf("made %q", made)
	}
	rules, err := access.Load(o.Rules())
	must(t, err)
	if rules.Warnings() != nil {
		t.Error(rules.Warnings())
	}
	cfg, err := config.Load(t.Context(), o.Config(), nil)
	must(t, err)
	if cfg.State != o.State() || len(cfg.Listen) != 2 || cfg.Listen[0].Addr != o.Socket() || cfg.Listen[1].TLS != "required" || len(cfg.Warnings()) > 0 {
		t.Errorf("%+v", cfg)
	}
	_, err = keys.ReadOwn(filepath.Join(o.State(), "tls"))
	must(t, err)
	// Again: nothing happens.
	before := files(t, o.Root)
	if made := run(t, o); made != nil {
		t.Errorf("again, it makes %q", made)
	}
	if after := files(t, o.Root); len(after) != len(before) {
		t.Errorf("%v", after)
	}
	// Undone: nothing is left.
	list, err := Undo(o, true)
	if err != nil || len(files(t, o.Root)) != len(before) {
		t.Errorf("a dry run changes something: %v", err)
	}
	done, err := Undo(o, false)
	if err != nil || !slices.Equal(done, list) {
		t.Errorf("%v, %+v instead of %+v", err, done, list)
	}
	if left := files(t, o.Root); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if _, err := Undo(o, false); err == nil || !strings.Contains(err.Error(), "nothing was set up here") {
		t.Error(err)
	}
}

// TestChanged: what somebody has changed is kept, and the rest is removed.
func TestChanged(t *testing.T) {
	o := options(t)
	run(t, o)
	must(t, os.WriteFile(o.Rules(), []byte("devices: known\n"), 0o600))
	store, err := identities.Open(o.Identities(), identities.Options{})
	must(t, err)
	must(t, store.AddKey("laptop", []string{"viewer"}, [32]byte{1}, ""))
	must(t, store.Close())
	list, err := Undo(o, false)
	must(t, err)
	kept := make(map[string]string)
	for _, u := range list {
		if u.Kept != "" {
			kept[strings.TrimPrefix(u.Path, o.Root)] = u.Kept
		}
	}
	if kept["/etc/sighub/access.yaml"] != "it was changed since" || !strings.HasPrefix(kept["/var/lib/sighub/tls"], "1 others know the hub") {
		t.Errorf("%+v", kept)
	}
	left := files(t, o.Root)
	if left["/etc/sighub/access.yaml"] != "devices: known\n" || left["/var/lib/sighub/tls/hub.key"] == "" || left["/etc/sighub/sighub.yaml"] != "" || left["/run"] != "" {
		t.Errorf("left: %v", left)
	}
	// It can be set up again around that, with the same key.
	key := left["/var/lib/sighub/tls/hub.key"]
	run(t, o)
	if again := files(t, o.Root); again["/var/lib/sighub/tls/hub.key"] != key || again["/etc/sighub/access.yaml"] != "devices: known\n" {
		t.Error("what was kept is replaced")
	}
}

// TestAdded: a configuration that is there is added to, and is the same after an undo.
func TestAdded(t *testing.T) {
	for text, want := range map[string]string{
		"log: {level: debug}":                         "state access listen",
		"# mine\nlisten:\n  - tcp://127.0.0.1:3001\n": "state access",
		"": "state access listen",
	} {
		o := options(t)
		must(t, os.MkdirAll(filepath.Dir(o.Config()), 0o755))
		must(t, os.WriteFile(o.Config(), []byte(text), 0o640))
		p, err := New(t.Context(), o)
		must(t, err)
		if told := len(p.Notes) > 0; told != strings.Contains(text, "listen") {
			t.Errorf("%q: the notes are %q", text, p.Notes)
		}
		run(t, o)
		data, err := os.ReadFile(o.Config())
		must(t, err)
		for _, key := range []string{"state", "access", "listen"} {
			if added := strings.Contains(strings.TrimPrefix(string(data), text), "\n"+key+":"); added != strings.Contains(want, key) {
				t.Errorf("%q: %s is added: %v\n%s", text, key, added, data)
			}
		}
		if _, err := config.Load(t.Context(), o.Config(), nil); err != nil {
			t.Error(err)
		}
		if info, err := os.Stat(o.Config()); err != nil || info.Mode() != 0o640 {
			t.Errorf("its mode is %v", info.Mode())
		}
		if made := run(t, o); made != nil {
			t.Errorf("again, it makes %q", made)
		}
		_, err = Undo(o, false)
		must(t, err)
		if data, _ := os.ReadFile(o.Config()); strings.TrimRight(string(data), "\n") != strings.TrimRight(text, "\n") {
			t.Errorf("%q became %q", text, data)
		}
	}
}

// TestMistaken: a configuration with a mistake is not touched, nor one that says in another form what would be added.
func TestMistaken(t *testing.T) {
	for _, text := range []string{"listen: [", "nonsense: 1\n", "{log: {level: debug}}\n", "\"state\": \"x\"\n"} {
		o := options(t)
		must(t, os.MkdirAll(filepath.Dir(o.Config()), 0o755))
		must(t, os.WriteFile(o.Config(), []byte(text), 0o640))
		if p, err := New(t.Context(), o); err == nil {
			t.Errorf("%q: %+v", text, p.Actions)
		}
		if len(files(t, o.Root)) != 3 {
			t.Errorf("%q: something is made", text)
		}
	}
}

// TestInterrupted: what was made before a failure can be undone.
func TestInterrupted(t *testing.T) {
	o := options(t)
	p, err := New(t.Context(), o)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(o.Root, "etc"), nil, 0o600))
	if err := p.Do(func(Action) error { return nil }); err == nil {
		t.Fatal("a file in place of a folder does no harm")
	}
	_, err = Undo(o, false)
	must(t, err)
	if left := files(t, o.Root); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
}

func TestAdmins(t *testing.T) {
	for name, want := range map[string]string{"pi": "\n  pi: admin\n", "no": "\n  1000: admin\n", "DOMAIN\\pi": "\n  1000: admin\n", "1000": "\n  1000: admin\n", "a: b": "\n  1000: admin\n"} {
		o := options(t)
		o.Admin = &User{Name: name, UID: 1000}
		run(t, o)
		if text := files(t, o.Root)["/etc/sighub/access.yaml"]; !strings.Contains(text, want) && name != "no" {
			t.Errorf("%q: %s", name, text)
		}
		if _, err := access.Load(o.Rules()); err != nil {
			t.Error(err)
		}
	}
	o := options(t)
	o.Admin = nil
	run(t, o)
	if _, err := access.Load(o.Rules()); err != nil || strings.Contains(files(t, o.Root)["/etc/sighub/access.yaml"], "users") {
		t.Error(err)
	}
	o.Admin = pi
	if p, err := New(t.Context(), o); err != nil || len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "does not name pi") {
		t.Errorf("%+v, %v", p, err)
	}
}
