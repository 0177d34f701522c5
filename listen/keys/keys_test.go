package keys

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func own(t testing.TB, folder string, log *slog.Logger) *Certificate {
	t.Helper()
	c, err := Own(folder, log)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestPin: a pin is read as it is written, and in other ways that people type; it matches its key alone.
func TestPin(t *testing.T) {
	hash, other := sha256.Sum256([]byte("a")), sha256.Sum256([]byte("b"))
	whole := PinOf(hash)
	for _, text := range []string{whole.String(), whole.Short().String(), strings.ToLower(whole.String()), strings.ReplaceAll(whole.String(), "-", "")[:17]} {
		p, err := ParsePin(text)
		if err != nil || !p.Matches(hash) || p.Matches(other) || p.IsZero() {
			t.Errorf("%s: %v, %v", text, p, err)
		}
	}
	for text, want := range map[string]string{
		"":                      "has 0 characters",
		"AAAA-AAAA-AAAA-AAA":    "has 15 characters",
		"AAAA-AAAA-AAAA-AAA1":   "is not a pin",
		"AAAA AAAA AAAA AAAA":   "is not a pin",
		strings.Repeat("A", 53): "has 53 characters",
		"ÄÖÜÄÖÜÄÖÜÄÖÜÄÖÜÄÖÜÄÖÜÄÖÜÄÖÜ": "is not a pin",
	} {
		if p, err := ParsePin(text); err == nil || !strings.Contains(err.Error(), want) || !p.IsZero() {
			t.Errorf("%q: %v, %v", text, p, err)
		}
	}
	if (Pin{}).Matches(hash) {
		t.Error("no pin matches a key")
	}
}

func FuzzParsePin(f *testing.F) {
	f.Add("AAAA-AAAA-AAAA-AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePin(text)
		if err != nil {
			return
		}
		if again, err := ParsePin(p.String()); err != nil || again != p {
			t.Errorf("%q is %v, which is read again as %v, %v", text, p, again, err)
		}
	})
}

