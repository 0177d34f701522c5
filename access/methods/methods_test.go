package methods_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"sighub/access"
	"sighub/access/audit"
	"sighub/access/identities"
	"sighub/access/methods"
	"sighub/access/pairing"
	"sighub/carrier/local"
	"sighub/hub"
	"sighub/hub/verb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var hubKey = [32]byte{7}

// A site is a hub with access, and a client of it.
type site struct {
	methods.Client
	control *access.Control
	file    string
	caller  access.Actor
	address string   // where the hub is reached; empty: nowhere
	ended   []string // sessions, with whose they were
	audit   func() string
	gone    []string // who was disconnected
}

const rules = `roles:
  gardener:
    - listen: {sender: "green*", event: "*"}
identities:
  alice: gardener
  bob: viewer
users:
  root: admin
devices: known
`

// newSite serves a hub in this process.
func newSite(t *testing.T, open bool) *site {
	t.Helper()
	dir := t.TempDir()
	s := &site{file: filepath.Join(dir, "access.yaml"), caller: access.Actor{Who: access.User(0, nil), From: "uid 0"}, address: "pi.local:3000"}
	s.write(t, rules)
	store, err := identities.Open(filepath.Join(dir, "state"), identities.Options{})
	must(t, err)
	var buf bytes.Buffer
	log, err := audit.Open(audit.Options{Writer: &buf})
	must(t, err)
	s.audit = func() string {
		must(t, errors.Join(store.Close(), log.Close()))
		return buf.String()
	}
	if !open {
		s.control, err = access.Open(access.Options{File: s.file, Store: store, Audit: log})
		must(t, err)
	}
	o := methods.Options{
		Control: s.control,
		Caller:  func(context.Context) access.Actor { return s.caller },
		Expel:   func(who string) { s.gone = append(s.gone, who) },
		Ended:   func(who, secret string) { s.ended = append(s.ended, who+" "+secret) },
		HubKey:  func() [32]byte { return hubKey },
		Address: func() (string, error) {
			if s.address == "" {
				return "", errors.New("nobody else reaches this hub")
			}
			return s.address, nil
		},
	}
	all := make(map[string]hub.Method)
	for name, m := range methods.New(o) {
		want := verb.Admin
		if name == methods.WhoAmI || name == methods.BeginSession || name == methods.EndSession { // of one's own
			want = 0
		}
		if m.Needs != want {
			t.Errorf("%s needs %s", name, m.Needs)
		}
		all[name] = m.Call
	}
	medium := local.NewHub(local.Options{})
	router := hub.NewClientRouter(hub.ClientOptions{})
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 2)
	go func() { served <- hub.NewServerRouter(hub.ServerOptions{Methods: all}).Serve(ctx, medium) }()
	go func() { served <- router.Serve(ctx, medium.NewPeer("test")) }()
	t.Cleanup(func() {
		stop()
		must(t, errors.Join(<-served, <-served, store.Close(), log.Close()))
	})
	s.Client = methods.Client{Caller: router}
	return s
}

func (s *site) write(t *testing.T, text string) {
	t.Helper()
	must(t, os.WriteFile(s.file, []byte(text), 0o600))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fails looks whether an error says something, and nothing about Go.
func fails(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the error is %v; it is to have %q in it", err, want)
	}
}

