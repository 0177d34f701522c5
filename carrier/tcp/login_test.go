package tcp

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/carrier/carriertest"
	"sighub/listen"
	"sighub/listen/keys"
)

const testToken = "sgh_TESTTESTTESTTESTTESTTESTTESTTESTTESTTESTTESTTESTTEST"

// knows lets in who says testToken, who has a key, and the users of a Unix socket.
func knows(_ context.Context, p listen.Peer, s listen.Secret) (string, error) {
	switch {
	case s.Token == testToken && p.Secure:
		return "alice", nil
	case s.Token != "" || s.Pairing != nil:
	case p.Unix:
		return fmt.Sprint("user ", p.UID), nil
	case p.KeyHash != [32]byte{}:
		return "key", nil
	case p.ByAddress:
		return "address " + p.IP.String(), nil
	}
	return "", &listen.LoginError{Public: "nobody knows you here", Cause: "unknown", Err: errors.New("only the owner is told this")}
}

// TestConformanceLogin: all rules of the contract hold for clients that were let in.
func TestConformanceLogin(t *testing.T) {
	for _, c := range []struct {
		name  string
		codec carrier.Codec
		tls   bool
	}{{"CBOR", carrier.CBOR, false}, {"JSON", carrier.JSON, false}, {"TLS", carrier.CBOR, true}} {
		t.Run(c.name, func(t *testing.T) {
			carriertest.Run(t, func(t testing.TB) *carriertest.Pair {
				o, client := Options{ByAddress: true, Login: knows}, ClientOptions{Token: testToken}
				if c.tls {
					o.Certificate = ownCertificate(t)
					client.TLS = &TLS{Pin: o.Certificate.Pin()}
				}
				return connectTLS(t, loopback, c.codec, o, client)
			})
		})
	}
}

// TestLogin: whoever is let in is known by an identity; whoever is not is told so, and the connection ends.
func TestLogin(t *testing.T) {
	hello := func(more string) string {
		return `{"id":0,"method":"hello","params":{"protocol":1` + more + `}}`
	}
	proof := strings.Repeat("0a", 32)
	for _, c := range []struct {
		name, say string
		addr      string
		byAddress bool
		identity  string // empty: not let in
		hear      string
	}{
		{"token", hello(`,"token":"` + testToken + `"`), loopback, false, "alice", `"identity":"alice"`},
		{"wrong token", hello(`,"token":"sgh_guess"`), loopback, true, "", `{"id":0,"status":-7,"exception":"nobody knows you here"}` + "\n"},
		{"nothing", hello(""), loopback, false, "", `{"id":0,"status":-7,"exception":"nobody knows you here"}` + "\n"},
		{"address", hello(""), loopback, true, "address 127.0.0.1", `"identity":"address 127.0.0.1"`},
		{"old program", `{"id":7,"method":"echo","params":1}`, loopback, false, "", `{"id":7,"status":-7,"exception":"nobody knows you here"}`},
		{"old program by address", `{"id":7,"method":"echo","params":1}`, loopback, true, "address 127.0.0.1", `{"id":7,"status":0,"response":1}`},
		{"user", hello(""), "unix", false, "user ", `"identity":"user `},
		{"old program of a user", `{"id":7,"method":"echo","params":1}`, "unix", false, "user ", `{"id":7,"status":0,"response":1}`},
		{"invited", hello(`,"pair":{"id":"AB12","proof":"` + proof + `"}`), loopback, false, "", `"status":-7`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.addr == "unix" {
				c.addr = "unix://" + filepath.Join(t.TempDir(), "hub")
			}
			var asked atomic.Int64
			var letIn time.Time // before whoever has been let in is told to the hub
			h := serveHub(t, c.addr, Options{ByAddress: c.byAddress, Login: func(ctx context.Context, p listen.Peer, s listen.Secret) (string, error) {
				asked.Add(1)
				letIn = time.Now()
				return knows(ctx, p, s)
			}}, nil)
			before := time.Now()
			s := h.speaker()
			s.say(c.say)
			if c.identity == "" {
				s.hearEnd(c.hear)
				if h.Refused()["denied"] != 1 || h.Stats().Clients != 0 {
					t.Errorf("%+v", h.Stats())
				}
				return
			}
			client, err := h.Client(h.ctx)
			if err != nil || !strings.HasPrefix(client.Identity, c.identity) {
				t.Fatalf("the client is %+v, %v", client, err)
			}
			if client.Proven.Before(before) || client.Proven.After(letIn) {
				t.Errorf("it was asked who the client is at %v, not between %v and %v", client.Proven, before, letIn)
			}
			s.say(`{"id":8,"method":"echo","params":2}`)
			_ = s.nc.(interface{ CloseWrite() error }).CloseWrite()
			s.hearEnd(c.hear, `{"id":8,"status":0,"response":2}`)
			if asked.Load() != 1 {
				t.Errorf("asked %d times", asked.Load())
			}
		})
	}
}

