package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sighub/access/attempts"
	"sighub/access/audit"
	"sighub/access/identities"
	"sighub/access/pairing"
	"sighub/hub/verb"
)

// A site is a hub's access, with everything that it uses.
type site struct {
	*Control
	t       testing.TB
	file    string
	store   *identities.Store
	log     *audit.Log
	audit   bytes.Buffer
	applied []*Policy
	token   string
}

var (
	home   = Peer{Addr: netip.MustParseAddr("192.168.1.7"), Secure: true}
	laptop = Peer{Addr: netip.MustParseAddr("192.168.1.8"), Secure: true, Key: [32]byte{1}}
	root   = Actor{Who: "unix:0", From: "uid 0"}
	hubKey = [32]byte{9}
)

const siteRules = `roles:
  gardener:
    - listen: {sender: "green*", event: "*"}
users:
  pi: operator
addresses:
  192.168.1.40: sender
`

func newSite(t testing.TB, text string) (*site, error) {
	t.Helper()
	dir := t.TempDir()
	s := &site{t: t, file: filepath.Join(dir, "access.yaml")}
	s.write(text)
	var err error
	s.store, err = identities.Open(filepath.Join(dir, "state"), identities.Options{})
	must(t, err)
	must(t, s.store.AddKey("alice", []string{"viewer"}, laptop.Key, "laptop"))
	s.token, err = s.store.AddToken("ha", []string{"gardener"}, "")
	must(t, err)
	must(t, s.store.SetPassword(t.Context(), "bob", []string{"operator"}, "correct horse"))
	s.log, err = audit.Open(audit.Options{Writer: &s.audit})
	must(t, err)
	s.Control, err = Open(Options{File: s.file, Store: s.store, Directory: machine, Audit: s.log, Apply: func(p *Policy) { s.applied = append(s.applied, p) }})
	return s, err
}

func (s *site) write(text string) { must(s.t, os.WriteFile(s.file, []byte(text), 0o644)) }

// records ends the audit, and returns what is in it.
func (s *site) records() (list []audit.Record) {
	s.t.Helper()
	must(s.t, errors.Join(s.store.Close(), s.log.Close()))
	for line := range strings.Lines(s.audit.String()) {
		var r audit.Record
		must(s.t, json.Unmarshal([]byte(line), &r))
		list = append(list, r)
	}
	if text := s.audit.String(); strings.Contains(text, s.token) || strings.Contains(text, "horse") {
		s.t.Errorf("a secret is in the audit:\n%s", text)
	}
	return list
}

func causes(list []audit.Record, e audit.Event) (texts []string) {
	for _, r := range list {
		if r.Event == e {
			texts = append(texts, strings.TrimSpace(r.Verdict+" "+r.Cause+" "+r.Who))
		}
	}
	return texts
}

