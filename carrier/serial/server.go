package serial

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/endpoint"
	"sighub/carrier/serial/internal/link"
	"sighub/carrier/serial/internal/wire"
)

// A Server is the hub's side of any number of serial ports: a [carrier.Carrier] whose clients are the devices on
// them. See the package's documentation for what it does with a device.
type Server struct {
	o     Options
	store store

	log          *slog.Logger   // to be used while mu is held
	mu           endpoint.Mutex // guards everything below, and every line and peer: nothing blocks while it is held
	handler      carrier.SignalHandler
	devices      link.Devices
	dictionaries dictionaries
	lines        []*line
	barren       map[*PortOptions]time.Time   // patterns that name no port, since when
	active       map[*link.Device]*client     // devices in a session
	records      map[string]*deviceRecord     // by identity, of all peers
	latest       map[string]*client           // by identity: each waits for the one before it
	clients      map[carrier.ClientID]*client // that the handler knows
	lastID       carrier.ClientID
	running      sync.WaitGroup // clients
}

var _ carrier.Upstream = (*Server)(nil)

// Listen returns a Server. It opens its ports when it is served. The error tells what is wrong with the options.
func Listen(o Options) (*Server, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{
		o:       o,
		barren:  make(map[*PortOptions]time.Time),
		store:   store{dir: o.Dir, log: o.Logger},
		active:  make(map[*link.Device]*client),
		records: make(map[string]*deviceRecord),
		latest:  make(map[string]*client),
		clients: make(map[carrier.ClientID]*client),
	}
	s.log = s.mu.Logger(o.Logger)
	return s, nil
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

// A deviceRecord is what the hub keeps of a device from one connection to the next, and over resets.
type deviceRecord struct {
	device *link.Device // the latest
	losses losses
	untold []event // frames taken in a session that ended before the handler was told of the device
}

// connected notes that a device is in a session. The handler hears of it once its dictionary is known.
func (s *Server) connected(now time.Time, l *line, p *link.Device) {
	r := s.records[p.ID]
	switch {
	case r == nil:
		r = new(deviceRecord)
		s.records[p.ID] = r
	case r.device != p: // the device was started anew, and has forgotten everything
		r.losses.restarted, r.untold = now, nil
	}
	r.device = p
	c := newClient(s, p, r, l)
	c.follow(s.latest[p.ID])
	c.follow(l.client)
	s.active[p], s.latest[p.ID], l.client = c, c, c
	s.running.Go(c.run)
}

func (s *Server) disconnected(p *link.Device, cause error) {
	c := s.active[p]
	delete(s.active, p)
	c.lose(cause)
}

func (s *Server) arrived(now time.Time, p *link.Device, a link.Arrival) { s.active[p].arrived(now, a) }

// dictionaries remembers those of the devices seen, by their hash.
type dictionaries map[uint32]*wire.Dictionary

const maxDictionaries = 64

func (d *dictionaries) add(hash uint32, dict *wire.Dictionary) {
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
