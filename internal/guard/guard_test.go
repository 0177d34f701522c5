package guard

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sighub/access"
	"sighub/access/identities"
	"sighub/access/pairing"
	"sighub/listen"
)

// TestSessionMark: the listeners, which know nothing of access, know sessions by the same mark.
func TestSessionMark(t *testing.T) {
	if access.SessionMark != listen.SessionMark {
		t.Errorf("%q is another mark than %q", listen.SessionMark, access.SessionMark)
	}
	one, two := listen.Secret{Token: access.SessionMark + "x"}, listen.Secret{Password: access.SessionMark + "x"}
	if one.Session() == "" || one.Session() != two.Session() || strings.Contains(one.Session(), access.SessionMark) {
		t.Errorf("the names of one session: %q, %q", one.Session(), two.Session())
	}
	for _, s := range []listen.Secret{{}, {Token: "sgh_x"}, {Name: "ann", Password: "correct horse"}, {Token: access.SessionMark + "y"}} {
		if s.Session() == one.Session() {
			t.Errorf("%+v is of the same session", s)
		}
	}
}

// log keeps what is logged.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *log) has(t *testing.T, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(l.String(), p) {
			t.Errorf("the log lacks %q:\n%s", p, l)
		}
	}
}

const rules = "identities: {alice: viewer}\ndevices: known\naddresses: {192.0.2.0/24: sender}\n"