// TestLoginHello: what proves who a client is has a form, and errors do not repeat it.
func TestLoginHello(t *testing.T) {
	half, whole := strings.Repeat("A7", 16), strings.Repeat("a7", 32)
	for params, want := range map[string]string{
		`{"protocol":1,"token":"secret"}`:                                                    "",
		`{"protocol":1,"token":null,"pair":null}`:                                            "",
		`{"protocol":1,"token":["secret"]}`:                                                  "token: it must be a text",
		`{"protocol":1,"token":7007}`:                                                        "token: it must be a text",
		`{"protocol":1,"pair":"secret"}`:                                                     "pair: it must be a map",
		`{"protocol":1,"pair":{"id":7,"proof":"` + whole + `"}}`:                             "pair: it must be a map",
		`{"protocol":1,"pair":{"id":"x","proof":"` + half + `"}}`:                            "64 digits in hexadecimal",
		`{"protocol":1,"pair":{"id":"x","proof":"` + whole + `a"}}`:                          "64 digits in hexadecimal",
		`{"protocol":1,"pair":{"id":"x","proof":"` + strings.Repeat("g", 64) + `"}}`:         "64 digits in hexadecimal",
		`{"protocol":1,"pair":{"id":"x"}}`:                                                   "64 digits in hexadecimal",
		`{"protocol":1,"pair":{"id":"x","proof":"` + whole + `","label":"there","later":1}}`: "",
	} {
		h, err := parseHello(carrier.RawValue(carrier.JSON, []byte(params)))
		switch {
		case (err == nil) != (want == ""), err != nil && !strings.Contains(err.Error(), want):
			t.Errorf("%s: %v", params, err)
		case err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "7007") || strings.Contains(err.Error(), half)):
			t.Errorf("%s is repeated: %v", params, err)
		case strings.Contains(params, "there") && (h.secret.Pairing.Label != "there" || h.secret.Pairing.Proof[31] != 0xa7):
			t.Errorf("%+v", h.secret.Pairing)
		}
	}
	if s := fmt.Sprintf("%v %+v %#v %s", listen.Secret{Token: "abc"}, listen.Secret{Token: "abc"}, listen.Secret{Token: "abc"}, hello{secret: listen.Secret{Token: "abc"}}.secret); strings.Contains(s, "abc") {
		t.Errorf("printed: %s", s)
	}
}

