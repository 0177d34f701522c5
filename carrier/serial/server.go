package serial

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"sighub/carrier"
)

// A Server is the hub's side of any number of serial ports: a [carrier.Carrier] whose clients are the devices on
// them. See the package's documentation for what it does with a device.
type Server struct {
	o     Options
	store store

	mu           sync.Mutex // guards everything below, and every line and peer: nothing blocks while it is held
	handler      carrier.Handler
	peers        peers
	dictionaries dictionaries
	lines        []*line
	active       map[*peer]*client            // devices in a session
	latest       map[string]*client           // by identity: each waits for the one before it
	clients      map[carrier.ClientID]*client // that the handler knows
	lastID       carrier.ClientID
	running      sync.WaitGroup // clients
}

var _ carrier.Upstream = (*Server)(nil)

// New returns a Server. It opens its ports when it is served. The error tells what is wrong with the options.
func New(o Options) (*Server, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Server{
		o:       o,
		store:   store{dir: o.Dir, log: o.Logger},
		active:  make(map[*peer]*client),
		latest:  make(map[string]*client),
		clients: make(map[carrier.ClientID]*client),
	}, nil
}

// Serve implements [carrier.Carrier]. It opens each port, and opens it again when it is lost, for as long as it
// runs.
func (s *Server) Serve(ctx context.Context, h carrier.Handler) error {
	s.mu.Lock()
	s.handler = h
	for _, p := range s.o.Ports {
		s.lines = append(s.lines, newLine(s, p))
	}
	s.mu.Unlock()
	var lines sync.WaitGroup
	for _, l := range s.lines {
		lines.Go(func() { l.run(ctx) })
	}
	<-ctx.Done()
	lines.Wait()
	s.running.Wait()
	h.AllClientsDisconnected(carrier.ErrShutdown)
	return nil
}

// Upstream implements [carrier.Upstream].
func (s *Server) Upstream() {}

// Transmit implements [carrier.Carrier]. A message larger than the device's frames is [carrier.ErrTooLarge].
func (s *Server) Transmit(ctx context.Context, id carrier.ClientID, m *carrier.Message, done func(carrier.Reply, error)) error {
	s.mu.Lock()
	c, last := s.clients[id], s.lastID
	s.mu.Unlock()
	switch {
	case c != nil:
		return c.transmit(ctx, m, done)
	case id >= 1 && id <= last:
		return fmt.Errorf("%w: client %d", carrier.ErrGone, id)
	default:
		return fmt.Errorf("%w: %d", carrier.ErrNoClient, id)
	}
}

// connected implements hubEvents: a device is in a session. The handler hears of it once its dictionary is known.
func (s *Server) connected(l *hubLine, p *peer) {
	port := s.lineOf(l)
	c := newClient(s, p, port)
	c.follow(s.latest[p.id])
	c.follow(port.client)
	s.active[p], s.latest[p.id], port.client = c, c, c
	s.running.Go(c.run)
}

func (s *Server) lineOf(l *hubLine) *line {
	return s.lines[slices.IndexFunc(s.lines, func(x *line) bool { return &x.hubLine == l })]
}

// disconnected implements hubEvents.
func (s *Server) disconnected(p *peer, cause error) {
	c := s.active[p]
	delete(s.active, p)
	c.lose(cause)
}

// arrived implements hubEvents.
func (s *Server) arrived(now time.Time, p *peer, a arrival) { s.active[p].arrived(now, a) }

// wake wakes the writer of the line on which the device is; s.mu is held.
func (s *Server) wake(p *peer) {
	for _, l := range s.lines {
		if &l.hubLine == p.line {
			l.wake.give()
		}
	}
}

// A line is one port of a server.
type line struct {
	hubLine
	server *Server
	o      PortOptions
	wake   notice
	client *client // the latest
	faults string  // the latest error of opening, logged once
}

func newLine(s *Server, p PortOptions) *line {
	l := &line{server: s, o: p, wake: newNotice()}
	l.hubLine = hubLine{
		name: p.Path, baud: cmp.Or(p.Baud, usualBaud), maxFrame: s.o.MaxFrame, window: s.o.Window, ask: s.o.Ask, timeout: s.o.Timeout,
		peers: &s.peers, random: func() uint16 { return uint16(rand.Uint32()) }, events: s, log: s.o.Logger,
		text: console{log: s.o.Logger, port: p.Path},
	}
	l.rates.max = p.MaxBaud
	return l
}

// receive and pull make the line a station.
func (l *line) receive(now time.Time, data []byte) {
	l.server.mu.Lock()
	defer l.server.mu.Unlock()
	l.hubLine.receive(now, data)
}

func (l *line) pull(now time.Time, dst []byte) ([]byte, time.Time) {
	l.server.mu.Lock()
	defer l.server.mu.Unlock()
	return l.hubLine.pull(now, dst)
}

func (l *line) rate() int {
	l.server.mu.Lock()
	defer l.server.mu.Unlock()
	return l.hubLine.rate()
}

func (l *line) rated(now time.Time, rate int, err error) {
	l.server.mu.Lock()
	defer l.server.mu.Unlock()
	l.hubLine.rated(now, rate, err)
}

// finish lets the frames that were taken have their answers: a reading that the hub has handed on and not
// acknowledged would come again when the hub does.
func (l *line) finish() bool {
	l.server.mu.Lock()
	defer l.server.mu.Unlock()
	return l.hubLine.finish()
}

// run keeps the port open until ctx is done.
func (l *line) run(ctx context.Context) {
	const steady = time.Second // a port that holds for so long was not opened in vain
	backoff := l.server.o.Backoff
	for ctx.Err() == nil {
		port, err := l.o.Opener.Open(l.o.Path, l.baud)
		if err != nil {
			l.fault(err)
			_ = backoff.Wait(ctx)
			continue
		}
		l.faults = ""
		l.log.Info("port open", "port", l.o.Path, "baud", l.baud)
		opened := time.Now()
		l.serve(ctx, port)
		if time.Since(opened) >= steady {
			backoff.Reset()
		}
		_ = backoff.Wait(ctx)
	}
}

func (l *line) serve(ctx context.Context, port Port) {
	_, settable := port.(RateSetter)
	l.server.mu.Lock()
	l.opened()
	l.rates.free = settable && l.o.Baud == 0
	l.server.mu.Unlock()
	pump(ctx, port, l, l.wake, func(err error) {
		cause := fmt.Errorf("%w: %s: %w", carrier.ErrUnplugged, l.o.Path, err)
		if ctx.Err() != nil {
			cause = carrier.ErrShutdown
		} else {
			l.log.Warn("port lost", "port", l.o.Path, "error", err)
		}
		l.server.mu.Lock()
		l.drop(cause)
		l.server.mu.Unlock()
	})
}

// fault logs why the port cannot be opened, once per reason.
func (l *line) fault(err error) {
	if err.Error() == l.faults {
		return
	}
	l.faults = err.Error()
	l.log.Warn("port cannot be opened", "port", l.o.Path, "error", err, "remedy", remedy(err))
}

// dictionaries remembers those of the devices seen, by their hash.
type dictionaries map[uint32]*dictionary

const maxDictionaries = 64

func (d *dictionaries) add(hash uint32, dict *dictionary) {
	if *d == nil {
		*d = make(dictionaries)
	}
	for old := range maps.Keys(*d) {
		if len(*d) < maxDictionaries {
			break
		}
		delete(*d, old) // any: to fetch one again costs a moment
	}
	(*d)[hash] = dict
}