// open opens a Guard with these rules, and a token of alice's.
func open(t *testing.T, text string) (g *Guard, file string, token string, l *log) {
	t.Helper()
	dir := t.TempDir()
	file = filepath.Join(dir, "access.yaml")
	write(t, file, text)
	store, err := identities.Open(Folder(dir), identities.Options{})
	if err != nil {
		t.Fatal(err)
	}
	token, err = store.AddToken("alice", []string{access.Viewer}, "")
	if err := errors.Join(err, store.Close()); err != nil {
		t.Fatal(err)
	}
	l = new(log)
	g, err = Open(Options{Rules: file, Folder: Folder(dir), Logger: slog.New(slog.NewTextHandler(l, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		if strings.Contains(l.String(), token) {
			t.Error("the token is in the log")
		}
	})
	return g, file, token, l
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

var (
	far  = listen.Peer{IP: netip.MustParseAddr("192.0.2.7")}
	near = listen.Peer{IP: netip.MustParseAddr("127.0.0.1"), Local: true, Secure: true}
)

// TestLogin: a peer and what it says are passed on as they are, and so is the answer.
func TestLogin(t *testing.T) {
	g, _, token, _ := open(t, rules)
	over := far
	over.Secure = true
	old := far
	old.ByAddress = true
	user := listen.Peer{Unix: true, Local: true, Secure: true, UID: 0, Groups: []int{0}}
	for name, c := range map[string]struct {
		peer   listen.Peer
		secret listen.Secret
		want   string // the identity, or the cause of the refusal after a colon
	}{
		"token":                    {near, listen.Secret{Token: token}, "alice"},
		"token over TLS":           {over, listen.Secret{Token: token}, "alice"},
		"token in clear text":      {far, listen.Secret{Token: token}, ":insecure"},
		"token by its name":        {near, listen.Secret{Token: token, Name: "alice"}, "alice"},
		"token of somebody else":   {near, listen.Secret{Token: token, Name: "bob"}, ":unknown"},
		"token as a password":      {near, listen.Secret{Name: "alice", Password: token}, "alice"},
		"wrong token":              {near, listen.Secret{Token: token + "x"}, ":unknown"},
		"nothing":                  {near, listen.Secret{}, ":nothing"},
		"old program":              {old, listen.Secret{}, "address:192.0.2.7"},
		"old program elsewhere":    {far, listen.Secret{}, ":nothing"},
		"root":                     {user, listen.Secret{}, "unix:0:0"},
		"user of no rule":          {listen.Peer{Unix: true, Secure: true, UID: 4711}, listen.Secret{}, ":unbound"},
		"user that is not known":   {listen.Peer{Unix: true, Secure: true, UID: -1}, listen.Secret{}, ":unbound"},
		"malformed invitation":     {near, listen.Secret{Pairing: &listen.Pairing{ID: "?"}}, ":malformed"},
		"invitation without a key": {near, listen.Secret{Pairing: &listen.Pairing{ID: "AA"}}, ":insecure"},
	} {
		identity, err := g.Login()(t.Context(), c.peer, c.secret)
		got := identity
		if e, ok := errors.AsType[*listen.LoginError](err); ok {
			got += ":" + e.Cause
			if e.Public == "" || strings.Contains(e.Public, token) {
				t.Errorf("%s: the peer is told %q", name, e.Public)
			}
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestPairing: an invitation lets one key in, once, and only over the connection for which it was proven.
func TestPairing(t *testing.T) {
	g, _, _, _ := open(t, rules)
	hubKey := sha256.Sum256([]byte("hub"))
	key := sha256.Sum256([]byte("client"))
	invite := func() (listen.Peer, listen.Secret) {
		in, err := g.Control().Invite(access.Actor{}, "pi:3000", hubKey, pairing.Grant{Name: "bob", Roles: []string{access.Operator}})
		if err != nil {
			t.Fatal(err)
		}
		proof, err := in.Proof(hubKey, key)
		if err != nil {
			t.Fatal(err)
		}
		p := near
		p.KeyHash, p.OwnKey = key, hubKey
		return p, listen.Secret{Pairing: &listen.Pairing{ID: in.ID().String(), Proof: proof, Label: "at home"}}
	}
	for name, spoil := range map[string]func(*listen.Peer, *listen.Secret){
		"another key":    func(p *listen.Peer, _ *listen.Secret) { p.KeyHash[0]++ },
		"another hub":    func(p *listen.Peer, _ *listen.Secret) { p.OwnKey[0]++ },
		"no key":         func(p *listen.Peer, _ *listen.Secret) { p.KeyHash = [32]byte{} },
		"clear text":     func(p *listen.Peer, _ *listen.Secret) { p.Secure = false },
		"wrong proof":    func(_ *listen.Peer, s *listen.Secret) { s.Pairing.Proof[31]++ },
		"another's id":   func(_ *listen.Peer, s *listen.Secret) { s.Pairing.ID = "00" },
		"its key, alone": func(_ *listen.Peer, s *listen.Secret) { s.Pairing = nil },
	} {
		p, s := invite()
		p.IP = netip.MustParseAddr(fmt.Sprintf("10.0.0.%d", len(name))) // each from elsewhere, or it is slowed down
		spoil(&p, &s)
		if identity, err := g.Login()(t.Context(), p, s); err == nil {
			t.Errorf("%s is %s", name, identity)
		}
	}
	p, s := invite()
	if identity, err := g.Login()(t.Context(), p, s); err != nil || identity != "bob" {
		t.Errorf("%s, %v", identity, err)
	}
	if identity, err := g.Login()(t.Context(), p, s); err == nil {
		t.Errorf("it was used again, by %s", identity)
	}
	if identity, err := g.Login()(t.Context(), p, listen.Secret{}); err != nil || identity != "bob" {
		t.Errorf("by its key it is %s, %v", identity, err)
	}
}

// TestEnforce: each policy is put into force: the first one, that of another file, and that of other identities. A fault puts nothing into
// force, and the log says what it is.
func TestEnforce(t *testing.T) {
	g, file, token, l := open(t, rules)
	var in []*access.Policy
	g.Enforce(func(p *access.Policy) { in = append(in, p) })
	if len(in) != 1 || in[0] != g.Control().Policy() || !in[0].Known("alice") {
		t.Fatalf("%d policies", len(in))
	}
	write(t, file, "identities: {alice: operator}\n")
	g.Reload("SIGHUP")
	l.has(t, "the rules were read again, and are in force", "who=alice gains=\"[request")
	write(t, file, "identities: {alice: nobdy, bob: vieer}\n")
	g.Reload("SIGHUP")
	l.has(t, "the rules cannot be used, and those before stay in force", "mistakes=2")
	if _, err := g.Control().Revoke(access.Actor{}, "alice", ""); err != nil {
		t.Fatal(err)
	}
	if len(in) != 3 || in[2] != g.Control().Policy() || in[2].Known("alice") {
		t.Errorf("%d policies", len(in))
	}
	if _, err := g.Login()(t.Context(), near, listen.Secret{Token: token}); err == nil {
		t.Error("a revoked token lets somebody in")
	}
}

// TestFaults: rules that cannot be read let nobody in, nor do damaged identities by what they had; both are said, and the hub runs.
func TestFaults(t *testing.T) {
	g, file, token, l := open(t, "")
	l.has(t, "nobody may do anything: the rules cannot be used", "the file is empty")
	for _, p := range []listen.Peer{near, {Unix: true, Secure: true}} {
		if identity, err := g.Login()(t.Context(), p, listen.Secret{}); err == nil {
			t.Errorf("%s is let in", identity)
		}
	}
	write(t, file, rules)
	g.Reload("SIGHUP")
	if identity, err := g.Login()(t.Context(), near, listen.Secret{Token: token}); err != nil || identity != "alice" {
		t.Error(identity, err)
	}

	dir := t.TempDir()
	if err := os.Mkdir(Folder(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(Folder(dir), identities.FileName), "{")
	l = new(log)
	damaged, err := Open(Options{Rules: file, Folder: Folder(dir), Quiet: true, Logger: slog.New(slog.NewTextHandler(l, nil))})
	if err != nil {
		t.Fatal(err)
	}
	l.has(t, "the identities cannot be used, so nobody is let in by key, token or password", "pair everybody again")
	if identity, err := damaged.Login()(t.Context(), near, listen.Secret{Token: token}); err == nil {
		t.Errorf("%s is let in", identity)
	}
	if _, err := damaged.Login()(t.Context(), listen.Peer{Unix: true, Secure: true}, listen.Secret{}); err != nil {
		t.Errorf("root: %v", err)
	}
	if _, err := Open(Options{Rules: file, Folder: Folder(dir), Quiet: true, Logger: slog.New(slog.DiscardHandler)}); !errors.Is(err, identities.ErrBusy) {
		t.Errorf("two have the identities: %v", err)
	}
	if err := damaged.Close(); err != nil {
		t.Error(err)
	}
	again, err := Open(Options{Rules: file, Folder: Folder(dir), Audit: dir, Logger: slog.New(slog.DiscardHandler)})
	if err == nil {
		t.Error("a folder is the audit")
		_ = again.Close()
	}
	last, err := Open(Options{Rules: file, Folder: Folder(dir), Quiet: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Errorf("after a failure, the identities are still locked: %v", err)
	}
	_ = last.Close()
}

// TestDevices: only known devices come in, and the audit has it once when that changes.
func TestDevices(t *testing.T) {
	g, _, _, _ := open(t, rules)
	for range 100 {
		if identity, err := g.Device("01ab", "/dev/ttyUSB0"); err == nil {
			t.Fatalf("%s is let in", identity)
		}
	}
	if err := g.Control().Change(access.Actor{}, "know", func(s *identities.Store) error { return s.AddDevice("porch", []string{access.Sender}, "01ab") }); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if identity, err := g.Device("01ab", "/dev/ttyUSB0"); err != nil || identity != "device:01ab" {
			t.Fatal(identity, err)
		}
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(g.options.Folder, auditName))
	if err != nil || strings.Count(string(data), "ttyUSB0") != 2 {
		t.Errorf("%v\n%s", err, data)
	}
	for n := range 3 * maxVerdicts {
		_, _ = g.Device(fmt.Sprint(n), "p")
	}
	if n := len(g.devices.let); n > maxVerdicts {
		t.Errorf("%d are remembered", n)
	}
}

// TestNobody: without rules everybody comes in, as nobody.
func TestNobody(t *testing.T) {
	var g *Guard
	g.Enforce(nil)
	g.Reload("SIGHUP")
	g.Denied("a", "b", "c", "d", "e")
	identity, err := g.Device("01", "p")
	if g.Login() != nil || g.Control() != nil || identity != "" || errors.Join(err, g.Close()) != nil {
		t.Error(identity, err)
	}
	called := errors.New("called")
	if err := g.During(t.Context(), func(context.Context) error { return called }); !errors.Is(err, called) {
		t.Error(err)
	}
}

// TestWatch: a file that has changed and is not in force is said once, when it is not changing any more; one that is in force is not.
func TestWatch(t *testing.T) {
	g, file, _, l := open(t, rules)
	count := func() int { return strings.Count(l.String(), "the rules in the file are not those in force") }
	synctest.Test(t, func(t *testing.T) {
		_ = g.During(t.Context(), func(context.Context) error {
			after := func(n int) int { time.Sleep(time.Duration(n)*lookEvery + time.Second); return count() }
			if after(3) != 0 {
				t.Errorf("nothing has changed:\n%s", l)
			}
			for i := range 4 { // somebody saves again and again
				write(t, file, rules+strings.Repeat("#", i+1))
				if time.Sleep(lookEvery); count() != 0 {
					t.Error("it is still changing")
				}
			}
			if after(3) != 1 || after(100) != 1 {
				t.Errorf("said %d times", count())
			}
			l.has(t, "has changed, and is not in force: sighub reload")
			g.Reload("SIGHUP")
			if after(3) != 1 {
				t.Error("what is in force is said not to be")
			}
			write(t, file, rules+"####\n")
			if after(3) != 2 {
				t.Error("a second change is not said")
			}
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			if after(3) != 3 || after(100) != 3 {
				t.Errorf("that it is gone is said %d times", count()-2)
			}
			return nil
		})
	})
}

// TestFlush: when identities were last used is written each hour.
func TestFlush(t *testing.T) {
	g, _, token, _ := open(t, rules)
	synctest.Test(t, func(t *testing.T) {
		_ = g.During(t.Context(), func(context.Context) error {
			if _, err := g.Login()(t.Context(), near, listen.Secret{Token: token}); err != nil {
				t.Fatal(err)
			}
			used := func() time.Time {
				list, err := identities.Read(g.options.Folder)
				if err != nil || len(list) != 1 {
					t.Fatal(list, err)
				}
				return list[0].Credentials[0].Used()
			}
			if !used().IsZero() {
				t.Error("each login is written")
			}
			time.Sleep(flushEvery + time.Second)
			if used().IsZero() {
				t.Error("it is not written after an hour")
			}
			return nil
		})
	})
}

// TestPlace: a client's address is told without what each of its connections changes.
func TestPlace(t *testing.T) {
	for addr, want := range map[string]string{
		"tcp://192.0.2.7:50000": "192.0.2.7", "tls://[2001:db8::1]:7": "2001:db8::1", "unix:///run/hub.sock": "/run/hub.sock",
		"serial:///dev/ttyUSB0": "/dev/ttyUSB0", "local": "local", "": "", "wss://192.0.2.7:50001": "192.0.2.7", "ws://192.0.2.7:3": "192.0.2.7",
	} {
		if got := Place(addr); got != want {
			t.Errorf("%s: %s", addr, got)
		}
	}
}