// TestSecretsAreNotLogged: however a hello is damaged that has a token in it, the token is neither in the log nor in the answer.
func TestSecretsAreNotLogged(t *testing.T) {
	var log lockedBuffer
	h := serveHub(t, loopback, Options{Login: knows, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}, nil)
	good := `{"id":0,"method":"hello","params":{"protocol":1,"token":"` + testToken + `","name":"x"}}`
	secret := testToken[len(testToken)-16:]
	at := strings.Index(good, secret)
	for _, with := range []string{"}", "]", "\"", "\n", "\x00", "\xff", "[", "7", ""} {
		for i := range len(good) {
			if i >= at && i < at+len(secret) {
				continue
			}
			s := h.speaker()
			s.say(good[:i] + with + good[i+1:])
			_ = s.nc.(*net.TCPConn).CloseWrite()
			told, _ := io.ReadAll(s.nc)
			_ = s.nc.Close()
			if strings.Contains(string(told), secret) {
				t.Fatalf("%q at %d: told %q", with, i, told)
			}
		}
	}
	if strings.Contains(log.String(), secret) {
		for line := range strings.Lines(log.String()) {
			if strings.Contains(line, secret) {
				t.Fatalf("logged: %s", line)
			}
		}
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestSlowLogin: while one client waits to be let in, others come in and are served; a login that takes too long is over, and so is one
// when the hub ends.
func TestSlowLogin(t *testing.T) {
	waiting := make(chan context.Context)
	o := Options{ByAddress: true, Login: func(ctx context.Context, p listen.Peer, s listen.Secret) (string, error) {
		if s.Token == "slow" {
			waiting <- ctx
			<-ctx.Done()
			return "", ctx.Err()
		}
		return knows(ctx, p, s)
	}}
	o.Limits.HelloTimeout = 500 * time.Millisecond
	h := serveHub(t, loopback, o, nil)
	slow := h.speaker()
	slow.say(`{"id":0,"method":"hello","params":{"protocol":1,"token":"slow"}}{"id":1,"method":"echo","params":1}`)
	<-waiting
	for range 20 {
		s := h.speaker()
		s.say(`{"id":7,"method":"echo","params":1}`)
		s.hear(`{"id":7,"status":0,"response":1}`)
	}
	slow.hearEnd(`{"id":0,"status":-7,"exception":"` + loginFailed + `"}` + "\n")
	if clients := h.Stats().Clients; clients > 20 {
		t.Errorf("%d clients", clients)
	}
	last := h.speaker()
	last.say(`{"id":0,"method":"hello","params":{"protocol":1,"token":"slow"}}`)
	<-waiting // and the hub ends while it waits
}

// seeming is a listener whose connections are made within the process, and seem to come from anywhere.
type seeming struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *seeming) Accept() (net.Conn, error) {
	select {
	case nc := <-l.conns:
		return nc, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l *seeming) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *seeming) Addr() net.Addr { return &net.TCPAddr{} }

type seemingConn struct {
	net.Conn
	from net.Addr
}

func (c seemingConn) RemoteAddr() net.Addr { return c.from }

func (l *seeming) dial(from string) net.Conn {
	near, far := net.Pipe()
	l.conns <- seemingConn{near, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 1))}
	return far
}

// TestManyFailedLogins: ten thousand logins that fail, each of which takes a while, keep out nobody else, and nothing is left of them. A
// token is not taken over clear text.
func TestManyFailedLogins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &seeming{conns: make(chan net.Conn), closed: make(chan struct{})}
		below, err := listen.Open(listen.Options{Listeners: []net.Listener{l}, Strict: true})
		if err != nil {
			t.Fatal(err)
		}
		server := On(below, Options{Login: func(_ context.Context, p listen.Peer, s listen.Secret) (string, error) {
			if p.IP.String() == "192.0.2.7" && s.Token == "" {
				return "good", nil
			}
			if !p.Secure && s.Token == testToken {
				return "", &listen.LoginError{Public: "not over clear text", Cause: "insecure"}
			}
			time.Sleep(100 * time.Millisecond)
			return "", &listen.LoginError{Public: "unknown", Cause: "unknown"}
		}})
		r := carriertest.NewRecorder(t, "hub")
		ctx := serveCarrier(t, server, r)
		good := l.dial("192.0.2.7")
		ask := func(text, want string) {
			t.Helper()
			_, _ = io.WriteString(good, text)
			got := make([]byte, len(want))
			if _, err := io.ReadFull(good, got); string(got) != want {
				t.Fatalf("heard %q, %v", got, err)
			}
		}
		ask(jsonHello, strings.Replace(jsonWelcome, "}}", `,"identity":"good"}}`, 1))
		if c, err := r.Client(ctx); err != nil || c.Identity != "good" {
			t.Fatal(c, err)
		}
		heard := l.dial("198.51.100.1")
		go func() {
			_, _ = io.WriteString(heard, `{"id":0,"method":"hello","params":{"protocol":1,"token":"`+testToken+`"}}`)
		}()
		if told, _ := io.ReadAll(heard); string(told) != `{"id":0,"status":-7,"exception":"not over clear text"}`+"\n" {
			t.Errorf("told %q", told)
		}
		var all sync.WaitGroup
		var told atomic.Int64
		for i := range 10_000 {
			nc := l.dial(fmt.Sprintf("10.%d.%d.1", i%7, i%3))
			all.Go(func() {
				_, _ = io.WriteString(nc, `{"id":0,"method":"hello","params":{"protocol":1,"token":"guess"}}`)
				if text, _ := io.ReadAll(nc); strings.Contains(string(text), `"status":-7`) {
					told.Add(1)
				}
				_ = nc.Close()
			})
			if i%500 == 0 {
				begun := time.Now()
				ask(`{"id":"e","method":"echo","params":[1]}`, `{"id":"e","status":0,"response":[1]}`+"\n")
				if took := time.Since(begun); took > 0 {
					t.Fatalf("it took %v", took)
				}
			}
		}
		all.Wait()
		if open, strangers := below.Connections(); open != 1 || strangers != 0 {
			t.Errorf("%d connections, %d of strangers", open, strangers)
		}
		if told.Load() == 0 || server.Stats().Clients != 1 {
			t.Errorf("%d were told, %+v", told.Load(), server.Stats())
		}
		_ = good.Close()
	})
}

