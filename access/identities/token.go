package identities

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// TokenMark is what each token begins with, so that people and scanners know one when they see it.
const TokenMark = "sgh_"

// letters are Crockford's base32, without letters that look like digits.
var letters = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

const tokenBytes = 32

// newToken returns a token: its text, which is told once, and what is kept of it.
func newToken() (text string, hash [32]byte) {
	var random [tokenBytes]byte
	_, _ = rand.Read(random[:]) // it does not fail: see its documentation
	text = TokenMark + letters.EncodeToString(random[:])
	return text, sha256.Sum256([]byte(text))
}

// IsToken reports whether a text has the form of a token.
func IsToken(text string) bool {
	rest, ok := strings.CutPrefix(text, TokenMark)
	if !ok || len(rest) != letters.EncodedLen(tokenBytes) {
		return false
	}
	random, err := letters.DecodeString(rest)
	return err == nil && letters.EncodeToString(random) == rest // the last letter has unused bits
}

// idBytes of randomness make the id of a credential: enough to be unique, few enough to be typed.
const idBytes = 5

func newID() string {
	var random [idBytes]byte
	_, _ = rand.Read(random[:]) // it does not fail
	return letters.EncodeToString(random[:])
}

func isID(text string) bool {
	b, err := letters.DecodeString(text)
	return err == nil && len(b) == idBytes && letters.EncodeToString(b) == text
}
