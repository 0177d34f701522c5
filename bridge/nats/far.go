package nats

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"sighub/carrier"
	"sighub/hub"
	"sighub/internal/lockrank"
)

// A far has the other hubs, each of which is a client of this one. What it does with them, it does on one goroutine.
type far struct {
	b       *Bridge
	handler carrier.SignalHandler
	keeper  carrier.Keeper // nil: nothing is remembered
	in      chan func()    // what is to be done on that goroutine
	done    chan struct{}  // closed when it has ended
	track   tracker
	conn    atomic.Pointer[nats.Conn] // nil: there is no connection

	hubs map[string]*farHub
	keep time.Time // when the floor was looked at
	kept string    // the latest mark of it

	hole uint64 // the number of the latest message that was removed from the stream before it was heard; 0: none was

	bytes   int       // that are remembered of all hubs
	crowded time.Time // until then, none is looked for that could be forgotten
	told    bool      // that there are too many

	mu   lockrank.Mutex[lockrank.Leaf]
	byID map[carrier.ClientID]farClient
	next carrier.ClientID

	asker carrier.ClientID // of requests from other hubs; 0: not connected
}

// Bounds of what is remembered of other hubs.
const (
	maxHubs    = 10_000
	maxSenders = 1024     // of each
	maxEvents  = 1024     // of each of these: as many as a sender may have
	maxBytes   = 64 << 20 // of names, and of what senders say of themselves, of all hubs together, about
)

// nameCost is how many bytes a hub, a sender or an event takes beside its name, about.
const nameCost = 200

// errCrowded: there are more other hubs than this one keeps in mind.
var errCrowded = fmt.Errorf("nats: there are more than %d other hubs, or what they say of their senders has more than %d MiB: name those under hear that are needed",
	maxHubs, maxBytes>>20)

// A farClient is a hub that is there, for those who ask it.
type farClient struct {
	name string
	here context.Context //nolint:containedctx // it is that of a connection, which is done when the hub has gone
}

// A farHub is another hub.
type farHub struct {
	name    string
	id      carrier.ClientID // 0: it is not there
	here    context.Context  //nolint:containedctx // done when it has gone
	gone    context.CancelCauseFunc
	senders map[string]*farSender
	until   time.Time     // then it is taken to be gone
	beat    time.Duration // how often it says that it is there
	boot    string        // which of its runs says so
	told    bool          // that something of it is refused
	missed  bool          // that events of it may be missing is still to be told
	bytes   int           // that are remembered of it
	mark    uint64        // the number of the latest message of the stream whose signals the hub was given
	record  record        // what was heard of its journal

	signals []carrier.Signal
	entries []*entry
	size    int // of their data, in bytes
	routes  map[[2]string]*carrier.Route
	left    map[string]*farSender // senders that are here for late events alone
}

// A farSender is a sender of another hub.
type farSender struct {
	hub.Connection
	connected  bool
	registered bool
	at         moment // of the newest event that is known, which told whether it is connected
	learned    int    // bytes of what is known of it beside its name
}

func (f *far) init(b *Bridge) {
	f.b, f.in, f.done = b, make(chan func(), 64), make(chan struct{})
	f.hubs, f.byID = make(map[string]*farHub), make(map[carrier.ClientID]farClient)
	f.track.change = make(chan struct{}, 1)
}

// serve says whom the hubs are clients of, before run.
func (f *far) serve(h carrier.Handler) {
	f.handler = carrier.AsSignalHandler(h)
	f.keeper, _ = h.(carrier.Keeper)
}

// run does what is to be done until ctx is done, and then takes leave of all hubs.
func (f *far) run(ctx context.Context) {
	defer close(f.done)
	tick := time.NewTicker(f.b.o.Beat / 5)
	defer tick.Stop()
	for {
		lockrank.MustBeFree("a handler is called")
		select {
		case do := <-f.in:
			do()
		case now := <-tick.C:
			f.expire(now)
		case <-ctx.Done():
			for _, h := range f.hubs {
				f.leave(h, carrier.ErrShutdown)
			}
			f.leaveAsker(carrier.ErrShutdown)
			f.keepFloor()
			return
		}
	}
}

// do has something done in its turn. It fails when ctx is done first.
func (f *far) do(ctx context.Context, what func()) error {
	select {
	case f.in <- what:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-f.done:
		return carrier.ErrShutdown
	}
}