// TestLogin: who is let in by what, what strangers are told, and what the audit has of it.
func TestLogin(t *testing.T) {
	s, err := newSite(t, siteRules)
	must(t, err)
	exposed, local, stranger := home, Peer{Unix: true, Secure: true, UID: 1000, Groups: []int{1000}}, laptop
	exposed.Secure, stranger.Key = false, [32]byte{7}
	old := Peer{Addr: netip.MustParseAddr("192.168.1.40"), ByAddress: true}
	for _, test := range []struct {
		name   string
		peer   Peer
		secret Secret
		want   string // the identity, or what is told
	}{
		{"a key", laptop, Secret{}, "alice"},
		{"a token", home, Secret{Token: s.token}, "ha"},
		{"a token of a name", home, Secret{Token: s.token, Name: "ha"}, "ha"},
		{"a token as a password", home, Secret{Name: "ha", Password: s.token}, "ha"},
		{"a token of another name", home, Secret{Name: "alice", Password: s.token}, "access: this login is not known here, or was revoked"},
		{"a password", home, Secret{Name: "bob", Password: "correct horse"}, "bob"},
		{"a wrong password", home, Secret{Name: "bob", Password: "incorrect horse"}, "access: this login is not known here, or was revoked"},
		{"an unknown name", home, Secret{Name: "mallory", Password: "correct horse"}, "access: this login is not known here, or was revoked"},
		{"a user", local, Secret{}, "unix:1000:1000"},
		{"a user with a token", local, Secret{Token: s.token}, "ha"},
		{"a user with a wrong token", local, Secret{Token: "sgh_x"}, "access: this login is not known here"},
		{"an unbound user", Peer{Unix: true, Secure: true, UID: 4711}, Secret{}, "access: nothing is allowed to this login here"},
		{"nobody", Peer{Unix: true, Secure: true, UID: 65534}, Secret{}, "access: nothing is allowed"},
		{"a stranger's key", stranger, Secret{}, "access: this login is not known here, or was revoked"},
		{"a key and a wrong token", laptop, Secret{Token: "sgh_x"}, "access: this login is not known here, or was revoked"},
		{"an address", old, Secret{}, "address:192.168.1.40"},
		{"another address", Peer{Addr: home.Addr, ByAddress: true}, Secret{}, "access: nothing is allowed"},
		{"an address on another listener", Peer{Addr: old.Addr}, Secret{}, "access: say who you are"},
		{"nothing", home, Secret{}, "access: say who you are"},
		{"a name alone", home, Secret{Name: "bob"}, "access: say who you are"},
		{"a token in clear text", exposed, Secret{Token: s.token}, "access: a token is not taken over clear text"},
		{"a password in clear text", exposed, Secret{Name: "bob", Password: "correct horse"}, "access: a password is not taken over clear text"},
	} {
		identity, err := s.Login(t.Context(), test.peer, test.secret)
		if err != nil {
			if le, ok := errors.AsType[*LoginError](err); !ok || le.Cause == "" || identity != "" {
				t.Errorf("%s: %#v, %q", test.name, err, identity)
			}
			identity = err.Error()
		}
		if !strings.HasPrefix(identity, test.want) || test.want == "" {
			t.Errorf("%s: %q, want %q", test.name, identity, test.want)
		}
	}
	s.Denied(Actor{"alice", "192.168.1.8"}, "trigger", "light", "lux")
	list := s.records()
	logins := causes(list, audit.Login)
	if len(logins) != 22 || logins[0] != "allowed key alice" || logins[20] != "denied insecure ha" || logins[21] != "denied insecure" {
		t.Errorf("%d: %q", len(logins), logins)
	}
	if last := list[len(list)-1]; last.Event != audit.Denied || last.Verb != "trigger" || last.Sender != "light" {
		t.Errorf("%+v", last)
	}
}

// TestRevoked: what is revoked is refused at once, the policy is another one at once, and an unknown role of the file gives nothing.
func TestRevoked(t *testing.T) {
	s, err := newSite(t, siteRules)
	must(t, err)
	if ok, rule := s.Policy().May("alice", verb.Listen, "light", "lux"); !ok || rule != "the pairing of alice (viewer)" {
		t.Error(ok, rule)
	}
	if n, err := s.Revoke(root, "alice", ""); n != 1 || err != nil {
		t.Error(n, err)
	}
	if ok, _ := s.Policy().May("alice", verb.Listen, "light", "lux"); ok || s.Policy().Known("alice") || s.Policy().Class("alice") != 0 {
		t.Error("the policy still has her")
	}
	if len(s.applied) != 2 || s.applied[1] != s.Policy() {
		t.Errorf("%d policies were applied", len(s.applied))
	}
	if _, err := s.Login(t.Context(), laptop, Secret{}); err == nil {
		t.Error("a revoked key is let in")
	}
	if _, err := s.Revoke(root, "mallory", ""); !errors.Is(err, identities.ErrUnknown) {
		t.Error(err)
	}
	list := s.records()
	if got := causes(list, audit.Policy); len(got) != 2 || got[0] != "allowed identities unix:0" || got[1] != "denied identities unix:0" {
		t.Errorf("%q", got)
	}
	if !strings.Contains(list[0].Detail, "revoke alice: alice loses listen all") || causes(list, audit.Login)[0] != "denied revoked" {
		t.Errorf("%+v", list)
	}
}

