package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/listen"
)

// A Server is the hub's end: it answers HTTP, and is a [carrier.Carrier] of those who connect over WebSockets.
type Server struct {
	*tcp.Server // of the streams in WebSockets
	options     Options
	rooms       *rooms
	sockets     *sockets
	hosts       hosts
	handling    sync.WaitGroup
	refused     carrier.Refusals
}

// On returns a Server for the clients of HTTP of all addresses of a [listen.Server], which somebody else serves and closes.
func On(below *listen.Server, o Options) *Server { return New(below.Protocol(Protocols()...), o) }

// New returns a Server for those whose connections a listener accepts. The Server closes the listener.
func New(l net.Listener, o Options) *Server {
	o = o.withDefaults()
	s := &Server{
		options: o, hosts: newHosts(o.Hosts), sockets: newSockets(l.Addr()),
		rooms: newRooms(l, o.MaxConns, o.MaxPerPlace, o.Streams.Logger),
	}
	s.Server = tcp.New(s.sockets, o.Streams)
	return s
}

// Addrs returns nothing: whoever listens has the addresses.
func (s *Server) Addrs() []string { return nil }

// Close closes a Server that is not going to be served.
func (s *Server) Close() error { return errors.Join(s.sockets.Close(), s.rooms.Close()) }

// Connections returns how many connections are open that a [listen.Server] does not count: none.
func (s *Server) Connections() int { return 0 }

// Refused returns what was refused of strangers so far, which never became clients, by cause: beside what package tcp counts, "host"
// and "origin" for requests that came under another name, or from a page of somebody else.
func (s *Server) Refused() map[string]uint64 {
	all := s.refused.Counts()
	for cause, n := range s.Server.Refused() {
		if all == nil {
			all = make(map[string]uint64)
		}
		all[cause] += n
	}
	return all
}

// Expel closes the connections of HTTP by which an identity asks, so that who comes back has to prove again who it is. WebSockets
// are clients of the hub, which disconnects them itself.
func (s *Server) Expel(identity string) { s.rooms.expel(identity) }

// Doubt has who asks as an identity over HTTP prove it again with the next request, because something by which that is proven has ended.
func (s *Server) Doubt(identity string) { s.rooms.doubt(identity) }

// Serve implements [carrier.Carrier]. Requests of HTTP are answered for as long as it runs; those that are being answered when
// ctx is done have a second.
func (s *Server) Serve(ctx context.Context, h carrier.Handler) error {
	var asking sync.WaitGroup
	asking.Go(func() { s.serveHTTP(ctx) })
	err := s.Server.Serve(ctx, h)
	_ = s.rooms.Close() // ends serveHTTP, if Serve has failed
	asking.Wait()
	return err
}

// serveHTTP answers requests until ctx is done. If accepting fails, the carrier fails.
func (s *Server) serveHTTP(ctx context.Context) {
	server := &http.Server{
		Handler:           http.HandlerFunc(s.answer),
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       s.options.RequestTime,
		IdleTimeout:       s.options.IdleTime,
		MaxHeaderBytes:    headerBytes,
		ConnState:         s.rooms.state,
		ConnContext: func(ctx context.Context, nc net.Conn) context.Context {
			if c, ok := nc.(*guest); ok {
				ctx = context.WithValue(ctx, guestKey{}, c)
				ctx = listen.WithPeer(ctx, c.Peer())
			}
			return ctx
		},
		BaseContext:                  func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
		ErrorLog:                     slog.NewLogLogger(s.options.Streams.Logger.Handler(), slog.LevelDebug), // what strangers make it say
		DisableGeneralOptionsHandler: true,
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	server.Protocols = &protocols
	var ending sync.WaitGroup
	ended := make(chan struct{})
	ending.Go(func() {
		select {
		case <-ctx.Done():
		case <-ended:
		}
		soon, cancel := context.WithTimeout(context.Background(), endTime)
		defer cancel()
		if server.Shutdown(soon) != nil {
			_ = server.Close() // who has not gone by now is cut off
		}
	})
	err := server.Serve(s.rooms)
	close(ended)
	ending.Wait()
	s.handling.Wait()
	if ctx.Err() == nil && !errors.Is(err, http.ErrServerClosed) {
		s.sockets.fail(fmt.Errorf("web: no request can be accepted any more: %w", err))
	}
}

type guestKey struct{}

// answer answers a request, if it may be asked.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	s.handling.Add(1)
	defer s.handling.Done()
	c, ok := r.Context().Value(guestKey{}).(*guest)
	if !ok {
		panic(http.ErrAbortHandler) // it is not one of our connections
	}
	setHeaders(w.Header())
	if r.ProtoMajor != 1 { // the preface of HTTP/2 looks like a request
		w.WriteHeader(http.StatusHTTPVersionNotSupported)
		return
	}
	if problem := s.hosts.check(r, c.Peer()); problem != nil {
		s.refused.Add(problem.cause, 1)
		s.options.Streams.Logger.Warn("a request is refused", "client", c.Peer().Addr, "cause", problem.cause, "error", problem)
		problem.write(w)
		return
	}
	if r = s.below(w, r); r == nil {
		return
	}
	if r.URL.Path == Path && wantsSocket(r) {
		s.upgrade(w, r, c)
		return
	}
	if s.options.Public(r) {
		w.Header().Set("Connection", "close") // it stays a stranger's
	} else {
		identity, refused := s.login(r, c)
		if refused != nil {
			s.refused.Add(refused.cause, 1)
			refused.write(w)
			return
		}
		if err := c.Admit(); err != nil {
			panic(http.ErrAbortHandler) // it was closed meanwhile
		}
		ctx := listen.WithProven(listen.WithIdentity(r.Context(), identity), c.known.asked)
		r = r.WithContext(listen.WithSession(ctx, c.known.session))
	}
	rc := http.NewResponseController(w)
	if ExtendWrite(rc, s.options.RequestTime) != nil {
		panic(http.ErrAbortHandler) // it has gone
	}
	r.Body = http.MaxBytesReader(w, r.Body, s.options.MaxBody)
	s.options.Handler.ServeHTTP(w, r)
}

// below returns a request without the path that a proxy has the hub under. It returns nil if it has answered that what is asked for is a
// folder: addresses of the page are relative to it.
func (s *Server) below(w http.ResponseWriter, r *http.Request) *http.Request {
	base := s.options.Base
	rest, ok := strings.CutPrefix(r.URL.Path, base)
	switch {
	case base == "" || !ok || rest != "" && rest[0] != '/':
		return r
	case rest == "":
		w.Header().Set("Location", base[strings.LastIndexByte(base, '/')+1:]+"/") // relative: the proxy may have more in front
		w.WriteHeader(http.StatusMovedPermanently)
		return nil
	}
	below := r.Clone(r.Context())
	below.URL.Path = rest
	below.URL.RawPath = strings.TrimPrefix(r.URL.RawPath, base)
	return below
}

// wantsSocket reports whether a request asks for a WebSocket. One that does not is answered by the handler, which may say what is
// there.
func wantsSocket(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// setHeaders sets what every answer says. A handler may replace it.
func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "+
		"connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("Cache-Control", "no-store")
	h.Set("Server", "sighub")
}
