package serial

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/endpoint"
	"sighub/carrier/serial/internal/link"
	"sighub/carrier/serial/port"
	"sighub/internal/lockrank"
)

// A Server is the hub's side of any number of serial ports: a [carrier.Carrier] whose clients are the devices on them.
type Server struct {
	options Options
	store   store
	log     *slog.Logger    // to be used while mu is held
	changed endpoint.Notice // the finder has to look at lines again
	mu      endpoint.Mutex  // guards what follows, and all lines and devices: see Locks in the package's documentation

	handler   carrier.SignalHandler
	keeper    carrier.Keeper  // nil: nothing is kept
	doubter   carrier.Doubter // nil: the keeper is not one that may answer for what it has not kept
	marked    markList
	devices   link.Devices
	lines     []*line
	aside     []PortInfo                 // ports that are there and not opened
	unmatched map[*PortOptions]time.Time // patterns that match no port, since when
	records   map[string]*deviceRecord   // by the ID of the device
	latest    map[string]*client         // by the ID of the device, until they have ended
	clients   carrier.Clients[*client]   // of which the handler knows
	running   sync.WaitGroup             // clients
}

var _ carrier.Reporter = (*Server)(nil)

// Listen returns a Server, which opens its ports once it is served. The error says what is wrong with the options.
func Listen(o Options) (*Server, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{
		changed:   endpoint.NewNotice(),
		unmatched: make(map[*PortOptions]time.Time),
		records:   make(map[string]*deviceRecord),
		latest:    make(map[string]*client),
	}
	s.log = s.mu.Logger(o.Logger)
	o.Logger = lockrank.Logger(o.Logger)
	s.options, s.store.dir, s.store.log = o, o.Dir, o.Logger
	return s, nil
}

// Serve implements [carrier.Carrier]. It opens each port that is there, and opens it again when it is lost. If the handler is a
// [carrier.Keeper], devices go on over a restart of the hub as they do over one of their lines.
func (s *Server) Serve(ctx context.Context, h carrier.Handler) error {
	keeper, keeps := h.(carrier.Keeper)
	s.mu.Lock()
	s.handler = carrier.AsSignalHandler(h)
	if keeps {
		s.keepWith(keeper)
	}
	s.mu.Unlock()
	(&finder{server: s}).run(ctx)
	s.running.Wait()
	h.AllClientsDisconnected(carrier.ErrShutdown)
	return nil
}

// keepWith makes devices go on where an earlier run of the hub has left them. The lock is held.
func (s *Server) keepWith(k carrier.Keeper) {
	s.keeper = k
	s.devices.Recall = func(id string) []byte { return k.State(markKey(id)) }
	s.devices.Uptime.Machine, s.devices.Uptime.At = port.Uptime()
	if d, ok := k.(carrier.Doubter); ok {
		s.doubter, s.devices.Doubtful = d, d.Doubtful()
	}
	list, err := readMarkList(k.State(markListKey))
	if err != nil {
		s.log.Warn("the list of known devices cannot be used: it begins anew", "error", err)
	}
	s.marked = list
}

// Reports implements [carrier.Reporter]: devices keep what is not acknowledged.
func (*Server) Reports() bool { return true }

// Transmit implements [carrier.Carrier]. The error is [carrier.ErrTooLarge] if the device's frames have no room for m.
func (s *Server) Transmit(ctx context.Context, id carrier.ClientID, m *carrier.Message, done func(carrier.Reply, error)) error {
	c, err := s.clients.Find(id)
	if err != nil {
		return err
	}
	payload, err := c.pack(m)
	if err != nil {
		return err
	}
	return c.Messenger.Transmit(ctx, payload, done)
}

// Review asks [Options].Login again for each device that is connected, and ends the connections of those that are not let in any more, with
// the cause [carrier.ErrRevoked]. Such a device is told nothing: to it, the hub is gone.
func (s *Server) Review() {
	if s.options.Login == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lines {
		l.review(time.Now())
	}
}

// A deviceRecord is what the server keeps of a device from one connection to the next, and over resets.
type deviceRecord struct {
	device    *link.Device // another one after a reset in which the device lost its memory
	client    *client      // nil: not connected
	ledger    ledger
	losses    losses
	refused   refusals
	unhandled []event // of a connection of which the handler was not told

	dictionary       []byte        // packed, as it was learned last
	dictionaryOfBoot dictionaryKey // whose that is
}
