package web

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"sighub/carrier/tcp"
	"sighub/listen"
)

// TestLogin: who asks has to say who they are, once for each connection, where nobody else hears it; and what is public needs nobody.
func TestLogin(t *testing.T) {
	asked := make(chan string, 100)
	login := func(_ context.Context, _ listen.Peer, s listen.Secret) (string, error) {
		asked <- s.Token + s.Name + s.Password
		switch {
		case s.Token == "right", s.Name == "ann" && s.Password == "secret":
			return "ann", nil
		}
		return "", &listen.LoginError{Public: "nobody is known here by that", Cause: "unknown"}
	}
	p := serve(t, listen.Options{Strict: true}, Options{
		Streams: tcp.Options{Login: login},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "<"+listen.IdentityOf(r.Context())+">")
		}),
	})
	client := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	get := func(path, header string) (int, string) {
		r, err := http.NewRequest(http.MethodGet, "http://"+p.addr+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		if answer.StatusCode == http.StatusUnauthorized && answer.Header.Get("WWW-Authenticate") == "" {
			t.Error("it is not said how to log in")
		}
		if strings.HasPrefix(path, "/-/") && !answer.Close {
			t.Error("a stranger keeps a connection")
		}
		return answer.StatusCode, string(text)
	}
	for _, c := range []struct {
		path, header string
		status       int
		text         string
		asked        int
	}{
		{"/", "", 401, "nobody is known", 1},
		{"/", "Bearer wrong", 401, "nobody is known", 1},
		{"/", "Bearer right", 200, "<ann>", 1},
		{"/", "bearer right", 200, "<ann>", 1}, // it is another text
		{"/", "bearer right", 200, "<ann>", 0},
		{"/", "Bearer wrong", 401, "nobody is known", 1}, // on the same connection
		{"/", "Basic YW5uOnNlY3JldA==", 200, "<ann>", 1},
		{"/", "Nonsense", 401, "not understood", 0},
		{"/", "Bearer ", 401, "not understood", 0},
		{"/-/healthy", "", 200, "<>", 0},
		{"/x/-/", "", 401, "nobody is known", 1},
	} {
		status, text := get(c.path, c.header)
		if n := len(asked); status != c.status || !strings.Contains(text, c.text) || n != c.asked {
			t.Errorf("%s with %q: %d %s, asked %d times", c.path, c.header, status, text, n)
		}
		for len(asked) > 0 {
			<-asked
		}
	}
	ws := dialRaw(t, p.addr, JSON)
	defer func() { _ = ws.CloseNow() }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := ws.Write(ctx, websocket.MessageText, []byte(`{"id":1,"method":"hello","params":{"protocol":1,"token":"wrong"}}`)); err != nil {
		t.Fatal(err)
	}
	if _, text, err := ws.Read(ctx); !strings.Contains(string(text), `"status":-7`) {
		t.Errorf("the WebSocket answers %s, %v", text, err)
	}
	for len(asked) > 0 {
		<-asked
	}
	secret := &http.Request{Header: http.Header{"Authorization": {"Bearer right"}}}
	if identity, refused := p.web.login(secret.WithContext(ctx), &guest{Conn: far{}, rooms: p.web.rooms}); refused == nil || identity != "" {
		t.Errorf("a secret is taken that was said in clear text: %s", identity)
	}
	if len(asked) != 1 {
		t.Error("nobody learns that others may have heard a secret, which has to end then")
	}
}

// A far is a connection in clear text to another machine.
type far struct{ listen.Conn }

func (far) Peer() listen.Peer { return listen.Peer{Addr: "tcp://192.0.2.7:1"} }

