package mqtt

import (
	"context"
	"crypto/rand"
	"strings"

	"sighub/carrier"
	"sighub/internal/lockrank"
	"sighub/internal/safetext"
)

// newCursors returns the names of the cursors of a subscription, which no other one has had.
func (c *session) newCursors(s *subscription) (list []string) {
	k := &c.server.kept
	k.tagged.Do(func() { // before any cursor is on record; not before, so that a hub without sessions writes nothing
		if len(k.keeper.State(tagKey)) == 0 {
			k.keeper.Keep(0, carrier.Mark{Key: tagKey, State: []byte(k.tag)}, func() {})
		}
	})
	for range s.targets() {
		list = append(list, c.cursorName(s, k.tag+k.born+nonce()))
	}
	return list
}

// cursorName returns the name of a cursor, of which a part is unique.
func (c *session) cursorName(s *subscription, unique string) string {
	name := "mqtt " + c.key.client + " " + s.filter.String() + " " + unique
	if len(name) > safetext.MaxName || safetext.CheckName(name) != nil {
		name = "mqtt " + unique
	}
	return name
}

const nonceSize = 8

// nonce returns 40 random bits as text.
func nonce() string { return strings.ToLower(rand.Text()[:nonceSize]) }

// strays returns those of a list of cursors that no session has: the power was lost between the making of a cursor and the saving of its
// session, or between the saving of what a session has and the removal of its cursor.
func (k *keptSessions) strays(cursors []string) (list []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	has := make(map[string]bool)
	for _, one := range k.list {
		for _, s := range one.Subs {
			for _, cursor := range s.Cursors {
				has[cursor] = true
			}
		}
	}
	for _, cursor := range cursors {
		last := cursor[strings.LastIndexByte(cursor, ' ')+1:]
		if rest, ours := strings.CutPrefix(last, k.tag); ours && !strings.HasPrefix(rest, k.born) && !has[cursor] {
			list = append(list, cursor)
		}
	}
	return list
}

// removeStrays has cursors removed that are of no session.
func (s *Server) removeStrays(ctx context.Context) {
	id := s.join()
	r := s.ask(ctx, id, "list_cursors", nil)
	s.part(id)
	var list []struct {
		Name string `json:"cursor"`
	}
	if r.Status != carrier.StatusDone {
		return // the hub is about to end
	}
	if err := r.Response.Decode(&list); err != nil {
		s.options.Logger.Error("what is left of ended sessions of MQTT is not found: the hub's list of cursors cannot be read", "error", err)
		return
	}
	names := make([]string, len(list))
	for i, one := range list {
		names[i] = one.Name
	}
	s.kept.forget(s.kept.strays(names))
}

// removeCursors removes cursors that no session has any more. It reports whether some have to be tried again: their client is just going.
func (s *Server) removeCursors(ctx context.Context) (again bool) {
	k := &s.kept
	k.mu.Lock()
	cursors := k.cursors
	k.cursors = nil
	k.mu.Unlock()
	if len(cursors) == 0 {
		return false
	}
	var used []string
	id := s.join()
	for _, cursor := range cursors {
		r := s.ask(ctx, id, "remove_cursor", carrier.Object{{Key: "cursor", Value: cursor}})
		if r.Status != carrier.StatusDone && strings.Contains(r.Exception, "in use") {
			used = append(used, cursor)
		}
	}
	s.part(id)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cursors = append(k.cursors, used...)
	return len(used) > 0
}

// join makes a client of the hub for questions of the Server's own, which are few.
func (s *Server) join() carrier.ClientID {
	id := s.clients.Add(nil)
	lockrank.MustBeFree("a handler is called")
	s.handler.ClientConnected(carrier.Client{
		ID: id, Name: "sessions of MQTT", Identity: carrier.OwnIdentity, Addr: "mqtt:", Codec: carrier.JSON, Hello: true, Window: 1,
	})
	return id
}

// ask asks the hub as such a client, and waits for the answer until ctx is done.
func (s *Server) ask(ctx context.Context, id carrier.ClientID, method string, params carrier.Object) carrier.Reply {
	answered := make(chan carrier.Reply, 1)
	s.handler.HandleMessage(id, &carrier.Message{Method: method, Params: carrier.ValueOf(params)}, func(r carrier.Reply) { answered <- r })
	select {
	case r := <-answered:
		return r
	case <-ctx.Done():
		return carrier.Failed(ctx.Err())
	}
}

// part ends such a client.
func (s *Server) part(id carrier.ClientID) {
	s.clients.Remove(id)
	s.handler.ClientDisconnected(id, carrier.ErrClosed)
}
