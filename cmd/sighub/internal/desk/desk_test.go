package desk_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sighub/access"
	"sighub/access/methods"
	"sighub/access/pairing"
	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/cmd/sighub/internal/desk"
	"sighub/hub"
	"sighub/hub/verb"
	"sighub/internal/address"
	"sighub/internal/guard"
	"sighub/listen/keys"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A home is a hub with rules, over TLS, and its owner.
type home struct {
	methods.Client // of the owner, at the Unix socket
	t              *testing.T
	addr           string // host:port
	guard          *guard.Guard
	late           atomic.Int64 // by how much it is later than it is
	folder         string
}

func newHome(t *testing.T) *home {
	h := &home{t: t, folder: t.TempDir()}
	log := slog.New(slog.DiscardHandler)
	rules := filepath.Join(h.folder, "access.yaml")
	must(t, os.WriteFile(rules, []byte("users: {"+itself()+": admin}\n"), 0o600))
	var err error
	h.guard, err = guard.Open(guard.Options{Rules: rules, Folder: filepath.Join(h.folder, "access"), Logger: log,
		Now: func() time.Time { return time.Now().Add(time.Duration(h.late.Load())) }})
	must(t, err)
	certificate, err := keys.Own(filepath.Join(h.folder, "tls"), log)
	must(t, err)
	var list []address.Address
	for _, text := range []string{"unix://" + h.folder + "/hub.sock", "tcp://127.0.0.1:0"} {
		a, err := address.ParseListen(text)
		must(t, err)
		list = append(list, a)
	}
	servers, err := address.Listen(list, address.Options{Certificate: certificate, Login: h.guard.Login(), Logger: log})
	must(t, err)
	h.addr = strings.TrimPrefix(servers[0].Addrs()[1], "tcp://")
	d := &desk.Desk{Guard: h.guard, Certificate: certificate, Carriers: []carrier.Carrier{servers[0]}}
	o := hub.ServerOptions{Methods: make(map[string]hub.Method), Needs: make(map[string]verb.Verb), Grace: time.Millisecond}
	d.Apply(&o)
	d.Router = hub.NewServerRouter(o)
	h.guard.Enforce(func(p *access.Policy) { d.Router.SetPolicy(p) })
	owner := hub.NewClientRouter(hub.ClientOptions{})
	h.Client = methods.Client{Caller: owner}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 2)
	go func() { served <- d.Router.Serve(ctx, servers[0]) }()
	go func() { served <- owner.Serve(ctx, list[0].Connect(address.ClientOptions{})) }()
	t.Cleanup(func() {
		stop()
		must(t, errors.Join(<-served, <-served, h.guard.Close()))
	})
	return h
}

// invite invites somebody.
func (h *home) invite(name string) *pairing.Invitation {
	h.t.Helper()
	got, err := h.Invite(h.t.Context(), methods.Grant{Name: name, Address: h.addr})
	must(h.t, err)
	in, err := pairing.Parse(got.Invitation)
	must(h.t, err)
	return in
}

func key(t *testing.T) *tls.Certificate {
	t.Helper()
	c, err := keys.Client(filepath.Join(t.TempDir(), "client.key"))
	must(t, err)
	return c
}

// pair says a proof, or what is said in its place.
func (h *home) pair(addr string, in *pairing.Invitation, key *tls.Certificate, proof func(hubKey, clientKey [32]byte) ([32]byte, error)) (string, error) {
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	done, err := tcp.Pair(ctx, addr, tcp.Invitation{ID: in.ID().String(), Key: key, Label: "test", Proof: proof})
	return done.Identity, err
}

func proofOf(in *pairing.Invitation) func(hubKey, clientKey [32]byte) ([32]byte, error) {
	return func(hubKey, clientKey [32]byte) ([32]byte, error) { return in.Proof(hubKey, clientKey) }
}

// refused looks whether somebody is not let in, and is told no more than that.
func (h *home) refused(what string, err error) {
	h.t.Helper()
	if !errors.Is(err, carrier.ErrDenied) {
		h.t.Errorf("%s: %v", what, err)
	}
	for _, word := range []string{"expired", "proof", "guess", "open", "used"} {
		if err != nil && strings.Contains(err.Error(), word) {
			h.t.Errorf("%s: a stranger is told %q", what, err)
		}
	}
}

