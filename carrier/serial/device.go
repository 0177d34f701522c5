package serial

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/port"
)

// A Device is the device's side of a serial line, for simulators and tests: a [carrier.Carrier] whose one client
// is the hub. Requests that its dictionary names reach the handler as messages "request" with the params sender,
// method and params, like all others.
type Device struct {
	open   func(ctx context.Context) (port.Port, error)
	o      DeviceOptions
	dict   *dictionary
	packed []byte
	log    *slog.Logger
	wake   notice
	start  time.Time // when ticks were 0

	mu     sync.Mutex // guards everything below: nothing blocks while it is held
	line   deviceLine
	ring   *ring
	hub    *talk // nil: not connected
	hubID  carrier.ClientID
	events *queue[deviceEvent]
	stats  DeviceStats
	ended  bool
	ending sync.WaitGroup // of calls, with an error
}

// A deviceEvent is one thing for the device's goroutine to deal with; one of its parts is set.
type deviceEvent struct {
	hub      bool  // connected to the hub
	gone     error // disconnected from it
	arrival  arrival
	from     *talk // of arrival
	id       carrier.ClientID
	readings []*waiting // ended with err
	err      error
	done     bool // Serve ends
}

var _ carrier.Carrier = (*Device)(nil)

// NewDevice returns a device that opens its port with open, and again whenever it is lost. The error tells what is
// wrong with the options.
func NewDevice(open func(ctx context.Context) (port.Port, error), o DeviceOptions) (*Device, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	d := &Device{
		open:   open,
		o:      o,
		dict:   newDictionary(o.Senders),
		log:    o.Logger,
		wake:   newNotice(),
		start:  o.Clock(),
		events: newQueue[deviceEvent](),
	}
	d.ring = newRing(o.Ring, numberBits(len(d.dict.events)))
	if d.packed = d.dict.pack(); len(d.packed) > maxDictionary {
		return nil, fmt.Errorf("serial: the dictionary takes %d bytes, more than %d: fewer or shorter names", len(d.packed), maxDictionary)
	}
	d.boot(o.Boot)
	largest := d.line.hello
	largest.fastest = uint32(o.FastestBaud)
	largest.boot, largest.ticks, largest.expects, largest.kept = math.MaxUint32, math.MaxUint32, numbers-1, true
	if n, most := len(largest.pack()), payloadLimit(helloFrame); n > most {
		return nil, fmt.Errorf("serial: HELLO takes %d bytes, more than %d: shorten the name or the firmware's version by %d",
			n, most, n-most)
	}
	return d, nil
}

// boot makes the device new, as its start does.
func (d *Device) boot(number uint32) {
	o := d.o
	d.line = deviceLine{
		hello: hello{
			uid: o.UID, name: o.Name, firmware: o.Firmware, dictionary: hash(d.packed),
			receiveWindow: o.ReceiveWindow, maxFrame: o.MaxFrame, window: o.Window, boot: number,
			resetCause: uint64(o.ResetCause), ticksPerSecond: uint32(o.TicksPerSecond),
		},
		timeout: o.Timeout,
		events:  d,
		rates:   deviceRates{lineRate: lineRate{base: o.Baud, now: o.Baud}, fastest: o.FastestBaud},
		link:    &link{askAfter: o.Ask, baud: o.Baud, ticks: func(now time.Time) uint32 { return uint32(d.ticks(now)) }},
	}
}

func (d *Device) ticks(now time.Time) int64 {
	return int64(now.Sub(d.start).Seconds() * float64(d.o.TicksPerSecond))
}

// Ticks returns what the device's clock shows.
func (d *Device) Ticks() int64 { return d.ticks(d.o.Clock()) }

// Serve implements [carrier.Carrier].
func (d *Device) Serve(ctx context.Context, h carrier.Handler) error {
	var told sync.WaitGroup
	told.Go(func() { d.tell(h) })
	backoff := d.o.Backoff
	for ctx.Err() == nil {
		p, err := d.open(ctx)
		if err != nil {
			d.log.Debug("port cannot be opened", "error", err)
			_ = backoff.Wait(ctx)
			continue
		}
		backoff.Reset()
		_, settable := p.(port.RateSetter)
		d.mu.Lock()
		d.line.rates.start(d.o.Baud)
		d.line.rates.free = settable && d.o.FastestBaud > 0
		d.line.opened(time.Now())
		d.mu.Unlock()
		d.pump(ctx, p)
		_ = backoff.Wait(ctx)
	}
	d.mu.Lock()
	d.ended = true
	d.dropReadings(carrier.ErrShutdown)
	d.events.put(deviceEvent{done: true})
	d.mu.Unlock()
	told.Wait()
	d.ending.Wait()
	h.AllClientsDisconnected(carrier.ErrShutdown)
	return nil
}

func (d *Device) pump(ctx context.Context, p port.Port) {
	pump(ctx, p, d, d.wake, func(err error) {
		cause := fmt.Errorf("%w: %w", carrier.ErrUnplugged, err)
		if ctx.Err() != nil {
			cause = carrier.ErrShutdown
		}
		d.mu.Lock()
		d.line.lost(cause)
		d.mu.Unlock()
	})
}

// expire does nothing: a device waits for its hub.
func (d *Device) expire(time.Time) {}

// receive, pull and expire make the device a station.
func (d *Device) receive(now time.Time, data []byte) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.line.receive(now, data)
	return true
}

func (d *Device) pull(now time.Time, dst []byte) ([]byte, time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.line.pull(now, dst)
}

func (d *Device) rate() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.line.rate()
}

func (d *Device) rated(now time.Time, rate int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.line.rated(now, rate, err)
}

// finish: a device ends at once, as when its power is cut.
func (d *Device) finish() bool { return true }

