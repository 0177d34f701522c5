package serial

import (
	"context"
	"fmt"
	"maps"
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
	handler      carrier.SignalHandler
	peers        peers
	dictionaries dictionaries
	lines        []*line
	barren       map[*PortOptions]time.Time   // patterns that name no port, since when
	active       map[*peer]*client            // devices in a session
	latest       map[string]*client           // by identity: each waits for the one before it
	clients      map[carrier.ClientID]*client // that the handler knows
	lastID       carrier.ClientID
	running      sync.WaitGroup // clients
}

var _ carrier.Reporter = (*Server)(nil)

// New returns a Server. It opens its ports when it is served. The error tells what is wrong with the options.
func New(o Options) (*Server, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Server{
		o:       o,
		barren:  make(map[*PortOptions]time.Time),
		store:   store{dir: o.Dir, log: o.Logger},
		active:  make(map[*peer]*client),
		latest:  make(map[string]*client),
		clients: make(map[carrier.ClientID]*client),
	}, nil
}

// Serve implements [carrier.Carrier]. It opens each port that is there, and opens it again when it was lost, for as
// long as it runs.
func (s *Server) Serve(ctx context.Context, h carrier.Handler) error {
	s.mu.Lock()
	s.handler = carrier.AsSignalHandler(h)
	s.mu.Unlock()
	(&finder{server: s}).run(ctx)
	s.running.Wait()
	h.AllClientsDisconnected(carrier.ErrShutdown)
	return nil
}

// Reports implements [carrier.Reporter]: devices keep what is not acknowledged.
func (*Server) Reports() bool { return true }

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

// connected notes that a device is in a session. The handler hears of it once its dictionary is known.
func (s *Server) connected(l *line, p *peer) {
	c := newClient(s, p, l)
	c.follow(s.latest[p.id])
	c.follow(l.client)
	s.active[p], s.latest[p.id], l.client = c, c, c
	s.running.Go(c.run)
}

func (s *Server) disconnected(p *peer, cause error) {
	c := s.active[p]
	delete(s.active, p)
	c.lose(cause)
}

func (s *Server) arrived(now time.Time, p *peer, a arrival) { s.active[p].arrived(now, a) }

// wake wakes the writer of the line on which the device is; s.mu is held.
func (s *Server) wake(p *peer) {
	if p.line != nil {
		p.line.wake.give()
	}
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
