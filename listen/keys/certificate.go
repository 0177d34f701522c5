package keys

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// A Certificate is what a hub shows in TLS. It changes while the hub runs: see [Own] and [Files].
type Certificate struct {
	current atomic.Pointer[tls.Certificate]
	log     *slog.Logger
	every   time.Duration
	look    func() // whether it has to change; called each so often
}

// Get returns what is valid now.
func (c *Certificate) Get() *tls.Certificate { return c.current.Load() }

// Leaf returns the hub's own certificate.
func (c *Certificate) Leaf() *x509.Certificate { return c.Get().Leaf }

// Hash returns the SHA-256 of the hub's public key.
func (c *Certificate) Hash() [sha256.Size]byte { return Hash(c.Leaf()) }

// Pin returns the pin of the hub's key.
func (c *Certificate) Pin() Pin { return PinOf(c.Hash()) }

// PEM returns the certificate and those that lead to its authority, in PEM.
func (c *Certificate) PEM() []byte { return encode(c.Get()) }

// Keep renews the certificate, or reads it again, when that is due, until ctx is done.
func (c *Certificate) Keep(ctx context.Context) {
	tick := time.NewTicker(c.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.look()
		}
	}
}

// lookAtFiles is how often files are looked at for changes.
const lookAtFiles = 5 * time.Second

// Files returns the certificate in a file, with its key in another, both in PEM. The certificates of authorities in between
// follow the hub's own. When the files have changed, and then stay the same for some seconds, they are read again. If they cannot
// be used then, the certificate stays as it is.
func Files(certificate, key string, log *slog.Logger) (*Certificate, error) {
	f := &files{certificate: certificate, key: key}
	f.seen = f.state()
	current, err := f.load()
	if err != nil {
		return nil, err
	}
	f.used = f.seen
	if mode := exposed(key, allOthers); mode != 0 {
		log.Warn("every user of this machine may read the key of the certificate: chmod o-rwx it", "file", key, "mode", fmt.Sprintf("%04o", mode))
	}
	c := &Certificate{log: log, every: lookAtFiles}
	c.look = func() { c.reload(f) }
	c.use(current)
	return c, nil
}

// files are those that a certificate is read from.
type files struct {
	certificate, key string
	seen, used, told [2]fileState // when they were looked at last, were read last, and could not be used last
}

type fileState struct {
	modified int64 // nanoseconds
	size     int64
	there    bool
}

func (f *files) state() (s [2]fileState) {
	for i, name := range []string{f.certificate, f.key} {
		if info, err := os.Stat(name); err == nil {
			s[i] = fileState{info.ModTime().UnixNano(), info.Size(), true}
		}
	}
	return s
}

func (f *files) load() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(f.certificate, f.key)
	if err != nil {
		return nil, fmt.Errorf("keys: the certificate in %s with the key in %s cannot be used: %w: both must be in PEM, and of one key",
			f.certificate, f.key, err)
	}
	return &pair, nil
}

// reload reads the files again if they have changed, and are not changing any more.
func (c *Certificate) reload(f *files) {
	now := f.state()
	settled := now == f.seen
	f.seen = now
	if !settled || now == f.used {
		return
	}
	fresh, err := f.load()
	if err != nil { // it is tried again: what is in the way may go without a change of the files, such as their modes
		if f.told != now {
			f.told = now
			c.log.Error("the files of the certificate have changed, and cannot be used: the one before stays in use", "error", err,
				"valid_until", c.Leaf().NotAfter.Format(time.DateTime))
		}
		return
	}
	f.used = now
	before := c.Pin()
	c.use(fresh)
	if pin := c.Pin(); pin != before {
		c.log.Warn("the certificate was read again, and has a new key: tell those who pin it", "pin", pin.Short(), "before", before.Short())
		return
	}
	c.log.Info("the certificate was read again")
}

// use makes a certificate the one that is shown, and warns if it cannot be valid.
func (c *Certificate) use(fresh *tls.Certificate) {
	c.current.Store(fresh)
	if now := time.Now(); now.After(fresh.Leaf.NotAfter) {
		c.log.Warn("the certificate has ended, so only those who pin its key will take it", "ended", fresh.Leaf.NotAfter.Format(time.DateTime))
	}
}
