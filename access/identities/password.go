package identities

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// The cost of a password: the least that OWASP's Password Storage Cheat Sheet advises for argon2id. It takes 19 MiB, so one is checked
// at a time.
const (
	argonMemory  = 19 << 10 // KiB
	argonTime    = 2
	argonThreads = 1
	saltBytes    = 16
	hashBytes    = 32
)

// The cost that a file may demand. Whoever can write the file could otherwise use up the memory, or the time.
const (
	mostMemory = 64 << 10 // KiB
	mostTime   = 10
)

// The length of a password. NIST SP 800-63B wants 8 letters at least, and asks for nothing else.
const (
	leastPassword = 8    // letters
	mostPassword  = 1024 // bytes
)

// maxWaiting is how many passwords may wait to be checked.
const maxWaiting = 16

// A stored password is what is kept of one.
type storedPassword struct {
	memory, time uint32
	threads      uint8
	salt, hash   []byte
}

// parsePassword reads the usual form, $argon2id$v=19$m=19456,t=2,p=1$salt$hash, within bounds.
func parsePassword(text string) (p storedPassword, err error) {
	bad := errors.New("its password is not an argon2id as this sighub writes it")
	parts := strings.Split(text, "$")
	if len(text) > 256 || len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return p, bad
	}
	var costs [3]uint32
	fields := strings.Split(parts[3], ",")
	if len(fields) != len(costs) {
		return p, bad
	}
	for i, name := range []string{"m=", "t=", "p="} {
		n, err := strconv.ParseUint(strings.TrimPrefix(fields[i], name), 10, 32)
		if err != nil {
			return p, bad
		}
		costs[i] = uint32(n)
	}
	if costs[0] < 8 || costs[0] > mostMemory || costs[1] < 1 || costs[1] > mostTime || costs[2] < 1 || costs[2] > 4 {
		return p, errors.New("its password costs more than is allowed, or nothing")
	}
	p.memory, p.time, p.threads = costs[0], costs[1], uint8(costs[2])
	if p.salt, err = base64.RawStdEncoding.Strict().DecodeString(parts[4]); err != nil {
		return p, bad
	}
	if p.hash, err = base64.RawStdEncoding.Strict().DecodeString(parts[5]); err != nil {
		return p, bad
	}
	if len(p.salt) != saltBytes || len(p.hash) != hashBytes || p.String() != text {
		return p, bad
	}
	return p, nil
}

func (p storedPassword) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.time, p.threads, b64.EncodeToString(p.salt), b64.EncodeToString(p.hash))
}

func (p storedPassword) compute(password string) []byte {
	defer runtime.GC() // the next one takes the same memory, instead of some more megabytes: the collector counts on what is small
	return argon2.IDKey([]byte(norm.NFC.String(password)), p.salt, p.time, p.memory, p.threads, hashBytes)
}

// unknown is what the password of somebody is held against who has none, so that it takes as long.
func unknown() storedPassword {
	return storedPassword{argonMemory, argonTime, argonThreads, make([]byte, saltBytes), make([]byte, hashBytes)}
}

// CheckPassword says why a text cannot be somebody's password.
func CheckPassword(name, password string) error {
	switch {
	case len(password) > mostPassword:
		return fmt.Errorf("the password has %d bytes, more than %d: choose a shorter one", len(password), mostPassword)
	case !utf8.ValidString(password):
		return errors.New("the password is not UTF-8: type it again")
	case utf8.RuneCountInString(password) < leastPassword:
		return fmt.Errorf("the password has fewer than %d letters: choose a longer one, such as four words", leastPassword)
	case strings.EqualFold(password, name):
		return errors.New("the password is the name: choose another one")
	case strings.Count(password, password[:1]) == len(password):
		return errors.New("the password is one letter again and again: choose another one")
	}
	return nil
}

// A turn lets one goroutine at a time compute a hash, and bounds how many wait for it.
type turn struct {
	running chan struct{} // has room for one
	waiting chan struct{} // has room for all
}

func newTurn() turn { return turn{make(chan struct{}, 1), make(chan struct{}, maxWaiting+1)} }

// take waits for its turn. done ends it.
func (t turn) take(ctx context.Context) (done func(), err error) {
	select {
	case t.waiting <- struct{}{}:
	default:
		return nil, ErrCrowded
	}
	if ctx.Err() == nil { // nothing is computed for who has gone
		select {
		case t.running <- struct{}{}:
			return func() { <-t.running; <-t.waiting }, nil
		case <-ctx.Done():
		}
	}
	<-t.waiting
	return nil, ctx.Err()
}

// hashOf returns what is kept of a password.
func (s *Store) hashOf(ctx context.Context, password string) (string, error) {
	done, err := s.turn.take(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	p := unknown()
	_, _ = rand.Read(p.salt) // it does not fail
	p.hash = p.compute(password)
	return p.String(), nil
}

// verify reports whether a password is the one that is kept. It takes the same time if nothing is kept.
func (s *Store) verify(ctx context.Context, kept, password string) (bool, error) {
	p, err := parsePassword(kept)
	has := err == nil
	if !has {
		p = unknown()
	}
	done, err := s.turn.take(ctx)
	if err != nil {
		return false, err
	}
	defer done()
	same := subtle.ConstantTimeCompare(p.compute(password), p.hash) == 1
	return same && has, nil
}
