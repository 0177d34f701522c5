// Package simulator has the simulated devices of sighub demo and sighub simulate. A [Simulator] speaks the protocol of the serial line and
// reports simulated values, a [LinePrinter] prints lines of text, and a [ModbusBus] has units that answer Modbus.
package simulator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/device"
	"sighub/carrier/serial/port"
	"sighub/hub"
	"sighub/sensors"
	"sighub/sensors/simulated"
)

// A Simulator is a device that reports simulated values.
type Simulator struct {
	opts    Options
	device  *device.Device
	sources []source // in the order of one round

	mu      sync.Mutex
	latest  map[string]carrier.Object // by sender: the latest value of each event
	sent    int
	acked   int
	failed  int           // readings that the hub refused
	failure error         // why it refused the first of them
	change  chan struct{} // closed and replaced when a reading is acknowledged or refused
}

// A source is where the values of one event come from.
type source struct {
	sender, event string
	read          func(at time.Time) sensors.Reading
}

// New returns a Simulator on the line that open opens.
func New(o Options, open func(context.Context) (port.Port, error)) (*Simulator, error) {
	device, err := device.New(open, device.Options{
		UID: o.uid(), Name: cmp.Or(o.Name, "simulated"), Firmware: "sighub", Senders: o.senders, Baud: o.Baud,
	})
	if err != nil {
		return nil, err
	}
	sim := &Simulator{opts: o, device: device, latest: make(map[string]carrier.Object), change: make(chan struct{})}
	// Start in the morning, when values change faster than at midnight.
	place := simulated.Drift{Day: o.Day, Start: time.Now().Add(-o.Day * 3 / 10)}
	for _, s := range o.senders {
		for _, e := range s.Events {
			sim.sources = append(sim.sources, source{s.Name, e.Name, o.source(place, s.Name, e.Name)})
		}
	}
	return sim, nil
}

func (o *Options) source(place simulated.Drift, sender, event string) func(time.Time) sensors.Reading {
	switch {
	case o.Counter:
		return new(simulated.Counter).Next
	case isTemperature(sender, event):
		return place.Temperature
	default:
		return place.Light
	}
}

// Run is the device until Count readings are acknowledged, or until ctx is done. It returns an error if some were refused, or
// are not acknowledged soon after ctx is done.
func (sim *Simulator) Run(ctx context.Context) error {
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	var device sync.WaitGroup
	device.Go(func() { _ = sim.device.Serve(serving, simulatorHandler{sim}) }) // a device never fails for good
	defer device.Wait()
	defer stop()
	if err := sim.report(ctx); err != nil {
		return err
	}
	return sim.settle(ctx)
}

// report reports rounds of readings until there are enough or ctx is done.
func (sim *Simulator) report(ctx context.Context) error {
	var tick <-chan time.Time
	if sim.opts.Rate > 0 {
		t := time.NewTicker(time.Duration(float64(time.Second) / sim.opts.Rate))
		defer t.Stop()
		tick = t.C
	}
	for n := 0; ; {
		for _, src := range sim.sources {
			if sim.opts.Count > 0 && n == sim.opts.Count {
				return nil
			}
			if err := sim.reportOne(ctx, src); ctx.Err() != nil {
				return nil
			} else if err != nil {
				return err
			}
			n++
		}
		if tick == nil {
			continue
		}
		select {
		case <-tick:
		case <-ctx.Done():
			return nil
		}
	}
}

func (sim *Simulator) reportOne(ctx context.Context, src source) error {
	value := number(src.read(time.Now()).Value)
	sim.mu.Lock()
	sim.remember(src, value)
	sim.sent++
	sim.mu.Unlock()
	err := sim.device.Report(ctx, src.sender, src.event, value, sim.ended)
	if err != nil {
		sim.mu.Lock()
		sim.sent--
		sim.mu.Unlock()
	}
	return err
}

// number returns v as an integer if it is one: that takes fewer bytes on the line.
func number(v float64) any {
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		return int64(v)
	}
	return v
}

// remember keeps a value for requests. The caller holds sim.mu.
func (sim *Simulator) remember(src source, value any) {
	values := sim.latest[src.sender]
	for i := range values {
		if values[i].Key == src.event {
			values = append(carrier.Object(nil), values...) // a reply may still be using the old one
			values[i].Value = value
			sim.latest[src.sender] = values
			return
		}
	}
	sim.latest[src.sender] = append(slices.Clip(values), carrier.Field{Key: src.event, Value: value})
}

// ended records that a reading was acknowledged or refused.
func (sim *Simulator) ended(err error) {
	if errors.Is(err, carrier.ErrShutdown) {
		return // the device stops: nobody waits for this reading any more
	}
	sim.mu.Lock()
	first := err != nil && sim.failure == nil
	if err == nil {
		sim.acked++
	} else {
		sim.failed++
	}
	if first {
		sim.failure = err
	}
	close(sim.change)
	sim.change = make(chan struct{})
	sim.mu.Unlock()
	if first && sim.opts.Refused != nil {
		sim.opts.Refused(err)
	}
}

// Counts returns how many readings were given to the line, and how many of them the hub acknowledged.
func (sim *Simulator) Counts() (sent, acknowledged int) {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	return sim.sent, sim.acked
}

// farewell is how long an interrupted simulator waits for acknowledgements.
const farewell = 2 * time.Second

// Resent returns how many frames were sent again.
func (sim *Simulator) Resent() uint64 { return sim.device.Stats().Resent }

// settle waits until every reading is acknowledged or refused. Once ctx is done it waits no longer than farewell.
func (sim *Simulator) settle(ctx context.Context) error {
	interrupted, late := ctx.Done(), (<-chan time.Time)(nil)
	for {
		sim.mu.Lock()
		failed, failure, change := sim.failed, sim.failure, sim.change
		left := sim.sent - sim.acked - failed
		sim.mu.Unlock()
		switch {
		case left > 0:
		case failed > 0:
			return fmt.Errorf("the hub refused %d readings: %w", failed, failure)
		default:
			return nil
		}
		select {
		case <-change:
		case <-interrupted:
			interrupted, late = nil, time.After(farewell)
		case <-late:
			return fmt.Errorf("interrupted: %d readings were not acknowledged: check that `sighub run` serves the other end of the line", left)
		}
	}
}

// simulatorHandler answers what the hub asks the device.
type simulatorHandler struct{ *Simulator }

func (simulatorHandler) ClientConnected(carrier.Client)             {}
func (simulatorHandler) ClientDisconnected(carrier.ClientID, error) {}
func (simulatorHandler) AllClientsDisconnected(error)               {}
func (h simulatorHandler) HandleMessage(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
	if m.Method != "request" {
		respond(carrier.Reply{Status: carrier.StatusNoSuchMethod})
		return
	}
	var ask struct {
		Sender string `json:"sender"`
		Method string `json:"method"`
	}
	if err := m.Params.Decode(&ask); err != nil {
		respond(carrier.Failed(fmt.Errorf("%w: %w", carrier.ErrMalformed, err)))
		return
	}
	if ask.Method != readRequest {
		respond(carrier.Failed(fmt.Errorf("%w: %s", hub.ErrNoRequest, ask.Method)))
		return
	}
	respond(carrier.Done(h.read(ask.Sender)))
}

// read returns the latest value of a sender: a map by event if it has several events, null if there is no value yet.
func (sim *Simulator) read(sender string) any {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	for _, s := range sim.opts.senders {
		if s.Name == sender && len(s.Events) > 1 {
			return sim.latest[sender]
		}
	}
	if values := sim.latest[sender]; len(values) == 1 {
		return values[0].Value
	}
	return nil
}