// Transmit implements [carrier.Carrier]. The message travels in text, whatever the dictionary says.
func (d *Device) Transmit(ctx context.Context, id carrier.ClientID, m *carrier.Message, done func(carrier.Reply, error)) error {
	d.mu.Lock()
	hub, last := d.hub, d.hubID
	d.mu.Unlock()
	switch {
	case id == 0 || id > last:
		return fmt.Errorf("%w: %d", carrier.ErrNoClient, id)
	case hub == nil || id != last:
		return fmt.Errorf("%w: client %d", carrier.ErrGone, id)
	}
	payload, err := packPlain(m)
	if err != nil {
		return err
	}
	return hub.transmit(ctx, payload, done)
}

// Reset does what the reset of a microcontroller does: the device begins anew under another boot number. It forgets
// everything, and readings that were not acknowledged end with [carrier.ErrReset]; unless they are kept, as in memory
// that the reset leaves alone: then only the connection and its messages end.
func (d *Device) Reset(kept bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	former := d.line
	d.line.disconnect(carrier.ErrReset)
	if !kept {
		d.dropReadings(carrier.ErrReset)
	}
	d.stats.Resent += d.line.link.stats.resent
	d.stats.BadFrames += d.line.badFrames
	number := d.line.hello.boot
	for number == d.line.hello.boot {
		number = rand.Uint32()
	}
	d.boot(number)
	if kept {
		d.line.link.out, d.line.hub = former.link.out, former.hub
		// Until a hub has heard of the reset that kept nothing, that is what it must be told.
		d.line.hello.kept = former.welcome || former.hello.kept
	}
	d.line.rates.free, d.line.rates.now = former.rates.free, former.rates.now // the port is as it was
	if former.open {
		d.line.opened(time.Now())
		// An answer to the HELLO before may be under way: from the next tick on it is told from those to come.
		d.line.since++
		d.line.next = d.line.next.Add(time.Second / time.Duration(d.o.TicksPerSecond))
		d.wake.give()
	}
}

// Stats returns what the device has counted since it was made.
func (d *Device) Stats() DeviceStats {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.stats
	s.Resent += d.line.link.stats.resent
	s.BadFrames += d.line.badFrames
	return s
}

// tell tells the handler of everything, in order, until Serve ends.
func (d *Device) tell(h carrier.Handler) {
	for {
		e, ok := d.events.take()
		switch {
		case !ok:
			<-d.events.ready
		case e.done:
			return
		case e.gone != nil:
			h.ClientDisconnected(e.id, e.gone)
		case e.hub:
			h.ClientConnected(carrier.Client{ID: e.id, Name: "hub", Addr: "serial://", Codec: carrier.CBORText, Hello: true, Window: d.o.Window})
		case e.readings != nil:
			for _, r := range e.readings {
				r.end(e.err)
				d.ring.leave(r)
			}
		case e.arrival.answered != nil:
			e.from.answered(e.arrival)
		default:
			d.message(h, e)
			e.from.consumed()
		}
	}
}

// message hands on the message of a MSG frame.
func (d *Device) message(h carrier.Handler, e deviceEvent) {
	in, from := e.arrival.in, e.from
	m, err := unpackPlain(e.arrival.payload)
	if n, params, ok := unpackCompact(e.arrival.payload); ok {
		m, err = d.request(n, params)
	}
	if err != nil {
		from.respond(in, carrier.Failed(err))
		return
	}
	h.HandleMessage(e.id, m, func(r carrier.Reply) { from.respond(in, r) })
}

func (d *Device) request(n uint64, params []byte) (*carrier.Message, error) {
	if n < 1 || n > uint64(len(d.dict.requests)) {
		return nil, &carrier.StatusError{Status: carrier.StatusNoSuchMethod, Exception: fmt.Sprintf("the device has no request %d", n)}
	}
	name := d.dict.requests[n-1]
	return &carrier.Message{Method: "request", Params: carrier.ValueOf(carrier.Object{
		{Key: "sender", Value: name.sender}, {Key: "method", Value: name.method},
		{Key: "params", Value: carrier.RawValue(carrier.CBORText, slices.Clone(params))},
	})}, nil
}

// connected implements deviceEvents.
func (d *Device) connected() {
	d.hubID++
	d.hub = newTalk(&d.mu, d.line.link, d.wake.give)
	d.events.put(deviceEvent{hub: true, id: d.hubID})
}

// disconnected implements deviceEvents.
func (d *Device) disconnected(cause error) {
	hub := d.hub
	d.hub = nil
	gone := hub.end(cause)
	d.events.put(deviceEvent{gone: cause, id: d.hubID})
	d.ending.Go(func() { hub.calls.Fail(gone) })
}

// arrived implements deviceEvents.
func (d *Device) arrived(_ time.Time, a arrival) {
	switch {
	case a.answered != nil && a.answered.kind == frameEvent:
		d.acknowledged(a)
	case a.in != nil && d.fetch(a):
	case a.pong == nil:
		d.events.put(deviceEvent{arrival: a, from: d.hub, id: d.hubID})
	}
}

// fetch answers the hub's request for a piece of the dictionary, at once and whatever the handler is doing.
func (d *Device) fetch(a arrival) bool {
	method, params, ok := unpackCompact(a.payload)
	if !ok || method != fetchMethod {
		return false
	}
	in := items{rest: params}
	offset := in.uint("the offset", math.MaxUint32)
	limit := d.line.link.payloadLimit()
	reply := carrier.Done(pieceOf(d.packed, offset, limit))
	if in.err != nil {
		reply = carrier.Failed(in.err)
	}
	d.line.link.consumed()
	d.line.link.answer(a.in, packReply(reply, limit))
	return true
}
