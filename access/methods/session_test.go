package methods_test

import (
	"slices"
	"strings"
	"testing"

	"sighub/access"
	"sighub/access/methods"
)

// TestPassword: an owner gives somebody a password, who then goes on by a session.
func TestPassword(t *testing.T) {
	s := newSite(t, false)
	set := func(name, role, password string) {
		t.Helper()
		got, err := s.SetPassword(t.Context(), methods.Grant{Name: name, Roles: []string{role}, Password: password})
		if err != nil || got.Name != name || got.Roles[0] != role {
			t.Errorf("%+v, %v", got, err)
		}
	}
	set("carl", "operator", "correct horse")
	if _, err := s.SetPassword(t.Context(), methods.Grant{Name: "carl", Password: "short"}); err == nil || strings.Contains(err.Error(), "short\"") {
		t.Errorf("a short password: %v", err)
	}
	home := access.Peer{Secure: true}
	who, err := s.control.Login(t.Context(), home, access.Secret{Name: "carl", Password: "correct horse"})
	if err != nil || who != "carl" {
		t.Fatalf("%q, %v", who, err)
	}
	if _, err := s.BeginSession(t.Context()); err == nil {
		t.Error("the user of a socket has a session")
	}
	s.caller.Who = "dora"
	set("dora", "viewer", "battery staple")
	if secret, err := s.BeginSession(t.Context()); err != nil || !strings.HasPrefix(secret, access.SessionMark) {
		t.Errorf("%s, %v", secret, err)
	}
	set("dora", "viewer", "staple battery")
	if _, err := s.BeginSession(t.Context()); err == nil {
		t.Error("there is a session for who is about to be disconnected")
	}
	s.caller.Who = "alice"
	secret, err := s.BeginSession(t.Context())
	must(t, err)
	must(t, s.EndSession(t.Context(), secret+"x"))
	if len(s.ended) > 0 {
		t.Errorf("no session has ended, and who has come by %v is disconnected", s.ended)
	}
	if _, err := s.control.Login(t.Context(), home, access.Secret{Token: secret}); err == nil {
		t.Error("alice has no credential that is valid, and a session lets in")
	}
	must(t, s.EndSession(t.Context(), secret))
	if !slices.Equal(s.ended, []string{"alice " + secret}) {
		t.Errorf("a session of alice has ended, and who has come by %v is disconnected", s.ended)
	}
	if !slices.Equal(s.gone, []string{"dora"}) {
		t.Errorf("disconnected: %v", s.gone)
	}
	if text := s.audit(); strings.Contains(text, "horse") || strings.Contains(text, "staple") || strings.Contains(text, access.SessionMark) {
		t.Error("a secret is in the audit")
	}
}

// TestFirstPassword: who is given a password beside a token is not logged out.
func TestFirstPassword(t *testing.T) {
	s := newSite(t, false)
	_, err := s.MakeToken(t.Context(), methods.Grant{Name: "carl", Roles: []string{"operator"}})
	must(t, err)
	secret, err := s.control.BeginSession("carl")
	must(t, err)
	in := func() bool {
		_, err := s.control.Login(t.Context(), access.Peer{Secure: true}, access.Secret{Token: secret})
		return err == nil
	}
	for _, password := range []string{"correct horse", "battery staple"} {
		done, err := s.SetPassword(t.Context(), methods.Grant{Name: "carl", Password: password})
		again := password == "battery staple"
		if err != nil || done.Replaced != again || in() == again || len(s.gone) > 0 != again {
			t.Errorf("%+v, %v; the session lets in: %v; disconnected: %v", done, err, in(), s.gone)
		}
	}
}

// TestQR: a text is drawn.
func TestQR(t *testing.T) {
	s := newSite(t, false)
	rows, err := s.DrawQR(t.Context(), "https://pi.local:3000/#/in/sgh_"+strings.Repeat("A", 52))
	if err != nil || len(rows) < 21 || len(rows[0]) != len(rows) || !strings.HasPrefix(rows[0], "#######.") {
		t.Errorf("%v, %q", err, rows)
	}
	for _, text := range []string{"", strings.Repeat("x", 513)} {
		if _, err := s.DrawQR(t.Context(), text); err == nil {
			t.Errorf("%d bytes are drawn", len(text))
		}
	}
}

// TestMay: who asks is told which verbs there are for it.
func TestMay(t *testing.T) {
	s := newSite(t, false)
	self, err := s.WhoAmI(t.Context())
	if err != nil || strings.Join(self.May, " ") != "add trigger listen request admin" {
		t.Errorf("root may %v, %v", self.May, err)
	}
	s.write(t, strings.Replace(rules, "root: admin", "root: [admin, gardener]", 1))
	if _, err := s.Reload(t.Context(), methods.Reloading{}); err != nil {
		t.Fatal(err)
	}
	if again, err := s.WhoAmI(t.Context()); err != nil || again.Rights == self.Rights || len(self.Rights) != 16 {
		t.Errorf("the rights %s become %s, %v", self.Rights, again.Rights, err)
	}
	s.caller.Who = access.Device("01")
	if self, err = s.WhoAmI(t.Context()); err != nil || len(self.May) != 0 {
		t.Errorf("a device that is not known may %v, %v", self.May, err)
	}
	p := s.control.Policy()
	if !p.MayAll(access.User(0, nil), 3) || p.MayAll("nobody", 3) || p.MayAll(access.User(0, nil), 0) {
		t.Error("MayAll is wrong")
	}
}
