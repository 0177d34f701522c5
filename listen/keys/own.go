package keys

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The names of the files in the folder of [Own].
const (
	keyFile         = "hub.key"
	certificateFile = "hub.crt"
)

const (
	lifetime   = 10 // years that a certificate of one's own is valid
	renewal    = 1  // years before its end when it is renewed
	lookAtDate = time.Hour
)

// begin is when certificates of one's own begin to be valid: a machine without a battery for its clock makes one before it knows
// the time, and an earlier date than this was never right.
func begin() time.Time { return time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC) }

// Own returns the certificate of a hub that vouches for itself. Its key, ECDSA with P-256, is made once, and stays the same: it is in
// a file of the folder that only the user of this program may read. The certificate is renewed with the same key in the year before
// it ends.
func Own(folder string, log *slog.Logger) (*Certificate, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	key, made, err := readOrMakeKey(filepath.Join(folder, keyFile))
	if err != nil {
		return nil, err
	}
	if mode := exposed(filepath.Join(folder, keyFile), groupAndOthers); mode != 0 {
		err := os.Chmod(filepath.Join(folder, keyFile), secretMode)
		log.Warn("others could read the hub's key: if somebody has done so, move it away, so that the hub makes another, and tell those who pin it",
			"folder", folder, "mode", fmt.Sprintf("%04o", mode), "taken_from_them", err == nil)
	}
	c := &Certificate{log: log, every: lookAtDate}
	c.look = func() { c.renew(folder, key, time.Now()) }
	current, err := readOwn(folder, key)
	if err != nil && (!made || !errors.Is(err, fs.ErrNotExist)) {
		log.Warn("the hub's certificate cannot be used, so it is made anew with the same key", "folder", folder, "error", err)
	}
	if err == nil {
		c.current.Store(current)
	}
	c.renew(folder, key, time.Now())
	if c.current.Load() == nil {
		return nil, fmt.Errorf("keys: no certificate can be made for the key in %s", folder)
	}
	if made {
		log.Info("the hub has a key of its own now: clients pin it", "folder", folder, "pin", c.Pin().Short())
	}
	return c, nil
}

// ReadOwn returns the certificate in a folder of [Own], without its key; it makes nothing.
func ReadOwn(folder string) (*x509.Certificate, error) {
	data, err := os.ReadFile(filepath.Join(folder, certificateFile))
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("keys: %s has no certificate in PEM", filepath.Join(folder, certificateFile))
	}
	return x509.ParseCertificate(block.Bytes)
}

// readOwn reads a certificate of one's own, which must be for the key.
func readOwn(folder string, key crypto.Signer) (*tls.Certificate, error) {
	leaf, err := ReadOwn(folder)
	if err != nil {
		return nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	if sha256.Sum256(public) != Hash(leaf) {
		return nil, errors.New("it is for another key")
	}
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

// renew makes a certificate if the hub has not had one, or if the one it has ends soon. One that cannot be kept is used until the
// program ends.
func (c *Certificate) renew(folder string, key crypto.Signer, now time.Time) {
	if has := c.current.Load(); has != nil && now.Before(has.Leaf.NotAfter.AddDate(-renewal, 0, 0)) {
		return
	}
	fresh, err := issue(key, now)
	if err != nil {
		c.log.Error("the hub's certificate cannot be made", "error", err)
		return
	}
	renewed := c.current.Swap(fresh) != nil
	err = write(filepath.Join(folder, certificateFile), encode(fresh), publicMode, os.Rename)
	if err != nil {
		c.log.Error("the hub's certificate cannot be kept", "folder", folder, "error", err)
	}
	if renewed {
		c.log.Info("the hub's certificate is renewed: its key and its pin are the same", "until", fresh.Leaf.NotAfter.Format(time.DateOnly))
	}
}

// issue makes a certificate that a key signs for itself.
func issue(key crypto.Signer, now time.Time) (*tls.Certificate, error) {
	if now.Before(begin()) { // the clock was not set
		now = begin()
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	id := sha256.Sum256(public)
	host, names, ips := ownNames()
	template := &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)),
		Subject:      pkix.Name{CommonName: commonName(host)},
		NotBefore:    begin(),
		NotAfter:     now.AddDate(lifetime, 0, 0),
		DNSNames:     names,
		IPAddresses:  ips,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		SubjectKeyId: id[:20], BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// commonName returns what a certificate is called, in UTF-8: names of hosts may have any bytes.
func commonName(host string) string {
	const longest = 64 // RFC 5280, ub-common-name
	name := "sighub on " + strings.ToValidUTF8(host, "")
	return strings.ToValidUTF8(name[:min(len(name), longest)], "")
}

// ownNames returns what this machine is called, by those who do not pin.
func ownNames() (host string, names []string, ips []net.IP) {
	names = []string{"localhost"}
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "a machine without a name"
	} else if strings.Trim(strings.ToLower(host), "abcdefghijklmnopqrstuvwxyz0123456789.-") == "" {
		names = append(names, host)
		if !strings.Contains(host, ".") {
			names = append(names, host+".local") // multicast DNS
		}
	}
	ips = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	addrs, _ := net.InterfaceAddrs() // those that are not known now are not in it
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			ips = append(ips, n.IP)
		}
	}
	return host, names, ips
}

func encode(c *tls.Certificate) (text []byte) {
	for _, der := range c.Certificate {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return text
}
