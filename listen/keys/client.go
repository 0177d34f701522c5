package keys

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// Client returns a client's own key, which is in a file that only the user of this program may read. If there is no file, the key
// is made, and the folders that the file is in. A file that others may read is an error. The certificate around it says nothing: hubs know a client by its key alone, by
// the hash that [Hash] returns.
func Client(file string) (*tls.Certificate, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, fmt.Errorf("keys: the client's key cannot be made: %w", err)
	}
	key, _, err := readOrMakeKey(file)
	if err != nil {
		return nil, fmt.Errorf("keys: the client's key cannot be had: %w", err)
	}
	if mode := exposed(file, groupAndOthers); mode != 0 {
		return nil, fmt.Errorf("keys: others may read the client's key in %s (mode %04o): chmod 600 it; if somebody has read it, move it away, and have a new one let in",
			file, mode)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a client of sighub"},
		NotBefore: begin(), NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // it does not end (RFC 5280, 4.1.2.5)
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true,
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