func TestExplain(t *testing.T) {
	s := newSite(t, false)
	must(t, second(s.MakeToken(t.Context(), methods.Grant{Name: "alice"})))
	ctx := t.Context()
	for q, want := range map[methods.Question]string{
		{Who: "alice", Verb: "listen", Sender: "greenhouse", Name: "lux"}: "alice may listen to lux of greenhouse: " + s.file + ":3, with the role gardener",
		{Who: "alice", Verb: "listen", Sender: "cellar"}:                  "alice may not listen to any event of cellar: its roles (gardener), which it has by " + s.file + ":5, allow it only for green* *",
		{Who: "alice", Verb: "admin"}:                                     "alice may not administer the hub: no rule about admin",
		{Who: "user:root", Verb: "admin"}:                                 "user root (uid 0) may administer the hub",
		{Who: "root", Verb: "admin"}:                                      "user root (uid 0) may administer the hub",
		{Who: "uid:0", Verb: "admin"}:                                     "user root (uid 0) may administer the hub",
		{Who: "me", Verb: "admin"}:                                        "user root (uid 0) may administer the hub",
		{Who: "unix:0", Verb: "admin"}:                                    "user root (uid 0) may administer the hub",
		{Who: "uid:4711", Verb: "listen"}:                                 "uid 4711 may not listen",
		{Who: "192.168.1.9", Verb: "listen"}:                              "address 192.168.1.9 may not listen",
		{Who: "address:192.168.1.9", Verb: "listen"}:                      "address 192.168.1.9 may not listen",
		{Who: "bob", Verb: "listen"}:                                      "bob may not listen to any event of any sender: it has its roles (viewer) by " + s.file + ":6, but the hub knows no key",
		{Who: "device:f300", Verb: "add", Sender: "light"}:                "device f300 may not add light",
	} {
		a, err := s.Explain(ctx, q)
		if err != nil || !strings.HasPrefix(a.Text, want) {
			t.Errorf("%+v: %q, %v; want %q", q, a.Text, err, want)
		}
	}
	for q, want := range map[methods.Question]string{
		{Who: "mallory", Verb: "listen"}:                       `nobody is called "mallory"`,
		{Who: "user:mallory", Verb: "listen"}:                  `the hub's machine has no user "mallory"`,
		{Verb: "listen"}:                                       "say who",
		{Who: "alice", Verb: "hear"}:                           "hear",
		{Who: "alice", Verb: "admin", Sender: "x"}:             "admin is not for a sender",
		{Who: "alice", Verb: "listen", Name: "lux"}:            "listen is not for",
		{Who: "alice", Verb: "add", Sender: "x", Name: "y"}:    "add is not for",
		{Who: strings.Repeat("x", 500) + "\x1b", Verb: "add"}:  "nobody is called",
		{Who: "user:" + strings.Repeat("9", 99), Verb: "add"}:  "",
		{Who: "user:-1", Verb: "listen"}:                       "",
		{Who: "uid:99999999999999999999999", Verb: "listen"}:   "",
		{Who: "fe80::1%" + strings.Repeat("z", 9), Verb: "xx"}: "xx",
	} {
		a, err := s.Explain(ctx, q)
		if err == nil && a.Allowed {
			t.Errorf("%+v: %+v", q, a)
		}
		if want != "" {
			fails(t, err, want)
		}
	}
}

func TestWhoAmI(t *testing.T) {
	s := newSite(t, false)
	must(t, second(s.MakeToken(t.Context(), methods.Grant{Name: "alice"})))
	s.caller.Who = "alice"
	self, err := s.WhoAmI(t.Context())
	if err != nil || self.Text != "alice" || self.Who != "alice" || !slices.Equal(self.Roles, []string{"gardener"}) || self.Place != s.file+":5" {
		t.Errorf("%+v, %v", self, err)
	}
	s.caller.Who = access.User(0, []int{4})
	if self, err = s.WhoAmI(t.Context()); err != nil || self.Text != "user root (uid 0)" || self.Who != "user:root" || self.Open {
		t.Errorf("%+v, %v", self, err)
	}
}

// TestOpen: a hub without access says so, whatever is asked.
func TestOpen(t *testing.T) {
	s := newSite(t, true)
	ctx := t.Context()
	if self, err := s.WhoAmI(ctx); err != nil || !self.Open {
		t.Errorf("%+v, %v", self, err)
	}
	_, err := s.Matrix(ctx)
	fails(t, err, "this hub has no access control")
	_, err = s.Reload(ctx, methods.Reloading{})
	fails(t, err, "sudo sighub setup")
	_, err = s.Invite(ctx, methods.Grant{Name: "a"})
	fails(t, err, "no access control")
}

