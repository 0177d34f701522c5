package keys

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
)

// A Pin is the SHA-256 of a public key in base32 (RFC 4648, without padding), or the beginning of it. The zero Pin is none.
//
// The first 80 bits, 16 characters, are enough: to find another key with the same ones takes 2^80 tries, and it must be found
// for this very hub. The most are 256 bits, 52 characters.
type Pin struct{ text string }

// ShortPin is how many characters a pin has at least, and has when it is shown to people.
const ShortPin = 16

var encoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// Hash returns the SHA-256 of a certificate's public key.
func Hash(c *x509.Certificate) [sha256.Size]byte { return sha256.Sum256(c.RawSubjectPublicKeyInfo) }

// PinOf returns the whole pin of a key with this hash.
func PinOf(hash [sha256.Size]byte) Pin { return Pin{encoding.EncodeToString(hash[:])} }

// ParsePin reads a pin. Upper and lower case are the same, and hyphens between the characters mean nothing.
func ParsePin(text string) (Pin, error) {
	plain := strings.ToUpper(strings.ReplaceAll(text, "-", ""))
	most := encoding.EncodedLen(sha256.Size)
	switch {
	case strings.Trim(plain, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "":
		return Pin{}, fmt.Errorf("keys: %.60q is not a pin: it has letters, the digits from 2 to 7, and hyphens, as `sighub cert` prints it", text)
	case len(plain) < ShortPin:
		return Pin{}, fmt.Errorf("keys: the pin %.60q has %d characters: %d are needed at least, as `sighub cert` prints them", text, len(plain), ShortPin)
	case len(plain) > most:
		return Pin{}, fmt.Errorf("keys: the pin has %d characters: the SHA-256 of a key has %d", len(plain), most)
	}
	return Pin{plain}, nil
}

// IsZero reports whether there is no pin.
func (p Pin) IsZero() bool { return p.text == "" }

// Matches reports whether the pin is one of the key with this hash.
func (p Pin) Matches(hash [sha256.Size]byte) bool {
	return len(p.text) >= ShortPin && strings.HasPrefix(PinOf(hash).text, p.text)
}

// Short returns the beginning of the pin, which is enough.
func (p Pin) Short() Pin { return Pin{p.text[:min(len(p.text), ShortPin)]} }

// String returns the pin in groups of four characters: "7Q4M-ABCD-EFGH-2345".
func (p Pin) String() string {
	var b strings.Builder
	for i, c := range p.text {
		if i > 0 && i%4 == 0 {
			b.WriteByte('-')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// MarshalText implements encoding.TextMarshaler.
func (p Pin) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// ErrPin is the error of a hub whose key is not the one that is pinned.
var ErrPin = errors.New("keys: the hub's key is not the one pinned: somebody may be in between, or the hub has a new key; " +
	"compare with `sighub cert` on the hub")
