package identities

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var viewer = []string{"viewer"}

func open(t *testing.T, folder string) *Store {
	t.Helper()
	s, err := Open(folder, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // a test may have closed it
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func hashOf(n byte) (h [32]byte) {
	h[0], h[31] = n, 1
	return h
}

// TestLogins: what was given is known, also by the next process; what was not given, or is revoked, is not.
func TestLogins(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	s := open(t, folder)
	must(t, s.AddKey("alice", viewer, hashOf(1), "laptop"))
	must(t, s.AddKey("alice", nil, hashOf(2), ""))
	token, err := s.AddToken("ha", []string{"operator", "viewer", "operator"}, "Home Assistant")
	must(t, err)
	must(t, s.SetPassword(t.Context(), "alice", nil, "correct horse"))
	must(t, s.AddDevice("node", []string{"sender"}, "30:AE:A4:07"))
	try := func(s *Store) {
		t.Helper()
		for _, n := range []byte{1, 2} {
			if name, err := s.Key(hashOf(n)); name != "alice" || err != nil {
				t.Error(name, err)
			}
		}
		if name, err := s.Token(token); name != "ha" || err != nil {
			t.Error(name, err)
		}
		if err := s.Password(t.Context(), "alice", "correct horse"); err != nil {
			t.Error(err)
		}
		for name, password := range map[string]string{"alice": "correct horses", "ha": "correct horse", "nobody": "correct horse", "": ""} {
			if err := s.Password(t.Context(), name, password); !errors.Is(err, ErrUnknown) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, hash := range [][32]byte{{}, hashOf(3)} {
			if name, err := s.Key(hash); name != "" || !errors.Is(err, ErrUnknown) {
				t.Error(name, err)
			}
		}
		last := token[len(token)-1]
		for _, wrong := range []string{"", TokenMark, token + "0", token[:len(token)-1], strings.ToUpper(token), token[:len(token)-1] + string(last^1), token[1:], "sgh_" + strings.Repeat("0", 52)} {
			if name, err := s.Token(wrong); name != "" || !errors.Is(err, ErrUnknown) {
				t.Error(wrong, name, err)
			}
		}
	}
	try(s)
	must(t, s.Close())
	if data, err := os.ReadFile(filepath.Join(folder, FileName)); err != nil || strings.Contains(string(data), token[4:]) || strings.Contains(string(data), "horse") {
		t.Errorf("a secret is in the file: %v\n%s", err, data)
	}
	s = open(t, folder)
	try(s)
	id, ok := s.Find("ha")
	if !ok || !slices.Equal(id.Roles, []string{"operator", "viewer"}) || id.Credentials[0].Label != "Home Assistant" || id.Credentials[0].Proof() != "" {
		t.Errorf("%+v", id)
	}
	if alice, _ := s.Find("alice"); len(alice.Credentials) != 3 || alice.Credentials[0].Used().IsZero() || alice.Credentials[0].Proof() == "" {
		t.Errorf("%+v", alice)
	}
	if node, _ := s.Find("node"); !slices.Equal(node.Devices(), []string{"30:AE:A4:07"}) {
		t.Error(node.Devices())
	}
}

// TestRevoke: a revoked credential is refused at once, and by the next process; another of the same identity is not.
func TestRevoke(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder)
	must(t, s.AddKey("alice", viewer, hashOf(1), ""))
	must(t, s.AddKey("alice", nil, hashOf(2), ""))
	must(t, s.SetPassword(t.Context(), "alice", nil, "correct horse"))
	alice, _ := s.Find("alice")
	if n, err := s.Revoke("alice", alice.Credentials[0].ID); n != 1 || err != nil {
		t.Error(n, err)
	}
	if _, err := s.Key(hashOf(1)); !errors.Is(err, ErrRevoked) {
		t.Error(err)
	}
	if _, err := s.Key(hashOf(2)); err != nil {
		t.Error(err)
	}
	for _, what := range [][2]string{{"alice", "00000000"}, {"bob", ""}} {
		if n, err := s.Revoke(what[0], what[1]); n != 0 || !errors.Is(err, ErrUnknown) {
			t.Error(n, err)
		}
	}
	if n, err := s.Revoke("alice", ""); n != 2 || err != nil {
		t.Error(n, err)
	}
	if n, err := s.Revoke("alice", ""); n != 0 || err != nil {
		t.Error(n, err)
	}
	must(t, s.Close())
	s = open(t, folder)
	if _, err := s.Key(hashOf(2)); !errors.Is(err, ErrRevoked) {
		t.Error(err)
	}
	if err := s.Password(t.Context(), "alice", "correct horse"); !errors.Is(err, ErrRevoked) {
		t.Error(err)
	}
	if err := s.Password(t.Context(), "alice", "incorrect horse"); !errors.Is(err, ErrUnknown) {
		t.Errorf("a wrong password tells that there was a right one: %v", err)
	}
	if err := s.AddKey("alice", nil, hashOf(1), ""); err == nil || !strings.Contains(err.Error(), "alice was revoked: say which role to give") {
		t.Error(err)
	}
	must(t, s.AddKey("alice", []string{"operator"}, hashOf(1), "")) // paired again
	if name, err := s.Key(hashOf(1)); name != "alice" || err != nil {
		t.Error(err)
	}
	if _, err := s.Key(hashOf(2)); !errors.Is(err, ErrRevoked) {
		t.Errorf("pairing one key has brought back another: %v", err)
	}
	if err := s.Remove("alice"); err == nil {
		t.Error("somebody who can log in was removed")
	}
	_, err := s.Revoke("alice", "")
	must(t, err)
	must(t, s.Remove("alice"))
	if _, err := s.Key(hashOf(1)); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	if err := s.Remove("alice"); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
}

// TestRefusals: what cannot be is refused in words, and changes nothing.
func TestRefusals(t *testing.T) {
	s := open(t, t.TempDir())
	must(t, s.AddKey("alice", viewer, hashOf(1), ""))
	before, _ := os.ReadFile(s.file)
	for want, err := range map[string]error{
		"this key is that of alice":            s.AddKey("bob", viewer, hashOf(1), ""),
		"alice has the role viewer already":    s.AddKey("alice", []string{"admin"}, hashOf(2), ""),
		"nobody is called bob: say which role": s.AddKey("bob", nil, hashOf(2), ""),
		`"Bob" has capitals: write bob`:        s.AddKey("Bob", viewer, hashOf(2), ""),
		"stands for no key":                    s.AddKey("bob", viewer, [32]byte{}, ""),
		"the label U+001B":                     s.AddKey("bob", viewer, hashOf(2), "\x1b[2J"),
		"more than 64 bytes":                   s.AddKey("bob", viewer, hashOf(2), strings.Repeat("x", 65)),
		`role: "a b" is not a name`:            s.AddKey("bob", []string{"a b"}, hashOf(2), ""),
		"fewer than 8 letters":                 s.SetPassword(t.Context(), "bob", viewer, "ä234567"),
		"is the name":                          s.SetPassword(t.Context(), "bob-the-builder", viewer, "Bob-The-Builder"),
		"one letter":                           s.SetPassword(t.Context(), "bob", viewer, "aaaaaaaaa"),
		"more than 1024: choose":               s.SetPassword(t.Context(), "bob", viewer, strings.Repeat("ab", 600)),
		"not UTF-8":                            s.SetPassword(t.Context(), "bob", viewer, "12345678\xff"),
		"uid has 1 to 255 bytes, not 0":        s.AddDevice("node", viewer, ""),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if after, _ := os.ReadFile(s.file); string(after) != string(before) || len(s.List()) != 1 {
		t.Errorf("a refusal has changed the file: %s", after)
	}
}

// TestPasswordForms: the same letters in another form of Unicode are the same password.
func TestPasswordForms(t *testing.T) {
	s := open(t, t.TempDir())
	must(t, s.SetPassword(t.Context(), "alice", viewer, "Gr\u00fcnzeug1"))
	if err := s.Password(t.Context(), "alice", "Gru\u0308nzeug1"); err != nil {
		t.Error(err)
	}
	must(t, s.SetPassword(t.Context(), "alice", nil, "another one"))
	if err := s.Password(t.Context(), "alice", "Gr\u00fcnzeug1"); !errors.Is(err, ErrUnknown) {
		t.Errorf("the old password: %v", err)
	}
	if alice, _ := s.Find("alice"); len(alice.Credentials) != 1 {
		t.Error(alice.Credentials)
	}
}

// TestCrowd: passwords wait for their turn, and no more than a few do.
func TestCrowd(t *testing.T) {
	s := open(t, t.TempDir())
	done, err := s.turn.take(t.Context())
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range maxWaiting { // each takes its place, and gives it back when its caller gives up
		if err := s.Password(ctx, "alice", "password"); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	for range maxWaiting {
		s.turn.waiting <- struct{}{}
	}
	if err := s.Password(t.Context(), "alice", "password"); !errors.Is(err, ErrCrowded) {
		t.Error(err)
	}
	for range maxWaiting {
		<-s.turn.waiting
	}
	done()
	if err := s.Password(t.Context(), "alice", "password"); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
}

// TestOneWriter: two processes never have the identities open at once; reading needs no lock.
func TestOneWriter(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder)
	must(t, s.AddKey("alice", viewer, hashOf(1), ""))
	if _, err := Open(folder, Options{}); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
	if list, err := Read(folder); err != nil || len(list) != 1 || list[0].Name != "alice" {
		t.Error(list, err)
	}
	must(t, s.Close())
	must(t, s.Close())
	if err := s.AddKey("bob", viewer, hashOf(2), ""); err == nil {
		t.Error("a closed Store was changed")
	}
	open(t, folder)
}

// TestModes: nobody else can read the file, and one that was made readable is not for long.
func TestModes(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	s := open(t, folder)
	must(t, s.AddKey("alice", viewer, hashOf(1), ""))
	must(t, s.Close())
	must(t, os.Chmod(s.file, 0o644))
	open(t, folder)
	for path, want := range map[string]fs.FileMode{folder: 0o700, s.file: 0o600, filepath.Join(folder, lockName): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v", path, info.Mode(), err)
		}
	}
}

// TestFullDisk: a change that cannot be written is not made; a revocation is.
func TestFullDisk(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder)
	must(t, s.AddKey("alice", viewer, hashOf(1), ""))
	obstacle := s.file + ".new" // a folder with something in it cannot be replaced
	must(t, os.MkdirAll(filepath.Join(obstacle, "x"), 0o700))
	if err := s.AddKey("bob", viewer, hashOf(2), ""); err == nil || !strings.Contains(err.Error(), "cannot be written") {
		t.Error(err)
	}
	if _, err := s.Key(hashOf(2)); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	if n, err := s.Revoke("alice", ""); n != 1 || err == nil || !strings.Contains(err.Error(), "only until the hub ends") {
		t.Error(n, err)
	}
	if _, err := s.Key(hashOf(1)); !errors.Is(err, ErrRevoked) {
		t.Error(err)
	}
	must(t, os.RemoveAll(obstacle))
	must(t, s.Close())
	if _, err := open(t, folder).Key(hashOf(1)); !errors.Is(err, ErrRevoked) {
		t.Errorf("the revocation was not written later: %v", err)
	}
}

// TestUsed: when a key was last used is written with other things, and not each time.
func TestUsed(t *testing.T) {
	now := time.Unix(1e9, 0)
	s, err := Open(t.TempDir(), Options{Now: func() time.Time { return now }})
	must(t, err)
	defer s.Close()
	must(t, s.AddKey("alice", viewer, hashOf(1), ""))
	before, _ := os.Stat(s.file)
	now = now.Add(time.Hour)
	_, err = s.Key(hashOf(1))
	must(t, err)
	if after, _ := os.Stat(s.file); !os.SameFile(before, after) {
		t.Error("a login has written the file")
	}
	if id, _ := s.Find("alice"); !id.Credentials[0].Used().Equal(now) {
		t.Error(id.Credentials[0].Used())
	}
	must(t, s.Flush())
	if list, err := Read(filepath.Dir(s.file)); err != nil || !list[0].Credentials[0].Used().Equal(now) {
		t.Error(list, err)
	}
	again, _ := os.Stat(s.file)
	must(t, s.Flush())
	if after, _ := os.Stat(s.file); !os.SameFile(again, after) {
		t.Error("what has not changed was written")
	}
}

// TestBounds: nobody has endless credentials; those that were revoked longest ago make room.
func TestBounds(t *testing.T) {
	s := open(t, t.TempDir())
	for n := range byte(maxEach) {
		must(t, s.AddKey("alice", viewer, hashOf(n), ""))
	}
	if err := s.AddKey("alice", nil, hashOf(99), ""); err == nil || !strings.Contains(err.Error(), "revoke one first") {
		t.Error(err)
	}
	alice, _ := s.Find("alice")
	_, err := s.Revoke("alice", alice.Credentials[5].ID)
	must(t, err)
	must(t, s.AddKey("alice", nil, hashOf(99), ""))
	if _, err := s.Key(hashOf(5)); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	if _, err := s.Key(hashOf(6)); err != nil {
		t.Error(err)
	}
}

// TestAtOnce: logins, changes and revocations at the same time.
func TestAtOnce(t *testing.T) {
	s := open(t, t.TempDir())
	must(t, s.AddKey("alice", viewer, hashOf(0), ""))
	var wg sync.WaitGroup
	for n := range byte(4) {
		wg.Go(func() {
			name := fmt.Sprintf("user%d", n)
			for range 10 {
				if err := s.AddKey(name, viewer, hashOf(n+1), ""); err != nil {
					t.Error(err)
				}
				if _, err := s.Key(hashOf(n + 1)); err != nil {
					t.Error(err)
				}
				if _, err := s.Revoke(name, ""); err != nil {
					t.Error(err)
				}
				if _, err := s.Key(hashOf(n + 1)); !errors.Is(err, ErrRevoked) {
					t.Error(err)
				}
				if _, err := s.Key(hashOf(0)); err != nil {
					t.Error(err)
				}
				s.List()
			}
		})
	}
	wg.Wait()
}

func FuzzToken(f *testing.F) {
	token, _ := newToken()
	f.Add(token)
	f.Add("sgh_" + strings.Repeat("z", 52))
	f.Fuzz(func(t *testing.T, text string) {
		if IsToken(text) && (len(text) != len(token) || !strings.HasPrefix(text, TokenMark) || strings.ToLower(text) != text) {
			t.Error(text)
		}
	})
}

func BenchmarkToken(b *testing.B) {
	s, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	st := s.state.Load().clone()
	for i := range MaxCredentials {
		c := Credential{Kind: Token, hash: [32]byte{byte(i), byte(i >> 8), 1}}
		st.list = append(st.list, &Identity{Name: fmt.Sprint(i), Credentials: []Credential{c}})
	}
	s.state.Store(st)
	token, _ := newToken()
	for b.Loop() {
		if _, err := s.Token(token); !errors.Is(err, ErrUnknown) {
			b.Fatal(err)
		}
	}
}