// TestRevokedForGood: who is revoked has nothing any more, also if a line of the file or the default for devices would give something; an
// invitation to the same name is over; and a pairing that begins anew brings back what the file says.
func TestRevokedForGood(t *testing.T) {
	s, err := newSite(t, "identities: {alice: operator}\n")
	must(t, err)
	must(t, s.Change(root, "add", func(st *identities.Store) error { return st.AddDevice("node", []string{"viewer"}, "30:AE") }))
	if ok, _ := s.Policy().May("alice", verb.Request, "pump", "on"); !ok {
		t.Fatal("the line of the file has no effect")
	}
	in, err := s.Invite(root, "pi:3000", hubKey, pairing.Grant{Name: "alice", Roles: []string{"viewer"}})
	must(t, err)
	for _, name := range []string{"alice", "node"} {
		if _, err := s.Revoke(root, name, ""); err != nil {
			t.Fatal(err)
		}
	}
	for _, identity := range []string{"alice", "node", Device("30:AE")} {
		if s.Policy().Known(identity) {
			t.Errorf("%s is known", identity)
		}
	}
	if !s.Policy().Known(Device("30:AF")) {
		t.Error("no other device is let in")
	}
	e := s.Policy().Explain("alice", verb.Listen, "light", "lux")
	if want := "alice may not listen to lux of light: it has its roles (operator) by " + s.file + ":1, but the hub knows no key, token or password of it"; e.String() != want {
		t.Errorf("%s, want %s", e, want)
	}
	guest := Peer{Addr: home.Addr, Secure: true, Key: [32]byte{2}}
	join := func(in *pairing.Invitation) error {
		proof, err := in.Proof(hubKey, guest.Key)
		must(t, err)
		_, err = s.Pair(t.Context(), guest, in.ID(), proof, hubKey, "")
		return err
	}
	if join(in) == nil {
		t.Error("an invitation from before the revocation lets her in")
	}
	in, err = s.Invite(root, "pi:3000", hubKey, pairing.Grant{Name: "alice", Roles: []string{"viewer"}})
	must(t, err)
	must(t, join(in))
	if ok, _ := s.Policy().May("alice", verb.Request, "pump", "on"); !ok {
		t.Error("the line of the file has no effect any more")
	}
	if _, err := s.Invite(root, "pi:3000", hubKey, pairing.Grant{Name: "alice", Roles: []string{"admin"}}); err == nil || !strings.Contains(err.Error(), "has the role viewer already") {
		t.Errorf("an invitation that nobody can use: %v", err)
	}
	for _, r := range s.records() {
		if r.Event == audit.Policy && strings.HasPrefix(r.Detail, "revoke alice") && !strings.Contains(r.Detail, "alice loses listen all, request all") {
			t.Errorf("%+v", r)
		}
	}
}

// TestReload: a fault keeps the old policy; a change is told before it is in force, and who gains and loses what.
func TestReload(t *testing.T) {
	s, err := newSite(t, siteRules)
	must(t, err)
	if s.Pending() != "" {
		t.Error(s.Pending())
	}
	before := s.Policy()
	for text, want := range map[string]string{
		"": "the file is empty", "users:\n  pi: adm": "there is no role", "users: {pi: admin": "is not closed", "\x00\x00": "a byte 0",
	} {
		s.write(text)
		if _, err := s.Reload(root); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
		if _, _, err := s.DryRun(); err == nil {
			t.Errorf("%q: no fault in a dry run", text)
		}
		if got := s.Pending(); !strings.Contains(got, want) || !strings.Contains(got, "what was loaded before is in force") {
			t.Error(got)
		}
	}
	must(t, os.Remove(s.file))
	if _, err := s.Reload(root); err == nil || s.Policy() != before || len(s.applied) != 1 {
		t.Errorf("%v, %d policies", err, len(s.applied))
	}
	if got := s.Pending(); !strings.Contains(got, "no such file") {
		t.Error(got)
	}
	s.write(strings.Replace(siteRules, "pi: operator", "pi: viewer", 1) + "identities: {ha: operator}\ndevices: known\n")
	if got := s.Pending(); got != s.file+" has changed, and is not in force: sighub reload" {
		t.Error(got)
	}
	want := `+ ha: listen all
+ ha: request all
- users pi: request all
- devices any: add all
- devices any: trigger all
`
	changes, _, err := s.DryRun()
	if got := ChangesText(changes); err != nil || got != want || s.Policy() != before {
		t.Errorf("%v\n%swant\n%s", err, got, want)
	}
	changes, err = s.Reload(root)
	if got := ChangesText(changes); err != nil || got != want || s.Policy() == before || s.Pending() != "" {
		t.Errorf("%v\n%s", err, got)
	}
	if got := causes(s.records(), audit.Policy); len(got) != 6 || got[0] != "denied fault unix:0" || got[5] != "allowed reload unix:0" {
		t.Errorf("%q", got)
	}
}