// audit returns what is in the audit, once it has a text.
func (h *home) audit(text string) string {
	h.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) { // another goroutine writes it
		data, err := os.ReadFile(filepath.Join(h.folder, "access", "audit.log"))
		must(h.t, err)
		if strings.Contains(string(data), text) {
			return string(data)
		}
		if time.Now().After(end) {
			h.t.Fatalf("%s is not in the audit:\n%s", text, data)
		}
	}
}

func TestJoinOnce(t *testing.T) {
	h := newHome(t)
	in := h.invite("laptop")
	var said [32]byte
	mine := key(t)
	who, err := h.pair(h.addr, in, mine, func(hubKey, clientKey [32]byte) ([32]byte, error) {
		proof, err := in.Proof(hubKey, clientKey)
		said = proof
		return proof, err
	})
	if who != "laptop" || err != nil {
		t.Fatal(who, err)
	}
	// Again, with the same key, with another one, and what was said by somebody who has overheard it.
	_, err = h.pair(h.addr, in, mine, proofOf(in))
	h.refused("again", err)
	_, err = h.pair(h.addr, in, key(t), proofOf(in))
	h.refused("with another key", err)
	next := h.invite("phone")
	_, err = h.pair(h.addr, next, key(t), func([32]byte, [32]byte) ([32]byte, error) { return said, nil })
	h.refused("overheard", err)
	if who, err := h.pair(h.addr, next, key(t), proofOf(next)); who != "phone" || err != nil {
		t.Error("one failure takes the invitation away:", who, err)
	}
	text := h.audit(`"who":"phone"`)
	if strings.Contains(text, in.String()[len(in.Address)+20:]) || !strings.Contains(text, `"from":"uid `) {
		t.Errorf("the audit is\n%s", text)
	}
}

// TestOverheard: what was said for one pair of keys is good for no other key, while the invitation is still open.
func TestOverheard(t *testing.T) {
	h := newHome(t)
	in := h.invite("laptop")
	victim := key(t)
	var hubKey [32]byte
	_, err := h.pair(h.addr, in, key(t), func(hub, _ [32]byte) ([32]byte, error) {
		hubKey = hub
		return in.Proof(hub, keys.Hash(victim.Leaf)) // what the victim would have said
	})
	h.refused("with the proof of another key", err)
	if !in.IsHub(hubKey) {
		t.Error("it was another hub")
	}
	if who, err := h.pair(h.addr, in, victim, proofOf(in)); who != "laptop" || err != nil {
		t.Error(who, err)
	}
}

func TestGuessed(t *testing.T) {
	h := newHome(t)
	in := h.invite("laptop")
	for i := range pairing.Tries {
		_, err := h.pair(h.addr, in, key(t), func([32]byte, [32]byte) ([32]byte, error) { return [32]byte{byte(i)}, nil })
		h.refused("guessed", err)
	}
	h.audit(`"cause":"guessed"`)
	if e, err := h.Identities(t.Context()); err != nil || len(e.Invited) != 0 || len(e.Identities) != 0 {
		t.Errorf("the invitation is still open: %+v, %v", e, err)
	}
	h.late.Store(int64(2 * time.Minute)) // so that it is not only the address that has to wait
	_, err := h.pair(h.addr, in, key(t), proofOf(in))
	h.refused("after the guesses", err)
	// Another id is not found by trying: nothing is open under it.
	_, err = h.pair(h.addr, h.invite("other"), key(t), proofOf(in))
	h.refused("with the secret of another invitation", err)
}

func TestTooLate(t *testing.T) {
	h := newHome(t)
	in := h.invite("laptop")
	h.late.Store(int64(pairing.Valid))
	_, err := h.pair(h.addr, in, key(t), proofOf(in))
	h.refused("too late", err)
	h.audit(`"cause":"expired"`)
}

func TestOneOfMany(t *testing.T) {
	h := newHome(t)
	in := h.invite("laptop")
	var won atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		mine := key(t)
		all.Go(func() {
			if who, err := h.pair(h.addr, in, mine, proofOf(in)); err == nil && who == "laptop" {
				won.Add(1)
			}
		})
	}
	all.Wait()
	e, err := h.Identities(t.Context())
	if won.Load() != 1 || err != nil || len(e.Identities) != 1 || len(e.Identities[0].Credentials) != 1 {
		t.Errorf("%d have joined: %+v, %v", won.Load(), e, err)
	}
}

