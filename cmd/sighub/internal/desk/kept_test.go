package desk_test

import (
	"io"
	"net/http"
	"testing"

	"sighub/access"
	"sighub/access/pairing"
)

// TestRevokedOnKeptConnection: a token that is revoked is refused in the next request on a connection of HTTP that is kept open, also if
// its identity has another one, which is taken.
func TestRevokedOnKeptConnection(t *testing.T) {
	m := newMarket(t)
	const who = "i1"
	other, err := m.guard.Control().AddToken(access.Actor{Who: "test"}, pairing.Grant{Name: who}, "")
	must(t, err)
	id := ""
	for _, i := range m.guard.Control().Identities() {
		if i.Name == who {
			id = i.Credentials[0].ID
		}
	}
	ask := m.keep(m.tokens[1])
	ask(m.tokens[1], http.StatusOK)
	owner := m.visit(&protocols[0], len(m.roles)-1, m.tokens[len(m.roles)-1])
	defer owner.leave()
	owner.cells = make(map[string]bool)
	owner.tell("revoke", "revoke", object("name", who, "credential", id), nil)
	owner.wait()
	if !owner.cells["revoke"] {
		t.Fatal("the owner may not revoke")
	}
	ask(m.tokens[1], http.StatusUnauthorized)
	ask(other, http.StatusOK)
}

// TestEndedOnKeptConnection: who has logged out is refused in the next request on a connection of HTTP that is kept open, as a proxy
// does for many.
func TestEndedOnKeptConnection(t *testing.T) {
	m := newMarket(t)
	one, err := m.guard.Control().BeginSession("i1")
	must(t, err)
	other, err := m.guard.Control().BeginSession("i1")
	must(t, err)
	ask, askOther := m.keep(one), m.keep(other)
	ask(one, http.StatusOK)
	askOther(other, http.StatusOK)
	v := m.visit(&protocols[0], 1, m.tokens[1])
	defer v.leave()
	v.cells = make(map[string]bool)
	v.tell("end", "end_session", object("token", one), nil)
	v.wait()
	if !v.cells["end"] {
		t.Fatal("nobody can log out")
	}
	ask(one, http.StatusUnauthorized)
	askOther(other, http.StatusOK)
}

// keep returns a function that asks over one connection of HTTP by a token, and wants a status.
func (m *market) keep(token string) func(token string, want int) {
	t := m.t
	v := m.visit(&protocol{name: "REST", rest: true}, 1, token)
	t.Cleanup(v.leave)
	return func(token string, want int) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, v.base+"/api/v1/senders", nil)
		must(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := v.http.Do(r)
		must(t, err)
		_, err = io.Copy(io.Discard, answer.Body) // so that the connection is kept
		must(t, err)
		must(t, answer.Body.Close())
		if answer.StatusCode != want {
			t.Errorf("the answer is %s, want %d", answer.Status, want)
		}
	}
}