// TestFaultAtStart: then nobody may do anything, not even root, until the file is mended and loaded.
func TestFaultAtStart(t *testing.T) {
	s, err := newSite(t, "users: {pi: adm}\n")
	if err == nil || s.Control == nil || s.Policy() == nil {
		t.Fatal(err)
	}
	for _, who := range []string{"unix:0", "alice", "device:x", "unix:1000"} {
		for _, v := range verb.All() {
			if ok, _ := s.Policy().May(who, v, "", ""); ok || s.Policy().Class(who) != 0 || s.Policy().Known(who) {
				t.Errorf("%s may %s", who, v)
			}
		}
	}
	if bits := s.Policy().Hears("light", "lux"); len(bits) != 1 || bits[0] != 0 {
		t.Error(bits)
	}
	if _, err := s.Login(t.Context(), laptop, Secret{}); err == nil {
		t.Error("somebody was let in")
	}
	if _, err := s.Invite(root, "pi:3000", hubKey, pairing.Grant{Name: "x", Roles: []string{"viewer"}}); err == nil || !strings.Contains(err.Error(), "has a fault: mend it") {
		t.Error(err)
	}
	if got := s.Pending(); !strings.HasPrefix(got, "nobody may do anything: ") || !strings.Contains(got, "there is no role") {
		t.Error(got)
	}
	if _, err := s.Revoke(root, "alice", ""); err != nil {
		t.Error(err)
	}
	s.write(siteRules)
	if got := s.Pending(); !strings.Contains(got, "has no fault any more") {
		t.Error(got)
	}
	if _, err := s.Reload(root); err != nil || s.Pending() != "" {
		t.Error(err, s.Pending())
	}
	if identity, err := s.Login(t.Context(), home, Secret{Token: s.token}); identity != "ha" {
		t.Error(err)
	}
	s.records()
}