// find returns a hub by its name; nil if it is not to be heard, or there are too many.
func (f *far) find(name string) *farHub {
	h := f.hubs[name]
	if h != nil || name == f.b.o.Hub || f.b.o.Hear == nil || CheckHub(name) != nil || !f.b.o.Hear(name) || !f.hasRoom(len(name)) {
		return h
	}
	h = &farHub{name: name, senders: make(map[string]*farSender), routes: make(map[[2]string]*carrier.Route), left: make(map[string]*farSender), beat: f.b.o.Beat}
	if f.keeper != nil {
		if stream, at, rest, ok := splitMark(f.keeper.State(f.markKey(name))); ok {
			if h.record = parseRecord(rest); stream == f.track.stream() {
				h.mark = at.number
			}
			h.missed = h.mark < f.hole
		}
	}
	f.hubs[name] = h
	f.charge(h, nameCost+len(name))
	return h
}

// crowdedFor is how long none is looked for that could be forgotten, when none was found.
const crowdedFor = time.Second

// hasRoom reports whether one more hub can be remembered. To make room, it forgets hubs that are not there. Too little room is logged once.
func (f *far) hasRoom(name int) bool {
	for len(f.hubs) >= maxHubs || f.bytes+nameCost+name > maxBytes {
		now := time.Now()
		if now.Before(f.crowded) {
			return false
		}
		var gone *farHub
		for _, h := range f.hubs {
			if h.id == 0 && (gone == nil || h.until.Before(gone.until)) {
				gone = h
			}
		}
		if gone == nil {
			f.crowded = now.Add(crowdedFor)
			f.tellCrowded()
			return false
		}
		delete(f.hubs, gone.name)
		f.bytes -= gone.bytes
	}
	return true
}

// charge takes room for more bytes that are remembered of a hub, or gives room back. It reports whether there was enough. Too little room is
// logged once.
func (f *far) charge(h *farHub, bytes int) bool {
	if bytes > 0 && f.bytes+bytes > maxBytes {
		f.tellCrowded()
		return false
	}
	h.bytes += bytes
	f.bytes += bytes
	return true
}

func (f *far) tellCrowded() {
	if !f.told {
		f.told = true
		f.b.o.Logger.Error("not all other hubs are heard", "bridge", f.b.o.Name, "error", errCrowded)
	}
}

// beatsLost is after how many beats that were not heard a hub is taken to be gone.
const beatsLost = 3

// alive notes that something was heard of a hub.
func (f *far) alive(h *farHub) {
	h.until = time.Now().Add(beatsLost * h.beat)
	if h.id == 0 {
		f.arrive(h)
	}
	f.tellMissed(h)
}

// arrive makes a hub that was not there a client of this one, with its senders.
func (f *far) arrive(h *farHub) {
	h.here, h.gone = context.WithCancelCause(context.Background())
	f.mu.Lock()
	f.next++
	h.id = f.next
	f.byID[h.id] = farClient{h.name, h.here}
	f.mu.Unlock()
	clear(h.routes)
	f.handler.ClientConnected(f.client(h.id, h.name))
	for name, s := range h.senders {
		if s.registered = false; s.connected {
			f.register(h, name, s)
		}
	}
}

// client returns what the hub knows of a client of the bridge.
func (f *far) client(id carrier.ClientID, name string) carrier.Client {
	o := &f.b.o
	return carrier.Client{
		ID: id, Name: name, Addr: scheme + name, Identity: o.Identity, Codec: carrier.JSON, Hello: true, Window: maxAsks,
		Restricted: true, Naming: o.Naming,
	}
}

// leave takes leave of a hub, if it is there.
func (f *far) leave(h *farHub, cause error) {
	if h.id == 0 {
		return
	}
	h.gone(fmt.Errorf("%w: %w", carrier.ErrGone, cause))
	f.mu.Lock()
	delete(f.byID, h.id)
	f.mu.Unlock()
	f.handler.ClientDisconnected(h.id, cause)
	h.id = 0
}

// expire takes leave of hubs of which nothing was heard for too long.
func (f *far) expire(now time.Time) {
	for _, h := range f.hubs {
		if h.id != 0 && now.After(h.until) {
			f.leave(h, carrier.ErrTimeout)
		}
	}
	if now.Sub(f.keep) > keepFloorEach {
		f.keep = now
		f.keepFloor()
	}
}

// heard takes a beat of a hub.
func (f *far) heard(name string, beat pulse) {
	h := f.find(name)
	if h == nil {
		return
	}
	if beat.Gone {
		if beat.Boot == h.boot || h.boot == "" {
			f.leave(h, carrier.ErrShutdown)
		}
		return
	}
	if h.boot != "" && h.boot != beat.Boot {
		f.leave(h, carrier.ErrReset)
	}
	h.boot, h.beat = beat.Boot, min(max(time.Duration(beat.Beat)*time.Millisecond, shortestBeat), longestBeat)
	f.alive(h)
}

