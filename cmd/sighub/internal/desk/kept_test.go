package desk_test

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"sighub/access"
	"sighub/access/pairing"
	"sighub/carrier/tcp"
	"sighub/carrier/web"
	"sighub/hub"
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

// TestEndedEverywhere: with a session end the connections that came by it, on every protocol, and those who hear events over HTTP. Those of
// another session of the same identity, and of its token, go on.
func TestEndedEverywhere(t *testing.T) {
	m := newMarket(t)
	const who = "i1"
	one, err := m.guard.Control().BeginSession(who)
	must(t, err)
	other, err := m.guard.Control().BeginSession(who)
	must(t, err)
	refused := make(chan error, 100)
	connect := func(name, token string, failed func(error)) {
		t.Helper()
		o := tcp.ClientOptions{Name: name, Token: token, Failed: failed}
		if strings.HasPrefix(name, "page") {
			o.Dial = web.Dialer{URL: "ws://" + m.addr + web.Path}.Dial
		}
		router := hub.NewClientRouter(hub.ClientOptions{})
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = router.Serve(ctx, tcp.NewClient("tcp://"+m.addr, o))
		}()
		t.Cleanup(func() { stop(); <-done })
	}
	never := func(err error) {
		if err != nil && t.Context().Err() == nil {
			t.Errorf("who has not logged out is disconnected: %v", err)
		}
	}
	gone := func(err error) {
		select {
		case refused <- err:
		default:
		}
	}
	connect("page one", one, gone)
	connect("one", one, gone)
	connect("page other", other, never)
	connect("other", other, never)
	connect("token", m.tokens[1], never)
	there := func() (names string) {
		for _, c := range m.router.Clients() {
			names += cmp.Or(c.Name, c.Addr) + ", "
		}
		return names
	}
	listen := func(token string) io.Reader {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		t.Cleanup(cancel)
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.addr+"/api/v1/events", nil)
		must(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := new(http.Transport{DisableKeepAlives: true}).RoundTrip(r)
		must(t, err)
		t.Cleanup(func() { _ = answer.Body.Close() })
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("events are answered with %s", answer.Status)
		}
		return answer.Body
	}
	stream := listen(one)
	listen(other)
	until := func(what string, is func() bool) {
		t.Helper()
		for end := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s does not happen: there are %s", what, there())
			}
		}
	}
	until("that all are there", func() bool { return len(m.router.Clients()) == 7 })
	m.guard.Control().EndSession(one + "x")
	if n := len(m.router.Clients()); n != 7 {
		t.Errorf("of another session: %d clients are left", n)
	}
	v := m.visit(&protocols[0], 0, m.tokens[0])
	defer v.leave()
	v.cells = make(map[string]bool)
	v.tell("end", "end_session", object("token", one), nil)
	v.wait()
	text, err := io.ReadAll(stream)
	if err != nil || !strings.Contains(string(text), "event: end\ndata: {\"reason\":\"closed\"}") {
		t.Errorf("who hears events by what has ended is told %s: %v", text, err)
	}
	until("that those of the session have gone", func() bool { return len(m.router.Clients()) == 5 }) // with who has ended it
	if names := there(); strings.Contains(names, "one") || !strings.Contains(names, "page other") || !strings.Contains(names, "token") {
		t.Errorf("there are %s", names)
	}
	until("that one comes back", func() bool { return len(refused) > 0 }) // and is not let in
	if n := len(m.router.Clients()); n != 5 {
		t.Errorf("%d clients are there: %s", n, there())
	}
}