func TestInvite(t *testing.T) {
	s := newSite(t, false)
	ctx := t.Context()
	dry, err := s.Invite(ctx, methods.Grant{Name: "laptop", DryRun: true})
	if err != nil || dry.Invitation != "" || !slices.Equal(dry.Roles, []string{"viewer"}) || !dry.Default || dry.Address != "pi.local:3000" {
		t.Errorf("%+v, %v", dry, err)
	}
	if e, err := s.Identities(ctx); err != nil || len(e.Invited) != 0 || len(e.Identities) != 0 {
		t.Errorf("a dry run leaves %+v, %v", e, err)
	}
	got, err := s.Invite(ctx, methods.Grant{Name: "laptop", Roles: []string{"operator"}})
	must(t, err)
	in, err := pairing.Parse(got.Invitation)
	must(t, err)
	if in.Address != "pi.local:3000" || !in.IsHub(hubKey) || got.Seconds != 600 || got.Tries != 5 || got.Default {
		t.Errorf("%+v", got)
	}
	e, err := s.Identities(ctx)
	if err != nil || len(e.Invited) != 1 || e.Invited[0].Name != "laptop" || e.Invited[0].Left < 590 || e.Invited[0].Left > 600 {
		t.Errorf("%+v, %v", e, err)
	}
	// Who is in the file has its roles from there.
	if got, err := s.Invite(ctx, methods.Grant{Name: "alice", Address: "10.0.0.1:3001"}); err != nil || !slices.Equal(got.Roles, []string{"gardener"}) ||
		!strings.HasPrefix(got.Invitation, "10.0.0.1:3001/") {
		t.Errorf("%+v, %v", got, err)
	}
	// What was paired keeps its roles.
	client := [32]byte{1}
	proof, err := in.Proof(hubKey, client)
	must(t, err)
	if who, err := s.control.Pair(ctx, access.Peer{Secure: true, Key: client}, in.ID(), proof, hubKey, "a label"); who != "laptop" || err != nil {
		t.Fatal(who, err)
	}
	if got, err := s.Invite(ctx, methods.Grant{Name: "laptop"}); err != nil || !slices.Equal(got.Roles, []string{"operator"}) || got.Default {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = s.Invite(ctx, methods.Grant{Name: "laptop", Roles: []string{"admin"}})
	fails(t, err, "laptop has the role operator already")
	must(t, s.CancelInvite(ctx, "laptop"))
	fails(t, s.CancelInvite(ctx, "laptop"), `nobody is invited as "laptop"`)
	_, err = s.Invite(ctx, methods.Grant{Name: "bob", Roles: []string{"king"}})
	fails(t, err, "king")
	_, err = s.Invite(ctx, methods.Grant{Name: "Bob"})
	fails(t, err, "Bob")
	_, err = s.Invite(ctx, methods.Grant{Name: "eve", Address: "nowhere"})
	fails(t, err, `"nowhere" is not an address`)
	_, err = s.Invite(ctx, methods.Grant{Name: "bob", Address: "nowhere", DryRun: true})
	fails(t, err, `"nowhere" is not an address`)
	s.address = ""
	_, err = s.Invite(ctx, methods.Grant{Name: "bob"})
	fails(t, err, "nobody else reaches this hub")
	hubKey = [32]byte{}
	defer func() { hubKey = [32]byte{7} }()
	_, err = s.Invite(ctx, methods.Grant{Name: "bob", Address: "pi:1"})
	fails(t, err, "this hub has no certificate")
	text := s.audit()
	if !strings.Contains(text, `"event":"pairing"`) || !strings.Contains(text, `"who":"unix:0"`) || !strings.Contains(text, "cancelled") ||
		strings.Contains(text, in.String()[len(in.Address)+20:]) {
		t.Errorf("the audit is\n%s", text)
	}
}

func TestTokensDevicesRevocation(t *testing.T) {
	s := newSite(t, false)
	ctx := t.Context()
	made, err := s.MakeToken(ctx, methods.Grant{Name: "ha", Roles: []string{"operator"}, Label: "home assistant"})
	if err != nil || !identities.IsToken(made.Token) {
		t.Fatalf("%+v, %v", made, err)
	}
	if dry, err := s.MakeToken(ctx, methods.Grant{Name: "other", DryRun: true}); err != nil || dry.Token != "" {
		t.Errorf("%+v, %v", dry, err)
	}
	_, err = s.MakeToken(ctx, methods.Grant{Name: "bob", Roles: []string{"king"}})
	fails(t, err, "king")
	device, err := s.AddDevice(ctx, methods.Grant{Name: "greenhouse", UID: "f300f10844ecfc75"})
	if err != nil || !slices.Equal(device.Roles, []string{"sender"}) {
		t.Errorf("%+v, %v", device, err)
	}
	_, err = s.AddDevice(ctx, methods.Grant{Name: "greenhouse", UID: ""})
	fails(t, err, "uid")
	must(t, second(s.MakeToken(ctx, methods.Grant{Name: "ha"})))
	e, err := s.Identities(ctx)
	must(t, err)
	if len(e.Identities) != 2 || e.Identities[1].Name != "ha" || len(e.Identities[1].Credentials) != 2 || e.Identities[1].Credentials[0].Label != "home assistant" ||
		e.Identities[1].Credentials[0].Proof != "" || e.Identities[0].Credentials[0].Proof != "f300f10844ecfc75" {
		t.Fatalf("%+v", e)
	}
	first := e.Identities[1].Credentials[0].ID
	dry, err := s.Revoke(ctx, methods.Revocation{Name: "ha", DryRun: true})
	if err != nil || len(dry.Credentials) != 2 || dry.Left != 0 {
		t.Errorf("%+v, %v", dry, err)
	}
	one, err := s.Revoke(ctx, methods.Revocation{Name: "ha", Credential: first})
	if err != nil || len(one.Credentials) != 1 || one.Left != 1 {
		t.Errorf("%+v, %v", one, err)
	}
	if _, err := s.control.Login(ctx, access.Peer{Secure: true}, access.Secret{Token: made.Token}); err == nil {
		t.Error("a token that is revoked lets in")
	}
	if !slices.Equal(s.gone, []string{"ha"}) { // it may have come by that, and comes back by the other one
		t.Errorf("disconnected: %q", s.gone)
	}
	rest, err := s.Revoke(ctx, methods.Revocation{Name: "ha"})
	if err != nil || len(rest.Credentials) != 1 || rest.Left != 0 {
		t.Errorf("%+v, %v", rest, err)
	}
	_, err = s.Revoke(ctx, methods.Revocation{Name: "mallory"})
	fails(t, err, `nobody is called "mallory": `)
	_, err = s.Revoke(ctx, methods.Revocation{Name: "mallory", DryRun: true})
	fails(t, err, `nobody is called "mallory"`)
	_, err = s.Revoke(ctx, methods.Revocation{Name: "ha", Credential: "nonsense"})
	fails(t, err, `has no credential "nonsense"`)
	must(t, second(s.Invite(ctx, methods.Grant{Name: "guest"})))
	if got, err := s.Revoke(ctx, methods.Revocation{Name: "guest"}); err != nil || !got.Invitation {
		t.Errorf("an invitation is taken back: %+v, %v", got, err)
	}
	if len(s.control.Pairings().Open()) != 0 {
		t.Error("it is still open")
	}
	if text := s.audit(); strings.Contains(text, made.Token) || !strings.Contains(text, "revoke ha "+first) || !strings.Contains(text, "make a token for ha") {
		t.Errorf("the audit is\n%s", text)
	}
}

// TestSetPassword: whoever is given a password in place of another one is disconnected, and nobody else is; a dry run sets nothing.
func TestSetPassword(t *testing.T) {
	s := newSite(t, false)
	ctx := t.Context()
	g := methods.Grant{Name: "carol", Roles: []string{"operator"}, Password: "correct horse"}
	dry := g
	dry.DryRun = true
	if done, err := s.SetPassword(ctx, dry); err != nil || done.Credential != "" || done.Replaced || len(s.control.Identities()) > 0 {
		t.Errorf("%+v, %v", done, err)
	}
	done, err := s.SetPassword(ctx, g)
	if err != nil || done.Credential == "" || done.Replaced || len(s.gone) > 0 {
		t.Errorf("%+v, %v, gone: %q", done, err, s.gone)
	}
	login := func(password string) bool {
		who, err := s.control.Login(ctx, access.Peer{Secure: true}, access.Secret{Name: "carol", Password: password})
		return err == nil && who == "carol"
	}
	if !login("correct horse") {
		t.Error("the password is not taken")
	}
	again, err := s.SetPassword(ctx, methods.Grant{Name: "carol", Password: "battery staple"})
	if err != nil || !again.Replaced || again.Credential == done.Credential || !slices.Equal(s.gone, []string{"carol"}) || !slices.Equal(again.Roles, []string{"operator"}) {
		t.Errorf("%+v, %v, gone: %q", again, err, s.gone)
	}
	if login("correct horse") || !login("battery staple") {
		t.Error("the old password is taken, or the new one is not")
	}
	for want, g := range map[string]methods.Grant{
		"fewer than 8 letters": {Name: "carol", Password: "short"},
		"is the name":          {Name: "dave-the-first", Password: "dave-the-first"},
		"king":                 {Name: "dave", Roles: []string{"king"}, Password: "correct horse"},
		"Dave":                 {Name: "Dave", Password: "correct horse"},
	} {
		_, err := s.SetPassword(ctx, g)
		fails(t, err, want)
	}
	if text := s.audit(); strings.Contains(text, "horse") || strings.Contains(text, "staple") || strings.Count(text, "set a password of carol") != 2 {
		t.Errorf("the audit is\n%s", text)
	}
}

func second[T any](_ T, err error) error { return err }

func TestReload(t *testing.T) {
	s := newSite(t, false)
	must(t, second(s.MakeToken(t.Context(), methods.Grant{Name: "alice"})))
	ctx := t.Context()
	s.write(t, strings.Replace(rules, "alice: gardener", "alice: operator", 1))
	table, err := s.Matrix(ctx)
	if err != nil || table.File != s.file || !strings.Contains(table.Pending, "sighub reload") || len(table.Rows) < 2 {
		t.Errorf("%+v, %v", table, err)
	}
	for _, dry := range []bool{true, false, false} {
		r, err := s.Reload(ctx, methods.Reloading{DryRun: dry})
		must(t, err)
		want := "+ alice: listen all\n+ alice: request all\n"
		if may, _ := s.control.Policy().May("alice", verb.Request, "pump", "on"); may == dry && len(r.Changes) > 0 {
			t.Errorf("dry run: %v, and alice may: %v", dry, may)
		}
		if got := access.ChangesText(r.Changes); len(r.Changes) > 0 && got != want {
			t.Errorf("it tells %s", got)
		}
	}
	s.write(t, "roles: {gardner: []}\nidentites: {}\n")
	for _, dry := range []bool{true, false} {
		r, err := s.Reload(ctx, methods.Reloading{DryRun: dry})
		if err != nil || len(r.Faults) == 0 || !strings.HasPrefix(r.Faults[0], s.file+":") || len(r.Changes) > 0 {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if may, _ := s.control.Policy().May("alice", verb.Request, "pump", "on"); !may {
		t.Error("a fault takes something away")
	}
	// Nobody is let in while there has been a fault from the beginning.
	must(t, os.Remove(s.file))
	r, err := s.Reload(ctx, methods.Reloading{})
	if err != nil || len(r.Faults) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if table, err := s.Matrix(ctx); err != nil || !strings.Contains(table.Pending, "what was loaded before is in force") {
		t.Errorf("%+v, %v", table, err)
	}
}

// TestNonsense: arguments that nobody understands are an error.
func TestNonsense(t *testing.T) {
	s := newSite(t, false)
	for name := range methods.New(methods.Options{}) {
		if name == methods.WhoAmI {
			continue
		}
		_, err := s.Call(t.Context(), name, map[string]any{"name": 7, "who": []int{1}, "dry_run": "x"})
		if err == nil && name != methods.Matrix && name != methods.Identities {
			t.Errorf("%s takes nonsense", name)
		}
	}
}
