package access

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"strings"
	"time"

	"sighub/internal/lockrank"
)

// SessionMark begins each session's secret, as the mark of a token begins a token.
const SessionMark = "sgs_"

const (
	sessionTime = 30 * 24 * time.Hour     // that a session lasts without being used
	maxSessions = 512                     // of all; the one that was used longest ago makes way
	maxOfOne    = 16                      // of one identity
	settle      = 5 * time.Second         // after a revocation, by when its clients are gone
	secretBytes = len(SessionMark) + 2*26 // rand.Text returns 26 letters, 130 bits
)

// sessions are logins that go on: whoever has said a password does not have to keep it. They are in memory only, so a hub that is started
// again knows none. The zero value is ready.
type sessions struct {
	mu      lockrank.Mutex[lockrank.Leaf]
	open    map[[sha256.Size]byte]*session
	revoked map[string]time.Time // when an identity has lost something, not long ago
}

type session struct {
	who  string
	used time.Time
}

var (
	errNoSession = errors.New("a session is for who has logged in by a token or a password")
	errSettling  = errors.New("something of this login was just revoked: try again in 5 s")
)

// begin returns the secret of a new session.
func (s *sessions) begin(who string, now time.Time) (secret string, err error) {
	if who == "" || strings.Contains(who, ":") {
		return "", errNoSession
	}
	secret = SessionMark + rand.Text() + rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	if _, just := s.revoked[who]; just {
		return "", errSettling
	}
	if s.open == nil {
		s.open = make(map[[sha256.Size]byte]*session)
	}
	for s.crowded(who) {
		s.dropOldest(who)
	}
	for len(s.open) >= maxSessions {
		s.dropOldest("")
	}
	s.open[sha256.Sum256([]byte(secret))] = &session{who, now}
	return secret, nil
}

// find returns whose session it is.
func (s *sessions) find(secret string, now time.Time) (who string, ok bool) {
	if len(secret) != secretBytes {
		return "", false
	}
	sum := sha256.Sum256([]byte(secret))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	one, ok := s.open[sum]
	if !ok {
		return "", false
	}
	one.used = now
	return one.who, true
}

// end ends a session, and returns whose it was; empty: there was none.
func (s *sessions) end(secret string) (who string) {
	sum := sha256.Sum256([]byte(secret))
	s.mu.Lock()
	defer s.mu.Unlock()
	if one, ok := s.open[sum]; ok {
		who = one.who
		delete(s.open, sum)
	}
	return who
}

// revoke ends all sessions of an identity. Who is connected by then, and is about to be disconnected, cannot begin another one.
func (s *sessions) revoke(who string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	for sum, one := range s.open {
		if one.who == who {
			delete(s.open, sum)
		}
	}
	if s.revoked == nil {
		s.revoked = make(map[string]time.Time)
	}
	s.revoked[who] = now
}

// expire forgets what is over. The lock is held.
func (s *sessions) expire(now time.Time) {
	for sum, one := range s.open {
		if now.Sub(one.used) > sessionTime {
			delete(s.open, sum)
		}
	}
	for who, at := range s.revoked {
		if now.Sub(at) > settle {
			delete(s.revoked, who)
		}
	}
}

// crowded reports whether an identity has as many sessions as it may have. The lock is held.
func (s *sessions) crowded(who string) bool {
	n := 0
	for _, one := range s.open {
		if one.who == who {
			n++
		}
	}
	return n >= maxOfOne
}

// dropOldest ends the session, of an identity or of all, that was used longest ago. The lock is held.
func (s *sessions) dropOldest(who string) {
	var oldest [sha256.Size]byte
	var found *session
	for sum, one := range s.open {
		if (who == "" || one.who == who) && (found == nil || one.used.Before(found.used)) {
			oldest, found = sum, one
		}
	}
	delete(s.open, oldest)
}

// BeginSession returns a secret by which an identity can log in, as by a token, for as long as the hub runs, until it was not used for
// 30 days, or until something of the identity is revoked.
func (c *Control) BeginSession(identity string) (secret string, err error) {
	return c.sessions.begin(identity, c.now())
}

// EndSession ends the session with a secret, and returns whose it was; empty: there was none.
func (c *Control) EndSession(secret string) (identity string) { return c.sessions.end(secret) }

func (c *Control) now() time.Time {
	if c.o.Now != nil {
		return c.o.Now()
	}
	return time.Now()
}
