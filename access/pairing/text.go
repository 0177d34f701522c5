package pairing

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"sighub/internal/safetext"
)

// What an invitation consists of, in letters of 5 bits: the first bits of the hub's key, which pairing it is, the secret, and two letters
// that find mistakes.
const (
	keyLetters    = 16 // 80 bits
	idLetters     = 2  // so that a guess for one pairing does not use up the tries of another
	secretLetters = 8  // 40 bits
	checkLetters  = 2
	allLetters    = keyLetters + idLetters + secretLetters + checkLetters
	groupLetters  = 4
)

// letters are Crockford's base32: no letter looks like another one, or like a digit.
const letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// An Invitation is what a person carries from the hub to the machine that is to be let in.
type Invitation struct {
	Address string // host:port
	code    [allLetters]byte
}

// A Secret is the part of an Invitation that only the two machines know, and the person between them.
type Secret [secretLetters]byte

// An ID says which pairing is meant. It is not secret.
type ID [idLetters]byte

// String returns the letters of an ID.
func (id ID) String() string { return spell(id[:]) }

// ParseID reads an ID as String writes it.
func ParseID(text string) (id ID, err error) {
	values, err := unspell(text)
	if err != nil || copy(id[:], values) != len(values) || len(values) != len(id) {
		return ID{}, errors.New("this is not the id of a pairing")
	}
	return id, nil
}

// invite makes an Invitation.
func invite(address string, hubKey [32]byte, id ID, secret Secret) *Invitation {
	in := &Invitation{Address: address}
	keyCode := codeOf(hubKey)
	at := copy(in.code[:], keyCode[:])
	at += copy(in.code[at:], id[:])
	copy(in.code[at:], secret[:])
	seal(&in.code)
	return in
}

// codeOf returns the first bits of a hash as letters.
func codeOf(hash [32]byte) (code [keyLetters]byte) {
	for i := range code {
		for b := range 5 {
			n := 5*i + b
			code[i] = code[i]<<1 | hash[n/8]>>(7-n%8)&1
		}
	}
	return code
}

// IsHub reports whether a hub's public key, by the SHA-256 of its SubjectPublicKeyInfo, is the one of the Invitation. Nothing is said to
// a hub before this is true.
func (in *Invitation) IsHub(hubKey [32]byte) bool {
	code := codeOf(hubKey)
	return subtle.ConstantTimeCompare(code[:], in.code[:keyLetters]) == 1
}

// ID returns which pairing the Invitation is for.
func (in *Invitation) ID() (id ID) {
	copy(id[:], in.code[keyLetters:])
	return id
}

func (in *Invitation) secret() (s Secret) {
	copy(s[:], in.code[keyLetters+idLetters:])
	return s
}

// Proof returns what the machine that is to be let in says to the hub, over a connection on which the two have these keys, by the
// SHA-256 of each SubjectPublicKeyInfo. It returns an error unless the hub's key is that of the Invitation.
func (in *Invitation) Proof(hubKey, clientKey [32]byte) (Proof, error) {
	if !in.IsHub(hubKey) {
		return Proof{}, errors.New("this is another hub than the one that has made the invitation: nothing was said to it; check the address, and who is between")
	}
	return prove(in.secret(), in.ID(), hubKey, clientKey), nil
}

// A Proof shows that somebody has an Invitation, for one pair of keys.
type Proof [sha256.Size]byte

func prove(secret Secret, id ID, hubKey, clientKey [32]byte) (p Proof) {
	mac := hmac.New(sha256.New, secret[:])
	mac.Write([]byte("sighub pairing 1\x00")) // a hash takes everything
	mac.Write(id[:])
	mac.Write(hubKey[:])
	mac.Write(clientKey[:])
	mac.Sum(p[:0])
	return p
}

// String returns the line that a person carries. It has the secret in it: tell it to nobody else, and do not log it.
func (in *Invitation) String() string {
	var b strings.Builder
	b.WriteString(in.Address + "/")
	for i := 0; i < allLetters; i += groupLetters {
		if i > 0 {
			b.WriteByte('-')
		}
		b.WriteString(spell(in.code[i : i+groupLetters]))
	}
	return b.String()
}

// GoString keeps the secret out of what a debugger prints.
func (in *Invitation) GoString() string { return fmt.Sprintf("pairing.Invitation{%q}", in.Address) }

// maxText is the length of the longest text that is read, in bytes.
const maxText = 512

// Parse reads an Invitation as people type it: small letters are as good as capitals, O is 0, I and L are 1, and the hyphens may be
// missing, or be spaces. Two letters at the end find every mistake in one or two letters, and two that have changed places.
func Parse(text string) (*Invitation, error) {
	text = strings.TrimSpace(text)
	if len(text) > maxText {
		return nil, fmt.Errorf("this is not an invitation, because it has more than %d bytes: copy the line that sighub pair has printed", maxText)
	}
	slash := strings.LastIndexByte(text, '/')
	if slash < 0 {
		return nil, errors.New("this is not an invitation, because it has no /: copy the line that sighub pair has printed, from the address to the end")
	}
	in := &Invitation{Address: text[:slash]}
	if err := CheckAddress(in.Address); err != nil {
		return nil, err
	}
	values, err := unspell(text[slash+1:])
	if err != nil {
		return nil, err
	}
	if len(values) != allLetters {
		return nil, fmt.Errorf("there are %d letters behind the /, not %d: copy the whole line", len(values), allLetters)
	}
	copy(in.code[:], values)
	if !sealed(&in.code) {
		return nil, errors.New("a letter behind the / is wrong: compare it with the line that sighub pair has printed")
	}
	return in, nil
}

// CheckAddress says why a text cannot be the address of a hub: it is host:port.
func CheckAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	n, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || host == "" || portErr != nil || n == 0 || len(address) > 300 || strings.ContainsAny(host, "/ ") || safetext.Check(host) != nil {
		return fmt.Errorf("%q is not an address: it is the name or the IP address of the hub, a colon and the port, such as pi.local:3000",
			safetext.Short(address, 64))
	}
	return nil
}

func spell(values []byte) string {
	text := make([]byte, len(values))
	for i, v := range values {
		text[i] = letters[v%32]
	}
	return string(text)
}

// unspell returns the values of letters.
func unspell(text string) (values []byte, err error) {
	for _, r := range strings.ToUpper(text) {
		switch r {
		case '-', ' ', '–', '\u2011', '\u00a0': // what copying makes of hyphens and spaces
			continue
		case 'O':
			r = '0'
		case 'I', 'L':
			r = '1'
		}
		v := strings.IndexRune(letters, r)
		if v < 0 {
			return nil, fmt.Errorf("%q is not a letter of an invitation: those are digits and letters, but not U", r)
		}
		values = append(values, byte(v))
	}
	return values, nil
}
