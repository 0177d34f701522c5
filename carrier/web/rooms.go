package web

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"sighub/internal/lockrank"
	"sighub/listen"
)

// rooms accepts connections of HTTP, and bounds how many there are: each costs several times what one of package tcp does.
type rooms struct {
	net.Listener
	log             *slog.Logger
	most, fromPlace int
	telling         sync.WaitGroup

	mu     lockrank.Mutex[lockrank.Leaf]
	open   map[*guest]struct{}
	places map[string]int
	full   bool // the last connection was one too many

	doubts uint64 // how often what somebody has proven was doubted
}

// A guest is a connection of rooms.
type guest struct {
	listen.Conn
	rooms *rooms
	known known

	// Under the lock of rooms.
	waits bool // nothing is being asked
	since time.Time
	who   string // whose it has proven to be
	sure  bool   // that who is still right
}

func newRooms(l net.Listener, most, fromPlace int, log *slog.Logger) *rooms {
	return &rooms{Listener: l, log: log, most: most, fromPlace: fromPlace, open: make(map[*guest]struct{}), places: make(map[string]int)}
}

// Accept implements [net.Listener].
func (r *rooms) Accept() (net.Conn, error) {
	for {
		nc, err := r.Listener.Accept()
		if err != nil {
			r.telling.Wait()
			return nil, err
		}
		c := &guest{Conn: listen.Plain(nc), rooms: r, waits: true, since: time.Now()}
		out, again, ok := r.enter(c)
		if out != nil {
			_ = out.Close() // the server of HTTP learns of it
		}
		if ok {
			return c, nil
		}
		if !again { // logged once, not for each of many
			r.log.Warn("connection closed: there are as many of HTTP as there may be", "client", c.Peer().Addr)
		}
		r.telling.Go(c.refuse)
	}
}

// enter counts a connection. If there are as many as there may be, out is one that makes way, or there is no room. again: the one
// before had none as well.
func (r *rooms) enter(c *guest) (out *guest, again, ok bool) {
	place := c.Peer().Place
	r.mu.Lock()
	defer r.mu.Unlock()
	crowded := r.places[place] >= r.fromPlace
	if crowded || len(r.open) >= r.most {
		for other := range r.open {
			if other.waits && (!crowded || other.Peer().Place == place) && (out == nil || other.since.Before(out.since)) {
				out = other
			}
		}
		if out == nil {
			again, r.full = r.full, true
			return nil, again, false
		}
		r.leave(out)
	}
	r.full = false
	r.open[c] = struct{}{}
	r.places[place]++
	return out, false, true
}

// leave forgets a connection. The lock is held.
func (r *rooms) leave(c *guest) {
	if _, ok := r.open[c]; !ok {
		return
	}
	delete(r.open, c)
	place := c.Peer().Place
	if r.places[place]--; r.places[place] == 0 {
		delete(r.places, place)
	}
}

// asks notes that it is being found out whose a connection is, and returns how often somebody was doubted so far.
func (r *rooms) asks(c *guest) (doubts uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.who, c.sure = "", false
	return r.doubts
}

// belongs notes whose a connection is. If somebody was doubted meanwhile, it has to be found out again.
func (r *rooms) belongs(c *guest, identity string, doubts uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.doubts == doubts {
		c.who, c.sure = identity, true
	}
}

// stands reports whether it is still right whose a connection is.
func (r *rooms) stands(c *guest) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return c.sure
}

// doubt has whose the connections of an identity are found out again, and returns them.
func (r *rooms) doubt(identity string) (all []*guest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.doubts++
	for c := range r.open {
		if c.who == identity {
			c.sure = false
			all = append(all, c)
		}
	}
	return all
}

// expel closes the connections of an identity. What is being answered ends, too: the server of HTTP learns of it.
func (r *rooms) expel(identity string) {
	var closing sync.WaitGroup
	for _, c := range r.doubt(identity) { // all at once: one over TLS that reads nothing takes a while
		closing.Go(func() { _ = c.Close() }) // fails only when it is closed already
	}
	closing.Wait()
}

// state notes what the server of HTTP says of a connection.
func (r *rooms) state(nc net.Conn, state http.ConnState) {
	c, ok := nc.(*guest)
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	c.waits, c.since = state == http.StateNew || state == http.StateIdle, time.Now()
}

// Close implements [net.Conn].
func (c *guest) Close() error {
	c.rooms.mu.Lock()
	c.rooms.leave(c)
	c.rooms.mu.Unlock()
	return c.Conn.Close()
}

const (
	endTime  = time.Second // for those that are being answered when the hub ends
	fullTime = time.Second // for one that is too many to read that
	fullText = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 66\r\n\r\n" +
		"There are as many connections of HTTP as there may be: try later.\n"
)

// refuse tells that there is no room.
func (c *guest) refuse() {
	_ = c.SetDeadline(time.Now().Add(fullTime))
	if _, err := io.WriteString(c.Conn, fullText); err == nil && c.CloseWrite() == nil {
		_, _ = io.CopyN(io.Discard, c.Conn, headerBytes) // what is unread would reset the connection, and the answer be lost
	}
	_ = c.Conn.Close() // nobody is left to be told
}
