package device

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/endpoint"
	"sighub/carrier/serial/internal/link"
	"sighub/carrier/serial/internal/wire"
	"sighub/carrier/serial/port"
	"sighub/internal/lockrank"
)

// A Device is the device's side of a serial line: a [carrier.Carrier] whose one client is the hub. Requests reach the handler
// as messages "request" with the params sender, method and params, whether its dictionary names them or not.
type Device struct {
	open  func(ctx context.Context) (port.Port, error)
	o     Options
	dict  *wire.Dictionary
	wake  endpoint.Notice
	start time.Time     // when ticks were 0
	room  chan struct{} // holds an entry for each reading that is not acknowledged
	hubs  carrier.Clients[*endpoint.Messenger]

	mu     lockrank.Mutex[lockrank.Serial] // guards what follows; nothing blocks while it is held
	line   *link.DeviceEnd
	hub    *endpoint.Messenger // the latest
	hubID  carrier.ClientID    // of hub
	events *endpoint.Queue[event]
	ended  bool
	ending sync.WaitGroup // of calls, with an error
}

// An event is something that the handler is to be told, or that ends Serve. One of its parts is set.
type event struct {
	hub      bool  // connected to the hub
	gone     error // disconnected from it
	arrival  link.Arrival
	from     *endpoint.Messenger // that arrival belongs to
	id       carrier.ClientID
	readings []*link.PendingReading // that ended with err
	err      error
	done     bool // Serve ends
}

var _ carrier.Carrier = (*Device)(nil)

// New returns a device that opens its port with open. The error says what is wrong with the options.
func New(open func(ctx context.Context) (port.Port, error), o Options) (*Device, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	d := &Device{
		open:   open,
		o:      o,
		dict:   wire.NewDictionary(pack(o.Senders)),
		wake:   endpoint.NewNotice(),
		start:  o.Clock(),
		room:   make(chan struct{}, o.Ring),
		events: endpoint.NewQueue[event](),
	}
	packed := d.dict.Pack()
	if len(packed) > wire.MaxDictionary {
		return nil, fmt.Errorf("device: the dictionary must have at most %d bytes, not %d: use fewer or shorter names", wire.MaxDictionary, len(packed))
	}
	d.line = link.NewDeviceEnd(link.DeviceConfig{
		Hello: wire.Hello{
			UID: o.UID, Name: o.Name, Firmware: o.Firmware, Dictionary: wire.HashDictionary(packed),
			ReceiveWindow: o.ReceiveWindow, MaxFrame: o.MaxFrame, Window: o.Window, Boot: o.Boot,
			ResetCause: uint64(o.ResetCause), TicksPerSecond: uint32(o.TicksPerSecond),
		},
		Dictionary: packed, Events: len(d.dict.Events), Batch: o.Batch,
		Ask: o.Ask, Timeout: o.Timeout, Baud: o.Baud, Fastest: o.FastestBaud,
		Ticks: func(now time.Time) uint32 { return uint32(d.ticks(now)) },
	}, owner{d})
	largest := d.line.Hello
	largest.FastestBaud = uint32(o.FastestBaud)
	largest.Boot, largest.Ticks, largest.Expects, largest.Kept = math.MaxUint32, math.MaxUint32, wire.FrameNumbers-1, true
	if n, most := len(largest.Pack()), wire.PayloadLimit(wire.MinFrame); n > most {
		return nil, fmt.Errorf("device: HELLO must have at most %d bytes, not %d: shorten the name or the firmware's version by %d",
			most, n, n-most)
	}
	return d, nil
}

func (d *Device) ticks(now time.Time) int64 {
	return int64(now.Sub(d.start).Seconds() * float64(d.o.TicksPerSecond))
}

// Ticks returns what the device's clock shows now.
func (d *Device) Ticks() int64 { return d.ticks(d.o.Clock()) }

// Serve implements [carrier.Carrier].
func (d *Device) Serve(ctx context.Context, h carrier.Handler) error {
	var told sync.WaitGroup
	told.Go(func() { d.tell(h) })
	backoff := d.o.Backoff
	for ctx.Err() == nil {
		if p, err := d.open(ctx); err != nil {
			d.o.Logger.Debug("port cannot be opened", "error", err)
		} else {
			backoff.Reset()
			d.serve(ctx, p)
		}
		_ = backoff.Wait(ctx)
	}
	d.mu.Lock()
	d.ended = true
	d.line.Abandon(carrier.ErrShutdown)
	d.events.Put(event{done: true})
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
	d.line.Opened(time.Now(), settable)
	d.mu.Unlock()
	endpoint.Pump(ctx, p, d.line, &d.mu, d.wake, func(err error) {
		cause := fmt.Errorf("%w: %w", carrier.ErrUnplugged, err)
		if ctx.Err() != nil {
			cause = carrier.ErrShutdown
		}
		d.mu.Lock()
		d.line.Closed(cause)
		d.mu.Unlock()
	})
}