// register adds a sender of a hub that is there.
func (f *far) register(h *farHub, name string, s *farSender) {
	s.registered = true
	events := slices.DeleteFunc(slices.Clone(s.Events), func(event string) bool {
		return event == hub.Connect || event == hub.Disconnect || event == hub.Gap
	})
	params := carrier.Object{{Key: "sender", Value: name}, {Key: "events", Value: events}}
	if s.Requests != nil {
		params = append(params, carrier.Field{Key: "requests", Value: s.Requests})
	}
	if len(s.Units) > 0 {
		params = append(params, carrier.Field{Key: "units", Value: s.Units})
	}
	here := h.here
	f.call(h, "add_sender", params, func(r carrier.Reply) {
		err := r.Err()
		if err == nil {
			return
		}
		_ = f.do(here, func() {
			f.refused(h, name, err)
		})
	})
}

// refused logs that something of a hub is not heard here, once for all.
func (f *far) refused(h *farHub, sender string, err error) {
	if !h.told {
		h.told = true
		f.b.o.Logger.Error("the hub refuses a sender of another hub", "bridge", f.b.o.Name, "hub", h.name, "sender", sender, "error", err)
	}
}

// unregister removes a sender.
func (f *far) unregister(h *farHub, name string, s *farSender) {
	if s.registered && h.id != 0 {
		f.call(h, "remove_sender", carrier.Object{{Key: "sender", Value: name}}, func(carrier.Reply) {})
	}
	s.registered = false
}

// call has the hub handle a message of another one. The answer comes on a goroutine of its own, which may wait.
func (f *far) call(h *farHub, method string, params any, answered func(carrier.Reply)) {
	var once sync.Once
	v := carrier.ValueOf(params)
	data, err := v.AppendTo(nil, carrier.JSON)
	if err != nil {
		return // it was JSON
	}
	f.handler.HandleMessage(h.id, &carrier.Message{Method: method, Params: carrier.RawValue(carrier.JSON, data)}, func(r carrier.Reply) {
		once.Do(func() {
			if r.Err() != nil {
				go answered(r)
			}
		})
	})
}

// Relays implements [carrier.Relay].
func (b *Bridge) Relays() {}

// Transmit implements [carrier.Carrier]. It passes a request on to another hub.
func (b *Bridge) Transmit(ctx context.Context, id carrier.ClientID, m *carrier.Message, done func(carrier.Reply, error)) error {
	f := &b.far
	f.mu.Lock()
	to, there := f.byID[id]
	known := id <= f.next
	f.mu.Unlock()
	conn := f.conn.Load()
	switch {
	case !known:
		return carrier.ErrNoClient
	case !there:
		return carrier.ErrGone
	case conn == nil:
		return fmt.Errorf("%w: the bridge has no connection at the moment", carrier.ErrGone)
	case m.Method != methodRequest:
		return fmt.Errorf("nats: another hub is only sent requests, and no %s", m.Method)
	}
	data, err := m.Params.AppendTo(nil, carrier.JSON)
	if err != nil {
		return err
	}
	if int64(len(data)) > conn.MaxPayload() {
		return fmt.Errorf("%w: the request has %d bytes, and the server takes %d", carrier.ErrTooLarge, len(data), conn.MaxPayload())
	}
	go b.ask(ctx, conn, to, data, done)
	return nil
}

// ask sends a request to another hub, and waits for the answer.
func (b *Bridge) ask(ctx context.Context, conn *nats.Conn, to farClient, data []byte, done func(carrier.Reply, error)) {
	ctx, cancel := context.WithTimeout(ctx, longestAsk)
	defer cancel()
	defer context.AfterFunc(to.here, cancel)()
	m, err := conn.RequestWithContext(ctx, b.o.Prefix+askSuffix+token(to.name), data)
	switch {
	case to.here.Err() != nil:
		done(carrier.Reply{}, context.Cause(to.here))
	case errors.Is(err, nats.ErrNoResponders):
		done(carrier.Reply{Status: carrier.StatusFailed, Exception: "nats: the hub " + to.name + " takes no requests from other hubs"}, nil)
	case err != nil:
		done(carrier.Reply{}, fmt.Errorf("%w: the hub %s has not answered: %w", carrier.ErrTimeout, to.name, err))
	default:
		done(readReply(m.Data), nil)
	}
}
