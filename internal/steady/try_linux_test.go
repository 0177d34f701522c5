package steady

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// sockets returns TLS over a socket, and its far end, also below TLS.
func sockets(t *testing.T) (near *TLS, far *tls.Conn, below net.Conn) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	a, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{certificate(t)}, SessionTicketsDisabled: true, MinVersion: tls.VersionTLS13}
	near = NewTLS(a, a, func(nc net.Conn) *tls.Conn { return tls.Server(nc, config) })
	far = tls.Client(b, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}) //nolint:gosec // the other end is the test's own
	done := make(chan error, 1)
	go func() { done <- near.Handshake() }()
	if err := errors.Join(far.Handshake(), <-done); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = a.Close(), b.Close()
	})
	return near, far, b
}

// TestTryWrite: what is tried does not wait for a peer that does not read, and what was left goes before what follows.
func TestTryWrite(t *testing.T) {
	near, far, _ := sockets(t)
	sent := make([]byte, 4<<20)
	_, _ = rand.Read(sent)
	got := make(chan []byte, 1)
	reading := make(chan struct{})
	go func() {
		<-reading
		b := make([]byte, len(sent))
		_, _ = io.ReadFull(far, b)
		got <- b
	}()
	tried, left := 0, 0
	for at := 0; at < len(sent); {
		b := sent[at:min(len(sent), at+1+mathrand.IntN(100_000))]
		n, all, err := near.TryWrite(b)
		if err != nil || all && n != len(b) {
			t.Fatal(n, all, err)
		}
		if tried++; !all {
			if left++; left == 1 { // nobody has read, and yet this was reached
				if again, all, err := near.TryWrite(b[n:]); again != 0 || all || err != nil {
					t.Fatal("it takes more than may wait:", again, all, err)
				}
				close(reading)
			}
			if err := near.WriteWithin(b[n:], time.Minute, time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		at += len(b)
	}
	if !bytes.Equal(<-got, sent) {
		t.Error("what arrives is not what was sent")
	}
	if left == 0 || left == tried {
		t.Errorf("%d of %d waited", left, tried)
	}
}

// TestRestAlone: the rest of a record is written although nothing else follows.
func TestRestAlone(t *testing.T) {
	near, far, _ := sockets(t)
	sent := 0
	for all := true; all; {
		var n int
		var err error
		if n, all, err = near.TryWrite(make([]byte, 1<<14)); err != nil || all != (len(near.below.rest) == 0) {
			t.Fatal(n, all, err, len(near.below.rest))
		}
		sent += n
	}
	got := make(chan error, 1)
	go func() {
		_, err := io.CopyN(io.Discard, far, int64(sent))
		got <- err
	}()
	if err := near.WriteWithin(nil, time.Minute, time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
}

// TestNothingWaitsWhileClosing: while a connection closes whose peer does not read, what is tried does not wait.
func TestNothingWaitsWhileClosing(t *testing.T) {
	near, _, _ := sockets(t)
	for all := true; all; {
		var err error
		if _, all, err = near.TryWrite(make([]byte, 1<<14)); err != nil {
			t.Fatal(err)
		}
	}
	near.below.close()
	if n, all, err := near.TryWrite([]byte("more")); n != 0 || all || err != nil {
		t.Error(n, all, err)
	}
	near.below.trying(true) // as while something is tried
	if _, err := near.below.Write([]byte("more")); err != nil {
		t.Error("it has waited:", err)
	}
	near.below.trying(false)
	if _, err := near.below.Write([]byte("more")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the last word does not wait, or for ever:", err)
	}
	_ = near.Close()
}

// TestUnasked: what TLS writes by itself, because the peer asks for it, does not wait for a peer that does not read; and there is an
// end to it.
func TestUnasked(t *testing.T) {
	near, _, _ := sockets(t)
	var err error
	for err == nil {
		_, err = near.below.Write(make([]byte, 1000))
	}
	if !errors.Is(err, errUnread) || len(near.below.rest) > maxRest+1000 {
		t.Errorf("%v, with %d bytes", err, len(near.below.rest))
	}
	if err := near.WriteWithin([]byte("more"), time.Second, time.Now().Add(time.Second)); !errors.Is(err, errUnread) {
		t.Error(err)
	}
	if _, _, err := near.TryWrite([]byte("more")); err != nil {
		t.Error(err)
	}
}
