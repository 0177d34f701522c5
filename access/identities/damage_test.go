package identities

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestDamaged: a file that is damaged lets nobody in, is told, and stays.
func TestDamaged(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder)
	must(t, s.AddKey("alice", viewer, hashOf(1), ""))
	must(t, s.SetPassword(t.Context(), "alice", nil, "correct horse"))
	must(t, s.Close())
	whole, err := os.ReadFile(s.file)
	must(t, err)
	text := string(whole)
	for name, damaged := range map[string]string{
		"empty": "", "half written": text[:len(text)/2], "zeros": strings.Repeat("\x00", len(text)), "no JSON": "hello", "more behind": text + "{}",
		"unknown key": strings.Replace(text, `"roles"`, `"rules"`, 1), "version": strings.Replace(text, `"version": 1`, `"version": 2`, 1),
		"a capital": strings.Replace(text, `"alice"`, `"Alice"`, 1), "no proof": strings.Replace(text, `"key_sha256": "01`, `"key_sha256": "", "label": "01`, 1),
		"a short hash": strings.Replace(text, `"key_sha256": "01`, `"key_sha256": "`, 1), "costly": strings.Replace(text, "m=19456", "m=4194304", 1),
		"two proofs": strings.Replace(text, `"key_sha256"`, `"device": "x", "key_sha256"`, 1), "a number": "1", "null roles": strings.Replace(text, `"viewer"`, `null`, 1),
		"large": text + strings.Repeat(" ", maxFile), "deep": strings.Repeat("[", 100_000),
	} {
		must(t, os.WriteFile(s.file, []byte(damaged), 0o600))
		s, err := Open(folder, Options{})
		d, ok := errors.AsType[*DamagedError](err)
		if !ok || s == nil || !strings.Contains(err.Error(), "is damaged") || len(err.Error()) > 2000 {
			t.Errorf("%s: %.200v", name, err)
			continue
		}
		_, keyErr := s.Key(hashOf(1))
		for what, err := range map[string]error{"key": keyErr, "password": s.Password(t.Context(), "alice", "correct horse")} {
			if !errors.Is(err, ErrUnknown) {
				t.Errorf("%s: a %s is let in: %v", name, what, err)
			}
		}
		if err := s.CheckNew("bob", viewer); !errors.Is(err, error(d)) {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.AddKey("bob", viewer, hashOf(2), ""); !errors.Is(err, error(d)) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := s.Revoke("alice", ""); err == nil {
			t.Errorf("%s: something was revoked", name)
		}
		must(t, errors.Join(s.Flush(), s.Close()))
		if kept, _ := os.ReadFile(s.file); string(kept) != damaged {
			t.Errorf("%s: the file was changed", name)
		}
	}
	must(t, os.WriteFile(s.file, whole, 0o600))
	if _, err := open(t, folder).Key(hashOf(1)); err != nil {
		t.Error(err)
	}
}

// TestNoFile: what is not a regular file of the hub's own is not read, and does not stop the hub for long.
func TestNoFile(t *testing.T) {
	for name, create := range map[string]func(file string) error{
		"a pipe":        func(file string) error { return syscall.Mkfifo(file, 0o600) },
		"a folder":      func(file string) error { return os.Mkdir(file, 0o700) },
		"leads nowhere": func(file string) error { return os.Symlink("nowhere", file) },
		"others may": func(file string) error {
			return errors.Join(os.WriteFile(file, []byte("{}"), 0o600), os.Chmod(file, 0o666))
		},
		"this is a devic": func(file string) error { return os.Symlink("/dev/zero", file) },
	} {
		folder := t.TempDir()
		must(t, create(filepath.Join(folder, FileName)))
		s, err := Open(folder, Options{})
		if _, ok := errors.AsType[*DamagedError](err); !ok || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		must(t, s.Close())
	}
}