// Transmit implements [carrier.Carrier]. The message travels with its names, whatever the dictionary has.
func (d *Device) Transmit(ctx context.Context, id carrier.ClientID, m *carrier.Message, done func(carrier.Reply, error)) error {
	hub, err := d.hubs.Find(id)
	if err != nil {
		return err
	}
	payload, err := wire.PackMessage(m)
	if err != nil {
		return err
	}
	return hub.Transmit(ctx, payload, done)
}

// Reset does what the reset of a microcontroller does: it ends the connection and starts the device anew under another
// boot number. If kept is true, the device keeps its memory, and readings that are not acknowledged are sent again.
// Otherwise they end with [carrier.ErrReset].
func (d *Device) Reset(kept bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	number := d.line.Hello.Boot
	for number == d.line.Hello.Boot {
		number = rand.Uint32()
	}
	d.line.Reset(time.Now(), kept, number)
	d.wake.Give()
}

// Stats returns what the device has counted since it was made.
func (d *Device) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	return Stats(d.line.Count())
}

// tell calls the handler, in order, until Serve ends.
func (d *Device) tell(h carrier.Handler) {
	for {
		e, ok := d.events.Take()
		lockrank.MustBeFree("a handler is called")
		switch {
		case !ok:
			<-d.events.Ready
		case e.done:
			return
		case e.gone != nil:
			h.ClientDisconnected(e.id, e.gone)
		case e.hub:
			h.ClientConnected(carrier.Client{ID: e.id, Name: "hub", Addr: "serial://", Codec: carrier.CBORText, Hello: true, Window: d.o.Window})
		case e.readings != nil:
			for _, r := range e.readings {
				r.End(e.err)
				if !r.Gap {
					<-d.room
				}
			}
		case e.arrival.Answered != nil:
			e.from.Answered(e.arrival)
		default:
			if !e.from.TakenBack(e.arrival.In) {
				d.message(h, e)
			}
			e.from.Consumed()
		}
	}
}

// message hands on the message of a MSG frame.
func (d *Device) message(h carrier.Handler, e event) {
	in, from := e.arrival.In, e.from
	var m *carrier.Message
	n, params, ok := wire.UnpackNumbered(e.arrival.Payload)
	var err error
	if ok {
		m, err = d.request(n, params)
	} else if m, err = wire.UnpackMessage(e.arrival.Payload); err != nil && from.Doubt(in) {
		return
	}
	if err != nil {
		from.Respond(in, carrier.Failed(err))
		return
	}
	h.HandleMessage(e.id, m, func(r carrier.Reply) { from.Respond(in, r) })
}

func (d *Device) request(n uint64, params []byte) (*carrier.Message, error) {
	if n < 1 || n > uint64(len(d.dict.Requests)) {
		return nil, &carrier.StatusError{Status: carrier.StatusNoSuchMethod, Exception: fmt.Sprintf("the device has no request %d", n)}
	}
	name := d.dict.Requests[n-1]
	return &carrier.Message{Method: "request", Params: carrier.ValueOf(carrier.Object{
		{Key: "sender", Value: name.Sender}, {Key: "method", Value: name.Method},
		{Key: "params", Value: carrier.RawValue(carrier.CBORText, slices.Clone(params))},
	})}, nil
}

// An owner is a Device as the owner of its end of the line. Its lock is held while these methods run.
type owner struct{ *Device }

func (d owner) Connected() {
	d.hub = endpoint.NewMessenger(&d.mu, d.line.Link, d.wake.Give)
	d.hubID = d.hubs.Add(d.hub)
	d.events.Put(event{hub: true, id: d.hubID})
}

func (d owner) Disconnected(cause error) {
	fail := d.hub.End(cause)
	d.hubs.Remove(d.hubID)
	d.events.Put(event{gone: cause, id: d.hubID})
	d.ending.Go(fail)
}

func (d owner) Arrived(a link.Arrival) {
	d.events.Put(event{arrival: a, from: d.hub, id: d.hubID})
}

func (d owner) Ended(readings []*link.PendingReading, err error) {
	d.events.Put(event{readings: readings, err: err})
}