// TestOwn: the key is made once, and only its user may read it; what is damaged is told, and the key is never replaced.
func TestOwn(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "tls")
	first := own(t, folder, quiet())
	if again := own(t, folder, quiet()); again.Pin() != first.Pin() || !bytes.Equal(again.PEM(), first.PEM()) {
		t.Error("a second start has another key or certificate")
	}
	key, certificate := filepath.Join(folder, keyFile), filepath.Join(folder, certificateFile)
	mode := func(file string) fs.FileMode {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	if runtime.GOOS != "windows" && (mode(key) != 0o600 || mode(certificate) != 0o644) {
		t.Errorf("the modes are %v and %v", mode(key), mode(certificate))
	}
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	var log lockedText
	own(t, folder, slog.New(slog.NewTextHandler(&log, nil)))
	if runtime.GOOS != "windows" && (mode(key) != 0o600 || !strings.Contains(log.String(), "others could read the hub's key") || !strings.Contains(log.String(), "mode=0644")) {
		t.Errorf("others may read the key: %v, %s", mode(key), &log)
	}
	for _, bad := range []string{"", "half", string(first.PEM()[:200]), string(own(t, t.TempDir(), quiet()).PEM())} {
		if err := os.WriteFile(certificate, []byte(bad), 0o644); err != nil {
			t.Fatal(err)
		}
		again := own(t, folder, quiet())
		if again.Pin() != first.Pin() {
			t.Errorf("%.10q: the key is another", bad)
		}
		if leaf, err := ReadOwn(folder); err != nil || Hash(leaf) != first.Hash() {
			t.Errorf("%.10q: it is not mended: %v", bad, err)
		}
	}
	for _, bad := range []string{"", "half", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		if err := os.WriteFile(key, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := Own(folder, quiet()); err == nil || !strings.Contains(err.Error(), "restore it from a copy") {
			t.Errorf("%q: %v, %v", bad, c, err)
		}
		if got, err := os.ReadFile(key); string(got) != bad || err != nil {
			t.Errorf("%q was replaced", bad)
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 2 {
		t.Errorf("left over: %v, %v", entries, err)
	}
}

// TestCommonName: whatever a host is called, a certificate can be made for it.
func TestCommonName(t *testing.T) {
	for host, want := range map[string]string{
		"pi": "sighub on pi", strings.Repeat("ü", 40): "sighub on " + strings.Repeat("ü", 27), "a" + strings.Repeat("ü", 40): "sighub on a" + strings.Repeat("ü", 26),
		"k\xfcche": "sighub on kche",
	} {
		if got := commonName(host); got != want {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
}

// TestOwnAtOnce: of hubs that start at once with one folder, all have the same key.
func TestOwnAtOnce(t *testing.T) {
	folder := t.TempDir()
	var all sync.WaitGroup
	pins := make(chan Pin, 8)
	for range cap(pins) {
		all.Go(func() {
			if c, err := Own(folder, quiet()); err != nil {
				t.Error(err)
			} else {
				pins <- c.Pin()
			}
		})
	}
	all.Wait()
	close(pins)
	first := <-pins
	for p := range pins {
		if p != first {
			t.Errorf("%v and %v", p, first)
		}
	}
}

// TestRenewal: the certificate is renewed in time, with the same key; also when the clock was set after the start.
func TestRenewal(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := own(t, folder, quiet()) // in the year 2000: the clock is not set
		ctx, stop := context.WithCancel(t.Context())
		var keeping sync.WaitGroup
		keeping.Go(func() { c.Keep(ctx) })
		first := c.Leaf()
		if first.NotBefore != begin() || first.NotAfter != begin().AddDate(lifetime, 0, 0) {
			t.Errorf("it is valid from %v until %v", first.NotBefore, first.NotAfter)
		}
		time.Sleep(time.Until(first.NotAfter.AddDate(-renewal, 0, -1)))
		if c.Leaf() != first {
			t.Error("it was renewed too early")
		}
		time.Sleep(25 * time.Hour)
		synctest.Wait()
		second := c.Leaf()
		if second == first || Hash(second) != Hash(first) || second.NotAfter.Before(first.NotAfter.AddDate(8, 0, 0)) {
			t.Errorf("it is valid until %v; the pin was %v and is %v", second.NotAfter, PinOf(Hash(first)), c.Pin())
		}
		if kept, err := ReadOwn(folder); err != nil || !kept.Equal(second) {
			t.Errorf("it is not kept: %v", err)
		}
		stop()
		keeping.Wait()
	})
}

// TestFiles: files that change are read again once they have settled; those that cannot be used change nothing, and are told.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	certificate, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	put := func(file string, data []byte) {
		t.Helper()
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pair := func() (pem, secret []byte) {
		from := t.TempDir()
		c := own(t, from, quiet())
		secret, err := os.ReadFile(filepath.Join(from, keyFile))
		if err != nil {
			t.Fatal(err)
		}
		return c.PEM(), secret
	}
	if _, err := Files(certificate, key, quiet()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without files: %v", err)
	}
	pem1, key1 := pair()
	pem2, key2 := pair()
	put(certificate, pem1)
	put(key, key1)
	synctest.Test(t, func(t *testing.T) {
		var log lockedText
		c, err := Files(certificate, key, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var keeping sync.WaitGroup
		keeping.Go(func() { c.Keep(ctx) })
		first := c.Pin()
		put(certificate, append(pem2, ' ')) // the key has yet to follow
		time.Sleep(lookAtFiles + time.Second)
		put(key, append(key2, ' ', ' '))
		time.Sleep(lookAtFiles)
		synctest.Wait()
		if c.Pin() != first || log.String() != "" {
			t.Errorf("files that are changing were read: %s", &log)
		}
		time.Sleep(2 * lookAtFiles)
		synctest.Wait()
		second := c.Pin()
		if second == first || !strings.Contains(log.String(), "has a new key") {
			t.Errorf("what has changed was not read: %s", &log)
		}
		put(certificate, pem1[:100])
		time.Sleep(4 * lookAtFiles)
		synctest.Wait()
		if c.Pin() != second || strings.Count(log.String(), "level=ERROR") != 1 {
			t.Errorf("a certificate that cannot be used: %s", &log)
		}
		for _, pem := range [][]byte{make([]byte, len(pem1)), pem1} { // what is in the way goes, and the file looks the same
			put(certificate, pem)
			put(key, key1)
			if err := errors.Join(os.Chtimes(certificate, time.Time{}, time.Unix(1, 0)), os.Chtimes(key, time.Time{}, time.Unix(1, 0))); err != nil {
				t.Fatal(err)
			}
			time.Sleep(4 * lookAtFiles)
			synctest.Wait()
		}
		if c.Pin() != first || strings.Count(log.String(), "level=ERROR") != 2 {
			t.Errorf("a certificate that can be used again: %s", &log)
		}
		stop()
		keeping.Wait()
	})
}

// TestClient: a client's key is made on first use, and stays.
func TestClient(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sighub", "client.key")
	first, err := Client(file)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Client(file)
	if err != nil || Hash(again.Leaf) != Hash(first.Leaf) {
		t.Errorf("the key is another, %v", err)
	}
	if info, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Client(file); err == nil || !strings.Contains(err.Error(), "others may read the client's key in "+file+" (mode 0640): chmod 600 it") {
		t.Errorf("a key that others may read: %v", err)
	}
}

type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