// TestSilentOldProgram: where an address is an identity, a program may be silent for an hour before it says its first message; whoever has
// begun has ten seconds. Elsewhere, silence ends after ten seconds.
func TestSilentOldProgram(t *testing.T) {
	for _, byAddress := range []bool{true, false} {
		h := serveHub(t, loopback, Options{ByAddress: byAddress, Login: knows, Limits: Limits{HelloTimeout: time.Second}}, nil)
		silent, slow := h.speaker(), h.speaker()
		slow.say(`{"id":1,`)
		slow.hearEnd(`nothing was said completely`)
		if !byAddress {
			silent.hearEnd()
			continue
		}
		silent.say(`{"id":7,"method":"echo","params":1}`)
		silent.hear(`{"id":7,"status":0,"response":1}`)
	}
}

// TestRefusedClient: a client that is refused says so, tries again later, and comes in once it may.
func TestRefusedClient(t *testing.T) {
	var open atomic.Bool
	h := serveHub(t, loopback, Options{Login: func(ctx context.Context, p listen.Peer, s listen.Secret) (string, error) {
		if !open.Load() {
			return "", &listen.LoginError{Public: "not yet", Cause: "unknown"}
		}
		return knows(ctx, p, s)
	}}, nil)
	if err := try(t, h.Addr(), ClientOptions{Token: testToken}); !errors.Is(err, carrier.ErrDenied) || !strings.Contains(err.Error(), "does not let this client in: hello: not allowed: not yet") {
		t.Errorf("the error is %v", err)
	}
	var failures atomic.Int64
	begun := time.Now()
	c := NewClient(h.Addr(), ClientOptions{Token: testToken, RefusedPause: time.Second, Failed: func(err error) {
		if failures.Add(1); errors.Is(err, carrier.ErrDenied) {
			open.Store(true)
		}
	}})
	r := carriertest.NewRecorder(t, "peer")
	ctx := serveCarrier(t, c, r)
	if _, err := r.Client(ctx); err != nil || failures.Load() != 1 || time.Since(begun) < 500*time.Millisecond {
		t.Errorf("connected after %v and %d failures, %v", time.Since(begun), failures.Load(), err)
	}
}

// TestNoDowngrade: a token is said to nobody who speaks clear text in place of TLS, nor to a hub whose key is another one.
func TestNoDowngrade(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var heard lockedBuffer
	var all sync.WaitGroup
	all.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer func() { _ = nc.Close() }()
				_ = nc.SetDeadline(time.Now().Add(200 * time.Millisecond))
				_, _ = io.WriteString(nc, jsonWelcome)
				_, _ = io.Copy(&heard, nc)
			})
		}
	})
	defer all.Wait()
	defer func() { _ = l.Close() }()
	where := l.Addr().String()
	if err := try(t, "tls://"+where, ClientOptions{Token: testToken, Codec: carrier.JSON}); !errors.Is(err, ErrTLS) {
		t.Errorf("the error is %v", err)
	}
	if strings.Contains(heard.String(), testToken) {
		t.Error("the token was said in clear text")
	}
	h := serveHub(t, loopback, Options{Certificate: ownCertificate(t), Login: func(context.Context, listen.Peer, listen.Secret) (string, error) {
		t.Error("something was said")
		return "x", nil
	}}, nil)
	for addr, want := range map[string]bool{"tcp://pi.local:3000": false, "pi.local:3000": false, "tls://pi.local:3000": true} {
		if to, err := parseTarget(addr, nil); err != nil || to.secure(listen.Peer{Addr: "tcp://192.0.2.7:3000"}) != want {
			t.Errorf("a token is said to %s: %v, %v", addr, !want, err)
		}
	}
	other := ownCertificate(t).Pin()
	if err := try(t, "tls://"+strings.TrimPrefix(h.Addr(), "tcp://"), ClientOptions{Token: testToken, TLS: &TLS{Pin: other}}); !errors.Is(err, keys.ErrPin) {
		t.Errorf("the error is %v", err)
	}
}