func FuzzFile(f *testing.F) {
	folder := f.TempDir()
	s, err := Open(folder, Options{})
	if err != nil {
		f.Fatal(err)
	}
	defer s.Close()
	if _, err := s.AddToken("ha", viewer, "x"); err != nil {
		f.Fatal(err)
	}
	if err := errors.Join(s.AddKey("alice", viewer, hashOf(1), "y"), s.SetPassword(f.Context(), "alice", nil, "correct horse"), s.AddDevice("n", viewer, "u")); err != nil {
		f.Fatal(err)
	}
	if _, err := s.Revoke("ha", ""); err != nil {
		f.Fatal(err)
	}
	data, _ := os.ReadFile(s.file)
	f.Add(data)
	f.Add([]byte(`{"version":1,"identities":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		st, err := parse(data)
		if err != nil {
			return
		}
		packed, err := st.pack()
		if err != nil {
			t.Fatal(err)
		}
		again, err := parse(packed)
		if err != nil {
			t.Fatalf("%v in\n%s", err, packed)
		}
		if repacked, _ := again.pack(); string(repacked) != string(packed) {
			t.Fatalf("%s\n%s", packed, repacked)
		}
	})
}

// copyFolder is where TestRootsCopy, started again as another user, finds the identities.
const copyFolder = "SIGHUB_TEST_IDENTITIES"

// TestRootsCopy: a copy that root has put back, and that is root's, is read and made the hub's own; if the hub may not read it, it is told
// what to type.
func TestRootsCopy(t *testing.T) {
	if folder := os.Getenv(copyFolder); folder != "" { // as the user of the hub
		s, err := Open(folder, Options{})
		if err != nil {
			fmt.Printf("error: %v\n", err)
			return
		}
		_, err = s.Key(hashOf(1))
		fmt.Println("key:", errors.Join(err, s.AddKey("bob", viewer, hashOf(2), ""), s.Close()))
		return
	}
	if os.Geteuid() != 0 {
		t.Log("only root can give files away: this is not tried")
		return
	}
	const hub = 4711
	program := filepath.Join(t.TempDir(), "program")
	data, err := os.ReadFile(os.Args[0])
	must(t, errors.Join(err, os.Chmod(filepath.Dir(filepath.Dir(program)), 0o755), os.WriteFile(program, data, 0o755)))
	for _, test := range []struct {
		mode  os.FileMode
		owner int
		want  string
	}{
		{0o644, 0, "key: <nil>"}, {0o600, hub, "key: <nil>"},
		{0o600, 0, "cannot be used"}, {0o600, 0, "chown 4711 "}, {0o644, 4712, "chown 4711 "}, {0o666, hub, "chmod 600 "},
	} {
		folder := t.TempDir()
		s := open(t, folder)
		must(t, errors.Join(s.AddKey("alice", viewer, hashOf(1), ""), s.Close(), os.Remove(filepath.Join(folder, lockName))))
		must(t, errors.Join(os.Chown(folder, hub, hub), os.Chown(s.file, test.owner, test.owner), os.Chmod(s.file, test.mode)))
		again := exec.Command(program, "-test.run=^TestRootsCopy$")
		again.Dir, again.Env = "/", append(os.Environ(), copyFolder+"="+folder)
		again.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: hub, Gid: hub}}
		said, err := again.CombinedOutput()
		if err != nil || !strings.Contains(string(said), test.want) || strings.Contains(string(said), "damaged") {
			t.Errorf("mode %04o of uid %d: %v, want %q:\n%s", test.mode, test.owner, err, test.want, said)
		}
		info, err := os.Stat(s.file)
		must(t, err)
		if took := test.want == "key: <nil>"; took && (info.Sys().(*syscall.Stat_t).Uid != hub || info.Mode().Perm() != 0o600) {
			t.Errorf("mode %04o of uid %d becomes %v", test.mode, test.owner, info.Mode())
		}
	}
}

// TestRootBesideHub: what root writes while the hub, which is another user, is not running, the hub can read.
func TestRootBesideHub(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("only root can give files away: this is not tried")
		return
	}
	const hub = 4711
	folder := t.TempDir()
	must(t, os.Chown(folder, hub, hub))
	for range 2 { // also when the file is the hub's already
		s := open(t, folder)
		must(t, s.AddKey("alice", viewer, hashOf(1), ""))
		must(t, s.Close())
		for _, name := range []string{FileName, lockName} {
			info, err := os.Stat(filepath.Join(folder, name))
			if err != nil || info.Sys().(*syscall.Stat_t).Uid != hub || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %+v %v", name, info.Sys(), err)
			}
		}
	}
	must(t, os.Chown(filepath.Join(folder, FileName), 4712, 4712))
	if _, err := Read(folder); err == nil || !strings.Contains(err.Error(), "belongs to uid 4712") {
		t.Errorf("a file of somebody else is taken: %v", err)
	}
}
