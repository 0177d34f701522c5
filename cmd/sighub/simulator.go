package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/device"
	"sighub/carrier/serial/port"
	"sighub/hub"
	"sighub/sensors"
	"sighub/sensors/simulated"
)

// readRequest is the method by which a simulated sender is asked for its latest values.
const readRequest = "read"

// simulatorOptions say what a simulator is.
type simulatorOptions struct {
	name    string // empty: "simulated", with an identity of its own
	senders []device.Sender
	counter bool    // values count up, instead of following a day
	rate    float64 // rounds per second; 0: as fast as it goes
	count   int     // readings in all; 0: no end
	day     time.Duration
	baud    int         // of the line; 0: the usual
	refused func(error) // is told of the first reading that the hub refuses, if not nil
}

// unit returns the unit of an event's values.
func (o *simulatorOptions) unit(sender, event string) string {
	switch {
	case o.counter:
		return sensors.Count
	case isTemperature(sender, event):
		return sensors.Celsius
	default:
		return sensors.Lux
	}
}

// isTemperature tells whether an event is one of temperature, by its names; any other is one of light.
func isTemperature(sender, event string) bool {
	names := strings.ToLower(sender + " " + event)
	return strings.Contains(names, "temp") || strings.Contains(names, "cel")
}

// uid returns the device's identity: one that lasts if it has a name, else a new one.
func (o *simulatorOptions) uid() []byte {
	uid := make([]byte, 8)
	if o.name != "" {
		sum := sha256.Sum256([]byte(o.name))
		copy(uid, sum[:])
	} else {
		_, _ = rand.Read(uid) // it never fails
	}
	return uid
}

// A simulator is a device that reports simulated values.
type simulator struct {
	simulatorOptions
	device  *device.Device
	sources []source // of one round

	mu      sync.Mutex
	latest  map[string]carrier.Object // by sender: the latest value of each event
	sent    int
	acked   int
	failed  int           // refused by the hub
	failure error         // of the first of them
	change  chan struct{} // closed when a reading has ended, and made anew
}

// A source is where the values of one event come from.
type source struct {
	sender, event string
	read          func(at time.Time) sensors.Reading
}

func newSimulator(o simulatorOptions, open func(context.Context) (port.Port, error)) (*simulator, error) {
	name := o.name
	if name == "" {
		name = "simulated"
	}
	device, err := device.New(open, device.Options{
		UID: o.uid(), Name: name, Firmware: "sighub", Senders: o.senders, Baud: o.baud,
	})
	if err != nil {
		return nil, err
	}
	sim := &simulator{simulatorOptions: o, device: device, latest: make(map[string]carrier.Object), change: make(chan struct{})}
	// It begins in the morning: there is more to see than at midnight.
	place := simulated.Drift{Day: o.day, Start: time.Now().Add(-o.day * 3 / 10)}
	for _, s := range o.senders {
		for _, e := range s.Events {
			sim.sources = append(sim.sources, source{s.Name, e.Name, o.source(place, s.Name, e.Name)})
		}
	}
	return sim, nil
}

func (o *simulatorOptions) source(place simulated.Drift, sender, event string) func(time.Time) sensors.Reading {
	switch {
	case o.counter:
		return new(simulated.Counter).Next
	case isTemperature(sender, event):
		return place.Temperature
	default:
		return place.Light
	}
}

// run is the device until its readings are acknowledged, or until ctx is done: then it fails if some are not.
func (sim *simulator) run(ctx context.Context) error {
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

// report reports one round of readings after the other, until there were enough or ctx is done.
func (sim *simulator) report(ctx context.Context) error {
	var tick <-chan time.Time
	if sim.rate > 0 {
		t := time.NewTicker(time.Duration(float64(time.Second) / sim.rate))
		defer t.Stop()
		tick = t.C
	}
	for n := 0; ; {
		for _, src := range sim.sources {
			if sim.count > 0 && n == sim.count {
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

func (sim *simulator) reportOne(ctx context.Context, src source) error {
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

// number makes an integer of a whole number: it takes fewer bytes on the line.
func number(v float64) any {
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		return int64(v)
	}
	return v
}

// remember keeps a value for who asks for it. Under sim.mu.
func (sim *simulator) remember(src source, value any) {
	values := sim.latest[src.sender]
	for i := range values {
		if values[i].Key == src.event {
			values = append(carrier.Object(nil), values...) // the old one may be on its way to somebody
			values[i].Value = value
			sim.latest[src.sender] = values
			return
		}
	}
	sim.latest[src.sender] = append(slices.Clip(values), carrier.Field{Key: src.event, Value: value})
}

// ended notes that a reading was acknowledged, or refused.
func (sim *simulator) ended(err error) {
	if errors.Is(err, carrier.ErrShutdown) {
		return // we stop, with readings that nobody waits for any more
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
	if first && sim.refused != nil {
		sim.refused(err)
	}
}

// counts returns how many readings were handed to the line, and how many of them the hub acknowledged.
func (sim *simulator) counts() (sent, acknowledged int) {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	return sim.sent, sim.acked
}

// farewell is how long a simulator that was interrupted waits for what is on its way.
const farewell = 2 * time.Second

// settle waits until every reading is acknowledged or refused: for ever, but after an interruption for a moment.
func (sim *simulator) settle(ctx context.Context) error {
	patience, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		t := time.NewTimer(farewell)
		defer t.Stop()
		select {
		case <-t.C:
			cancel()
		case <-patience.Done():
		}
	})()
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
		case <-patience.Done():
			return fmt.Errorf("%w: %d readings were not acknowledged: is `sighub run` at the other end of the line?", errInterrupted, left)
		}
	}
}

// simulatorHandler answers what the hub asks the device.
type simulatorHandler struct{ *simulator }

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

// read returns the latest value of a sender: a map by event if it has several events, null if it has none yet.
func (sim *simulator) read(sender string) any {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	for _, s := range sim.senders {
		if s.Name == sender && len(s.Events) > 1 {
			return sim.latest[sender]
		}
	}
	if values := sim.latest[sender]; len(values) == 1 {
		return values[0].Value
	}
	return nil
}