// TestInTheMiddle: somebody who takes the connection with another key is told nothing, not even a hello.
func TestInTheMiddle(t *testing.T) {
	h := newHome(t)
	in := h.invite("laptop")
	own, err := keys.Own(t.TempDir(), slog.New(slog.DiscardHandler))
	must(t, err)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{*own.Get()}, NextProtos: []string{tcp.ALPN}, ClientAuth: tls.RequestClientCert})
	must(t, err)
	defer l.Close()
	heard := make(chan []byte, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			heard <- []byte(err.Error())
			return
		}
		defer c.Close()
		data, _ := io.ReadAll(c) // it fails when the client goes
		heard <- data
	}()
	_, err = h.pair(l.Addr().String(), in, key(t), proofOf(in))
	if err == nil || !strings.Contains(err.Error(), "this is another hub") {
		t.Errorf("%v", err)
	}
	if data := <-heard; len(data) > 0 {
		t.Errorf("it has heard %q", data)
	}
	if who, err := h.pair(h.addr, in, key(t), proofOf(in)); who != "laptop" || err != nil {
		t.Errorf("the invitation is spoilt: %s, %v", who, err)
	}
}

// TestClearText: an invitation is not used over clear text, also if the proof were right.
func TestClearText(t *testing.T) {
	h := newHome(t)
	in := h.invite("laptop")
	c, err := net.Dial("tcp", h.addr)
	must(t, err)
	defer c.Close()
	must(t, c.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(c, `{"method":"hello","params":{"protocol":1,"pair":{"id":"`+in.ID().String()+`","proof":"`+strings.Repeat("00", 32)+`"}},"id":1}`+"\n")
	must(t, err)
	buf := make([]byte, 4096)
	n, err := c.Read(buf)
	if err != nil || !bytes.Contains(buf[:n], []byte("used over TLS")) {
		t.Errorf("%q, %v", buf[:n], err)
	}
	if e, err := h.Identities(t.Context()); err != nil || len(e.Invited) != 1 || e.Invited[0].Failed != 0 {
		t.Errorf("it counts as a try: %+v, %v", e, err)
	}
}

// TestRevoked: who has come by a key that is revoked is disconnected, also if the identity has another one.
func TestRevoked(t *testing.T) {
	h := newHome(t)
	files := []*tls.Certificate{key(t), key(t)}
	for _, k := range files {
		in := h.invite("laptop")
		if _, err := h.pair(h.addr, in, k, proofOf(in)); err != nil {
			t.Fatal(err)
		}
	}
	lost, denied := make(chan error, 10), make(chan error, 10)
	connected := make(chan struct{}, 10)
	client := tcp.NewClient("tls://"+h.addr, tcp.ClientOptions{TLS: &tcp.TLS{Key: files[0], Pin: keys.PinOf(hubHash(t, h))}, Failed: func(err error) { denied <- err }})
	router := hub.NewClientRouter(hub.ClientOptions{Connected: func() { connected <- struct{}{} }, Disconnected: func(err error) { lost <- err }})
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- router.Serve(ctx, client) }()
	defer func() {
		stop()
		must(t, <-served)
	}()
	<-connected
	e, err := h.Identities(t.Context())
	must(t, err)
	for _, c := range e.Identities[0].Credentials {
		if c.Used != nil {
			_, err := h.Revoke(t.Context(), methods.Revocation{Name: "laptop", Credential: c.ID})
			must(t, err)
		}
	}
	select {
	case why := <-lost:
		t.Log(why)
	case <-time.After(patience):
		t.Fatal("it is not disconnected")
	}
	if err := <-denied; !errors.Is(err, carrier.ErrDenied) {
		t.Errorf("it comes back: %v", err)
	}
}

func hubHash(t *testing.T, h *home) [32]byte {
	t.Helper()
	leaf, err := keys.ReadOwn(filepath.Join(h.folder, "tls"))
	must(t, err)
	return keys.Hash(leaf)
}

// itself returns the user of this process, as rules name one.
func itself() string { return strconv.Itoa(os.Getuid()) }