// TestPair: a client says its proof to the hub of the invitation, for the keys of this connection, and to no other hub.
func TestPair(t *testing.T) {
	certificate := ownCertificate(t)
	key, err := keys.Client(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	proofOf := func(hubKey, clientKey [32]byte) (p [32]byte) {
		for i := range p {
			p[i] = hubKey[i] ^ clientKey[31-i]
		}
		return p
	}
	h := serveHub(t, loopback, Options{Certificate: certificate, Login: func(_ context.Context, p listen.Peer, s listen.Secret) (string, error) {
		if s.Pairing == nil || s.Pairing.ID != "7Q4M" || s.Pairing.Label != "at home" || s.Pairing.Proof != proofOf(p.OwnKey, p.KeyHash) || p.OwnKey != certificate.Hash() {
			return "", &listen.LoginError{Public: "not valid", Cause: "wrong"}
		}
		return "alice", nil
	}}, nil)
	addr := strings.TrimPrefix(h.Addr(), "tcp://")
	in := Invitation{ID: "7Q4M", Key: key, Label: "at home", Proof: func(hubKey, clientKey [32]byte) ([32]byte, error) {
		return proofOf(hubKey, clientKey), nil
	}}
	got, err := Pair(h.ctx, addr, in)
	if err != nil || got.Identity != "alice" || got.Pin != certificate.Pin() {
		t.Errorf("%+v, %v", got, err)
	}
	in.ID = "WRONG"
	if got, err := Pair(h.ctx, addr, in); !errors.Is(err, carrier.ErrDenied) || got != (Paired{}) {
		t.Errorf("%+v, %v", got, err)
	}
	elsewhere := errors.New("this is another hub")
	in.Proof = func([32]byte, [32]byte) ([32]byte, error) { return [32]byte{}, elsewhere }
	refused := h.Refused()["denied"]
	if _, err := Pair(h.ctx, addr, in); !errors.Is(err, elsewhere) || h.Refused()["denied"] != refused {
		t.Errorf("%v; the hub: %v", err, h.Refused())
	}
	open := serveHub(t, loopback, Options{Certificate: certificate}, nil)
	in.Proof = func([32]byte, [32]byte) ([32]byte, error) { return [32]byte{}, nil }
	if _, err := Pair(h.ctx, strings.TrimPrefix(open.Addr(), "tcp://"), in); err == nil || !strings.Contains(err.Error(), "lets everybody in") {
		t.Errorf("a hub without logins: %v", err)
	}
	plain := serveHub(t, loopback, Options{Login: knows}, nil)
	if _, err := Pair(h.ctx, plain.Addr(), in); !errors.Is(err, ErrTLS) {
		t.Errorf("a hub without TLS: %v", err)
	}
	if _, err := Pair(h.ctx, addr, Invitation{}); err == nil {
		t.Error("without a key")
	}
}

// TestKeyIdentity: who is known by a key is known over TLS.
func TestKeyIdentity(t *testing.T) {
	certificate := ownCertificate(t)
	key, err := keys.Client(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	h := serveHub(t, loopback, Options{Certificate: certificate, Login: knows}, nil)
	for _, k := range []*tls.Certificate{key, nil} {
		err := try(t, h.Addr(), ClientOptions{TLS: &TLS{Pin: certificate.Pin(), Key: k}})
		if (err == nil) != (k != nil) || err != nil && !errors.Is(err, carrier.ErrDenied) {
			t.Errorf("with a key: %v; %v", k != nil, err)
		}
	}
}