// TestPairing: an invitation lets one key in, once, and only over a connection with both keys.
func TestPairing(t *testing.T) {
	s, err := newSite(t, siteRules)
	must(t, err)
	for want, g := range map[string]pairing.Grant{
		`there is no role "boss": write viewer, operator, sender, admin or gardener`: {Name: "carol", Roles: []string{"boss"}},
		"nobody is called carol: say which role to give: viewer":                     {Name: "carol"}, "has capitals": {Name: "Carol", Roles: []string{"viewer"}},
	} {
		if _, err := s.Invite(root, "pi:3000", hubKey, g); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := s.CheckGrant(pairing.Grant{Name: "Carol", Roles: []string{"viewer"}}); err == nil || strings.Count(err.Error(), "capitals") != 1 {
		t.Errorf("a mistake is not told once: %v", err)
	}
	in, err := s.Invite(root, "pi:3000", hubKey, pairing.Grant{Name: "carol", Roles: []string{"gardener"}})
	must(t, err)
	guest := Peer{Addr: netip.MustParseAddr("192.168.1.9"), Secure: true, Key: [32]byte{2}}
	proof, err := in.Proof(hubKey, guest.Key)
	must(t, err)
	insecure, keyless, other := guest, guest, guest
	insecure.Secure, keyless.Key, other.Key = false, [32]byte{}, [32]byte{3}
	for name, p := range map[string]Peer{"in clear text": insecure, "without a key": keyless, "with another key": other} {
		if _, err := s.Pair(t.Context(), p, in.ID(), proof, hubKey, ""); err == nil {
			t.Errorf("%s, it was accepted", name)
		}
	}
	identity, err := s.Pair(t.Context(), guest, in.ID(), proof, hubKey, "carol's laptop")
	if identity != "carol" || err != nil {
		t.Fatal(identity, err)
	}
	if ok, _ := s.Policy().May("carol", verb.Listen, "greenhouse", "lux"); !ok {
		t.Error("she may not listen")
	}
	if identity, err := s.Login(t.Context(), guest, Secret{}); identity != "carol" {
		t.Error(err)
	}
	if _, err := s.Pair(t.Context(), guest, in.ID(), proof, hubKey, ""); err == nil || !strings.Contains(err.Error(), "not valid, or not any more") {
		t.Errorf("it was used twice: %v", err)
	}
	again, err := s.Invite(root, "pi:3000", hubKey, pairing.Grant{Name: "carol"}) // another machine of hers
	must(t, err)
	proof, err = again.Proof(hubKey, other.Key)
	must(t, err)
	if identity, err := s.Pair(t.Context(), other, again.ID(), proof, hubKey, ""); identity != "carol" {
		t.Error(err)
	}
	var slowed error
	for range attempts.Burst + 1 {
		_, slowed = s.Pair(t.Context(), Peer{Addr: home.Addr, Secure: true, Key: [32]byte{4}}, pairing.ID{}, pairing.Proof{}, hubKey, "")
	}
	if le, ok := errors.AsType[*LoginError](slowed); !ok || le.Wait == 0 || le.Cause != "slow" {
		t.Errorf("guesses are not slowed down: %v", slowed)
	}
	list := s.records()
	if strings.Contains(s.audit.String(), strings.SplitN(in.String(), "/", 2)[1]) {
		t.Error("the invitation is in the audit")
	}
	if got := causes(list, audit.Pairing); len(got) != 17 || got[3] != "allowed invited unix:0" {
		t.Errorf("%d: %q", len(got), got)
	}
}

// TestGuessing: passwords are slowed down by address, and good keys and tokens from the same address never are.
func TestGuessing(t *testing.T) {
	s, err := newSite(t, siteRules)
	must(t, err)
	synctest.Test(t, func(t *testing.T) {
		bad := home
		for i := range attempts.Burst + 3 {
			_, err := s.Login(t.Context(), bad, Secret{Name: "bob", Password: "a wrong password"})
			le, _ := errors.AsType[*LoginError](err)
			if slowed := i >= attempts.Burst; le == nil || (le.Cause == "slow") != slowed || (le.Wait > 0) != slowed {
				t.Fatalf("attempt %d: %v", i, err)
			}
		}
		if _, err := s.Login(t.Context(), bad, Secret{Name: "bob", Password: "correct horse"}); err == nil {
			t.Error("the right password is taken from a guesser")
		}
		same := laptop
		same.Addr = bad.Addr
		for range 20 {
			if _, err := s.Login(t.Context(), bad, Secret{Token: s.token}); err != nil {
				t.Errorf("a right token waits: %v", err)
			}
			if _, err := s.Login(t.Context(), same, Secret{}); err != nil {
				t.Errorf("a right key waits: %v", err)
			}
		}
		other := Peer{Addr: netip.MustParseAddr("192.168.1.99"), Secure: true}
		if _, err := s.Login(t.Context(), other, Secret{Name: "bob", Password: "correct horse"}); err != nil {
			t.Errorf("a good client at another address: %v", err)
		}
		for range 100 {
			_, err = s.Login(t.Context(), bad, Secret{Token: "sgh_wrong"})
		}
		if le, _ := errors.AsType[*LoginError](err); le == nil || le.Cause != "slow" || le.Wait > 2*attempts.Slowest {
			t.Errorf("wrong tokens do not count: %v", err)
		}
		tokens := Peer{Addr: netip.MustParseAddr("192.168.1.98"), Secure: true}
		for range attempts.Burst {
			_, err = s.Login(t.Context(), tokens, Secret{Token: "sgh_wrong"})
		}
		if le, _ := errors.AsType[*LoginError](err); le == nil || le.Cause != "unknown" {
			t.Errorf("a wrong token: %v", err)
		}
		_, err = s.Login(t.Context(), tokens, Secret{Name: "bob", Password: "correct horse"})
		if le, _ := errors.AsType[*LoginError](err); le == nil || le.Cause != "slow" {
			t.Errorf("wrong tokens and passwords are not counted together: %v", err)
		}
		time.Sleep(attempts.Forget)
		if _, err := s.Login(t.Context(), bad, Secret{Name: "bob", Password: "correct horse"}); err != nil {
			t.Errorf("an hour later: %v", err)
		}
	})
	s.records()
}

// TestAtOnce: logins, reloads and changes at the same time; the policy in force is always a whole one.
func TestAtOnce(t *testing.T) {
	s, err := newSite(t, siteRules)
	must(t, err)
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			for i := range 20 {
				name := fmt.Sprintf("user%d", n)
				err := s.Change(root, "add", func(st *identities.Store) error {
					return st.AddKey(name, []string{"viewer"}, [32]byte{100 + byte(n)}, "")
				})
				if err != nil {
					t.Error(err)
				}
				if _, err := s.Login(t.Context(), Peer{Secure: true, Key: [32]byte{100 + byte(n)}}, Secret{}); err != nil {
					t.Error(err)
				}
				if _, err := s.Revoke(root, name, ""); err != nil {
					t.Error(err)
				}
				if s.Policy().Known(name) {
					t.Error("a revocation is not in force")
				}
				if i%5 == 0 {
					if _, err := s.Reload(root); err != nil {
						t.Error(err)
					}
				}
				if ok, _ := s.Policy().May("alice", verb.Listen, "x", "y"); !ok {
					t.Error("a policy is not whole")
				}
			}
		})
	}
	wg.Wait()
	if last := s.applied[len(s.applied)-1]; last != s.Policy() {
		t.Error("the last policy applied is not the one in force")
	}
	s.records()
}
