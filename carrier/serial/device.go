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
	open  func(ctx context.Context) (port.Port, error)
	o     DeviceOptions
	dict  *dictionary
	log   *slog.Logger
	wake  notice
	start time.Time     // when ticks were 0
	room  chan struct{} // an entry for each reading that is not acknowledged

	mu     sync.Mutex // guards everything below: nothing blocks while it is held
	line   *deviceLine
	hub    *talk // nil: not connected
	hubID  carrier.ClientID
	events *queue[deviceEvent]
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
	readings []*pendingReading // ended with err
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
		room:   make(chan struct{}, o.Ring),
		events: newQueue[deviceEvent](),
	}
	packed := d.dict.pack()
	if len(packed) > maxDictionary {
		return nil, fmt.Errorf("serial: the dictionary takes %d bytes, more than %d: fewer or shorter names", len(packed), maxDictionary)
	}
	d.line = newDeviceLine(deviceConfig{
		hello: hello{
			uid: o.UID, name: o.Name, firmware: o.Firmware, dictionary: hash(packed),
			receiveWindow: o.ReceiveWindow, maxFrame: o.MaxFrame, window: o.Window, boot: o.Boot,
			resetCause: uint64(o.ResetCause), ticksPerSecond: uint32(o.TicksPerSecond),
		},
		dictionary: packed, events: len(d.dict.events), batch: o.Batch,
		ask: o.Ask, timeout: o.Timeout, baud: o.Baud, fastest: o.FastestBaud,
		ticks: func(now time.Time) uint32 { return uint32(d.ticks(now)) },
	}, owner{d})
	largest := d.line.hello
	largest.fastest = uint32(o.FastestBaud)
	largest.boot, largest.ticks, largest.expects, largest.kept = math.MaxUint32, math.MaxUint32, numbers-1, true
	if n, most := len(largest.pack()), payloadLimit(helloFrame); n > most {
		return nil, fmt.Errorf("serial: HELLO takes %d bytes, more than %d: shorten the name or the firmware's version by %d",
			n, most, n-most)
	}
	return d, nil
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
		d.serve(ctx, p)
		_ = backoff.Wait(ctx)
	}
	d.mu.Lock()
	d.ended = true
	d.line.abandon(carrier.ErrShutdown)
	d.events.put(deviceEvent{done: true})
	d.mu.Unlock()
	told.Wait()
	d.ending.Wait()
	h.AllClientsDisconnected(carrier.ErrShutdown)
	return nil
}

// serve moves bytes until the port is lost.
func (d *Device) serve(ctx context.Context, p port.Port) {
	_, settable := p.(port.RateSetter)
	d.mu.Lock()
	d.line.rates.start(d.o.Baud)
	d.line.rates.free = settable && d.o.FastestBaud > 0
	d.line.opened(time.Now())
	d.mu.Unlock()
	runPump(ctx, p, d.line, &d.mu, d.wake, func(err error) {
		cause := fmt.Errorf("%w: %w", carrier.ErrUnplugged, err)
		if ctx.Err() != nil {
			cause = carrier.ErrShutdown
		}
		d.mu.Lock()
		d.line.closed(cause)
		d.mu.Unlock()
	})
}

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
	number := d.line.hello.boot
	for number == d.line.hello.boot {
		number = rand.Uint32()
	}
	d.line.reset(time.Now(), kept, number)
	d.wake.give()
}

// Stats returns what the device has counted since it was made.
func (d *Device) Stats() DeviceStats {
	d.mu.Lock()
	defer d.mu.Unlock()
	return DeviceStats(d.line.count())
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
				if !r.gap {
					<-d.room
				}
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

// An owner is the device as the owner of its end of the line; the device's lock is held.
type owner struct{ *Device }

func (d owner) connected() {
	d.hubID++
	d.hub = newTalk(&d.mu, d.line.link, d.wake.give)
	d.events.put(deviceEvent{hub: true, id: d.hubID})
}

func (d owner) disconnected(cause error) {
	hub := d.hub
	d.hub = nil
	gone := hub.end(cause)
	d.events.put(deviceEvent{gone: cause, id: d.hubID})
	d.ending.Go(func() { hub.calls.Fail(gone) })
}

func (d owner) arrived(a arrival) {
	d.events.put(deviceEvent{arrival: a, from: d.hub, id: d.hubID})
}

func (d owner) ended(readings []*pendingReading, err error) {
	d.events.put(deviceEvent{readings: readings, err: err})
}
