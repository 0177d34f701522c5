package access

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestSessions: who has logged in may go on by a session, until something is revoked, or it is not used for long.
func TestSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := newSite(t, siteRules)
		must(t, err)
		defer s.records()
		begin := func(who string) string {
			t.Helper()
			secret, err := s.BeginSession(who)
			must(t, err)
			return secret
		}
		in := func(p Peer, secret string) bool {
			who, err := s.Login(t.Context(), p, Secret{Token: secret})
			return err == nil && who == "bob"
		}
		for _, who := range []string{"", "unix:1000", "device:0102", "address:192.168.1.40"} {
			if secret, err := s.BeginSession(who); err == nil {
				t.Errorf("%q has the session %s", who, secret)
			}
		}
		bob, other := begin("bob"), begin("bob")
		if bob == other || !strings.HasPrefix(bob, SessionMark) || !in(home, bob) || !in(home, other) {
			t.Errorf("the sessions %s and %s", bob, other)
		}
		for _, wrong := range []string{bob[:len(bob)-1], bob + "A", SessionMark, SessionMark + strings.Repeat("A", 52)} {
			if in(home, wrong) {
				t.Errorf("%q lets in", wrong)
			}
		}
		if who := s.EndSession(other); who != "bob" || in(home, other) || !in(home, bob) {
			t.Errorf("the other session has ended, or one of %q that has ended goes on", who)
		}
		if who := s.EndSession(other); who != "" {
			t.Errorf("a session of %s ends twice", who)
		}
		for name, want := range map[string]bool{"bob": true, "alice": false} {
			who, err := s.Login(t.Context(), home, Secret{Token: bob, Name: name})
			if (err == nil) != want || want && who != "bob" {
				t.Errorf("a session of bob, as %s: %q, %v", name, who, err)
			}
		}
		exposed := home
		exposed.Secure = false
		if in(exposed, bob) || in(home, bob) {
			t.Error("a session that others may have heard goes on")
		}

		bob = begin("bob")
		if _, err := s.Revoke(root, "alice", ""); err != nil || !in(home, bob) {
			t.Errorf("another identity was revoked: %v", err)
		}
		must(t, s.store.AddKey("bob", nil, [32]byte{7}, ""))
		keys, _ := s.store.Find("bob")
		_, err = s.Revoke(root, "bob", keys.Credentials[1].ID) // bob has a password still
		must(t, err)
		if in(home, bob) {
			t.Error("a session is left after a key was revoked")
		}
		if secret, err := s.BeginSession("bob"); err == nil {
			t.Errorf("who is about to be disconnected has the session %s", secret)
		}
		time.Sleep(settle + 1)
		bob = begin("bob")
		for range 3 { // used every three weeks
			if time.Sleep(21 * 24 * time.Hour); !in(home, bob) {
				t.Fatal("a session ends that is used")
			}
		}
		if time.Sleep(sessionTime + 1); in(home, bob) {
			t.Error("a session that nobody uses does not end")
		}
		bob = begin("bob")
		_, err = s.Revoke(root, "bob", "")
		must(t, err)
		if in(home, bob) {
			t.Error("a session is left after all was revoked")
		}
	})
}

// TestManySessions: there are as many as there may be, and the oldest makes way.
func TestManySessions(t *testing.T) {
	var s sessions
	now := time.Now()
	var mine []string
	for i := range maxOfOne + 2 {
		secret, err := s.begin("ann", now.Add(time.Duration(i)))
		must(t, err)
		mine = append(mine, secret)
	}
	for i, secret := range mine {
		if who, ok := s.find(secret, now); ok != (i >= 2) || ok && who != "ann" {
			t.Errorf("session %d: %q", i, who)
		}
	}
	for i := range 2 * maxSessions {
		_, err := s.begin(strings.Repeat("b", i%maxSessions+1), now.Add(time.Duration(i)))
		must(t, err)
	}
	if len(s.open) != maxSessions {
		t.Errorf("there are %d sessions", len(s.open))
	}
}
