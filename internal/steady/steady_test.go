package steady

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// pair returns both ends of TLS over a pipe, which has no buffers, and the pipe's far end.
func pair(t *testing.T) (near *TLS, far *tls.Conn, below net.Conn) {
	t.Helper()
	a, b := net.Pipe()
	config := &tls.Config{Certificates: []tls.Certificate{certificate(t)}, SessionTicketsDisabled: true, MinVersion: tls.VersionTLS13}
	near = NewTLS(a, a, func(nc net.Conn) *tls.Conn { return tls.Server(nc, config) })
	far = tls.Client(b, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}) //nolint:gosec // the other end is the test's own
	done := make(chan error, 1)
	go func() { done <- near.Handshake() }()
	if err := errors.Join(far.Handshake(), <-done); err != nil {
		t.Fatal(err)
	}
	return near, far, b
}

// TestSlowReader: a record that is taken in pieces, each in time, is written, though all of it takes longer than one time. When
// nothing is taken, or all of it takes too long, the write ends, and so does closing.
func TestSlowReader(t *testing.T) {
	const idle = 10 * time.Second
	for name, c := range map[string]struct {
		pause, most time.Duration // between two reads; that the write may take
		works       bool
	}{
		"slow": {8 * time.Second, time.Hour, true}, "too slow": {12 * time.Second, time.Hour, false}, "too long": {8 * time.Second, 20 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, _, below := pair(t)
				text := make([]byte, 16<<10) // one record
				got := make(chan int, 1)
				go func() {
					n := 0
					for b := make([]byte, 4<<10); ; {
						time.Sleep(c.pause)
						k, err := below.Read(b)
						if n += k; err != nil {
							break
						}
					}
					got <- n
				}()
				err := near.WriteWithin(text, idle, time.Now().Add(c.most))
				if (err == nil) != c.works || err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("it ends with %v", err)
				}
				begun := time.Now()
				_ = near.Close()
				if took := time.Since(begun); took > 2*time.Second {
					t.Errorf("closing takes %v", took)
				}
				if n := <-got; c.works && n < len(text) {
					t.Errorf("%d bytes came", n)
				}
				_ = below.Close()
			})
		})
	}
}

// TestEnd: what is said arrives, and so does the word that nothing follows.
func TestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far, _ := pair(t)
		go func() { _, _ = io.WriteString(far, "hello") }()
		b := make([]byte, 5)
		if _, err := io.ReadFull(near, b); err != nil || string(b) != "hello" {
			t.Fatal(string(b), err)
		}
		end := make(chan error, 1)
		go func() {
			_, err := io.ReadAll(far)
			end <- err
		}()
		_ = near.Close()
		if err := <-end; err != nil {
			t.Errorf("the end is not told: %v", err)
		}
		_ = far.NetConn().Close()
	})
}
