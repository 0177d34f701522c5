package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

const (
	secretMode = 0o600
	publicMode = 0o644
)

// readOrMakeKey reads a private key from a file, or makes one if there is no file: of two programs that do so at once, both
// have the same. made reports whether this one made it.
func readOrMakeKey(file string) (key crypto.Signer, made bool, err error) {
	key, err = readKey(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, false, err
	}
	fresh, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // P-256, because browsers know no Ed25519
	if err != nil {
		return nil, false, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(fresh)
	if err != nil {
		return nil, false, err
	}
	err = write(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), secretMode, os.Link)
	if errors.Is(err, fs.ErrExist) { // another program was faster
		key, err = readKey(file)
		return key, false, err
	}
	return fresh, err == nil, err
}

// readKey reads a private key.
func readKey(file string) (crypto.Signer, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, fmt.Errorf("keys: %s has no key in PEM (PRIVATE KEY): restore it from a copy, or move it away to have a new key made, "+
			"which those must be told who pin the old one", file)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("keys: the key in %s cannot be read: %w: restore it from a copy, or move it away to have a new key made", file, err)
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("keys: the key in %s cannot sign", file)
	}
	return key, nil
}

// exposed returns the mode of a file if it lets others than its user read or write it, and if it lets those do so whom a mask has; 0: it
// does not, or that is not known.
func exposed(file string, mask fs.FileMode) fs.FileMode {
	info, err := os.Stat(file)
	if err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&mask == 0 { // modes say nothing there
		return 0
	}
	return info.Mode().Perm()
}

// Whom a mode is for.
const (
	groupAndOthers = 0o077
	allOthers      = 0o007
)

// write writes a file so that a loss of power leaves the old one or the new one. put gives the finished file its name:
// [os.Rename] replaces another one, and [os.Link] is an error if there is one.
func write(file string, data []byte, mode fs.FileMode, put func(from, to string) error) (err error) {
	folder := filepath.Dir(file)
	f, err := os.CreateTemp(folder, ".new-*") // with mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // it is not there after Rename
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = put(f.Name(), file)
		if err != nil && !errors.Is(err, fs.ErrExist) { // a file system without links
			err = os.Rename(f.Name(), file)
		}
	}
	if err != nil {
		return err
	}
	if d, err := os.Open(folder); err == nil {
		_ = d.Sync() // not every system can
		_ = d.Close()
	}
	return nil
}
