package web

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sighub/listen"
)

// loginTime is how long it may take to find out who asks.
const loginTime = 10 * time.Second

// A known is who a connection of HTTP has proven to come from, by what it has said in the header Authorization. Only the goroutine
// that answers its requests uses it.
type known struct {
	said     [sha256.Size]byte
	identity string
	session  string    // see carrier.Client
	asked    time.Time // when who it is was asked
}

// login returns the identity of who asks, or what to answer instead. It is found out once for each connection, as for all clients, and
// again if something else is said, or if what was said may have ended. A connection whose identity was expelled has ended.
func (s *Server) login(r *http.Request, c *guest) (identity string, refused *refusal) {
	login := s.options.Streams.Login
	if login == nil {
		return "", nil
	}
	header := r.Header.Get("Authorization")
	said := sha256.Sum256([]byte(header))
	asked := time.Now()
	if c.known.said == said && c.rooms.stands(c) {
		return c.known.identity, nil
	}
	secret, ok := secretIn(r, header)
	if !ok {
		return "", &refusal{
			http.StatusUnauthorized, "denied", "The header Authorization is not understood",
			"say Bearer and a token, or Basic and a name with its password",
		}
	}
	doubts := c.rooms.asks(c)
	ctx, cancel := context.WithTimeout(r.Context(), loginTime)
	defer cancel()
	identity, err := login(ctx, c.Peer(), secret) // also of what others may have heard: it may have to end
	switch {
	case err == nil && header != "" && !c.Peer().Secure:
		return "", &refusal{
			http.StatusUnauthorized, "denied", "A secret was said where others may have heard it", "use https, and get yourself another secret",
		}
	case err == nil:
		c.known = known{said, identity, secret.Session(), asked}
		c.rooms.belongs(c, identity, doubts)
		return identity, nil
	}
	told, why, wait := "who you are is not known", "other", time.Duration(0)
	if e, ok := errors.AsType[*listen.LoginError](err); ok {
		told, why, wait, err = e.Public, e.Cause, e.Wait, e.Err
	}
	s.options.Streams.Logger.Warn("a login is refused", "client", c.Peer().Addr, "cause", why, "told", told, "error", err)
	return "", &refusal{http.StatusUnauthorized, "denied", told, "say Authorization: Bearer and a token that the hub has given you" + later(wait)}
}

func later(wait time.Duration) string {
	if wait <= 0 {
		return ""
	}
	return ", in " + strconv.Itoa(int(wait.Seconds())+1) + " s or later"
}

// secretIn returns what is said in the header Authorization.
func secretIn(r *http.Request, header string) (s listen.Secret, ok bool) {
	if header == "" {
		return s, true
	}
	if scheme, token, found := strings.Cut(header, " "); found && strings.EqualFold(scheme, "Bearer") {
		s.Token = strings.TrimSpace(token)
		return s, s.Token != ""
	}
	s.Name, s.Password, ok = r.BasicAuth()
	return s, ok
}