// TestExpel: who was expelled is asked again, on a new connection, and by what it says then.
func TestExpel(t *testing.T) {
	var revoked atomic.Bool
	login := func(_ context.Context, _ listen.Peer, s listen.Secret) (string, error) {
		if s.Token == "old" && revoked.Load() {
			return "", &listen.LoginError{Public: "this login was revoked", Cause: "revoked"}
		}
		return "ann", nil
	}
	streaming := make(chan struct{})
	p := serve(t, listen.Options{Strict: true}, Options{
		Streams: tcp.Options{Login: login},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/stream" {
				close(streaming)
				<-r.Context().Done()
			}
		}),
	})
	client := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	get := func(path, token string) int {
		r, err := http.NewRequest(http.MethodGet, "http://"+p.addr+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := client.Do(r)
		if err != nil {
			return 0
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		return answer.StatusCode
	}
	if got := get("/", "old"); got != 200 {
		t.Fatal(got)
	}
	ended := make(chan int, 1)
	go func() { ended <- get("/stream", "old") }()
	<-streaming
	if got := get("/", "old"); got != 200 { // on another connection
		t.Fatal(got)
	}
	revoked.Store(true)
	p.web.Expel("bob")
	if got := get("/", "old"); got != 200 {
		t.Errorf("somebody else was expelled, and ann gets %d", got)
	}
	p.web.Expel("ann")
	select {
	case got := <-ended:
		if got == 200 {
			t.Errorf("what is being answered ends with %d", got)
		}
	case <-time.After(30 * time.Second): // half of the client's patience
		t.Fatal("what is being answered goes on")
	}
	if got := get("/", "old"); got != 401 {
		t.Errorf("what was revoked gets %d", got)
	}
	if got := get("/", "new"); got != 200 {
		t.Errorf("another token gets %d", got)
	}
}

// TestDoubt: who is doubted has to prove again who it is, on the connection that there is; and who is let in while somebody is doubted.
func TestDoubt(t *testing.T) {
	var asked atomic.Int32
	over := make(map[string]bool)
	var p *port
	login := func(_ context.Context, _ listen.Peer, s listen.Secret) (string, error) {
		asked.Add(1)
		switch {
		case s.Token == "slow":
			p.web.Doubt("bob") // while it is being found out
		case over[s.Token]:
			return "", &listen.LoginError{Public: "you are logged in no more", Cause: "over"}
		}
		return "ann", nil
	}
	p = serve(t, listen.Options{Strict: true}, Options{Streams: tcp.Options{Login: login}, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})})
	client := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	get := func(token string, status, times int) {
		t.Helper()
		r, err := http.NewRequest(http.MethodGet, "http://"+p.addr+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		asked.Store(0)
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		if n := int(asked.Load()); answer.StatusCode != status || n != times {
			t.Errorf("%s: %s, asked %d times; want %d, %d times", token, answer.Status, n, status, times)
		}
	}
	get("one", 200, 1)
	get("one", 200, 0)
	p.web.Doubt("bob")
	get("one", 200, 0)
	p.web.Doubt("ann")
	get("one", 200, 1)
	get("one", 200, 0)
	get("slow", 200, 1)
	get("slow", 200, 1) // on the connection of one
	get("one", 200, 1)
	over["one"] = true
	p.web.Doubt("ann")
	get("one", 401, 1)
	get("one", 401, 1)
}

// TestBase: everything is also below a path that a proxy passes on.
func TestBase(t *testing.T) {
	p := serve(t, listen.Options{}, Options{Base: "/house/hub", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.URL.Path+" "+r.URL.EscapedPath())
	})})
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for path, want := range map[string]string{
		"/": "/ /", "/house/hub/": "/ /", "/house/hub/api/v1/senders/a%2Fb": "/api/v1/senders/a/b /api/v1/senders/a%2Fb", "/house/hubs": "/house/hubs /house/hubs",
		"/house/hub/house/hub/x": "/house/hub/x /house/hub/x", "/house/hub": "-> hub/",
	} {
		answer, err := client.Get("http://" + p.addr + path)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		got := string(text)
		if answer.StatusCode == http.StatusMovedPermanently {
			got = "-> " + answer.Header.Get("Location")
		}
		if got != want {
			t.Errorf("%s is answered as %q, not %q", path, got, want)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	nc, err := Dialer{URL: "ws://" + p.addr + "/house/hub" + Path}.Dial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_ = nc.Close()
}
