package modbus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"sighub/carrier"
	"sighub/hub"
	"sighub/internal/safetext"
	"sighub/sensors/modbus/profile"
)

// A device is a sender of a session, connected or not.
type device struct {
	session *session
	config  *Device
	unit    *unit
	name    string // of its sender
	blocks  []*block
	events  map[*profile.Register]*event

	sender  *hub.Sender // nil: not connected
	gap     *hub.Signal
	retryAt time.Time // if the hub did not take it
}

// An event is what is known of one event of a device.
type event struct {
	signal *hub.Signal
	loss   hub.Loss
	lost   uint64 // since the event was good last

	reported bool
	value    any
	at       time.Time
}

// retryName is how long a sender waits that the hub did not take.
const retryName = 5 * time.Second

func newDevice(l *session, config *Device, u *unit, now time.Time) *device {
	d := &device{session: l, config: config, unit: u, name: l.place.sender(config.Sender), events: make(map[*profile.Register]*event)}
	for _, b := range profile.Plan(config.Profile.Registers, config.Profile.Most, config.Profile.Gap) {
		d.blocks = append(d.blocks, &block{Block: b, due: now})
		for _, r := range b.Registers {
			d.events[r] = new(event)
		}
	}
	return d
}

// connect connects the sender, unless it is connected already, and reports whether it is.
func (d *device) connect(now time.Time) bool {
	if d.sender != nil {
		return true
	}
	if now.Before(d.retryAt) {
		return false
	}
	l := d.session
	o := hub.SenderOptions{Units: make(map[string]string), Requests: d.requests()}
	for i := range d.config.Profile.Registers {
		r := &d.config.Profile.Registers[i]
		o.Events = append(o.Events, r.Event)
		if r.Unit != "" {
			o.Units[r.Event] = r.Unit
		}
	}
	sender, err := l.router().AddSender(d.name, o)
	if err == nil {
		err = d.signals(sender)
	}
	if err != nil {
		d.retryAt = now.Add(retryName)
		if l.tally.ill(d.name, now, "the sender "+safetext.Short(d.name, 64)+" cannot be added: "+safetext.Short(err.Error(), 200),
			"give it another name, with sender") {
			l.log.Error("the hub does not take a sender", "sender", d.name, "error", err)
		}
		return false
	}
	l.tally.well(d.name)
	l.tally.connected(d.name, now)
	l.log.Info("the sender is connected", "sender", d.name, "unit", d.unit.id)
	return true
}

// signals gets the signals of a sender that was added.
func (d *device) signals(sender *hub.Sender) (err error) {
	defer func() {
		if err != nil {
			sender.Remove()
		}
	}()
	for r, e := range d.events {
		signal, err := sender.Signal(r.Event)
		if err != nil {
			return err
		}
		*e = event{signal: signal}
	}
	if d.gap, err = sender.Signal(hub.Gap); err != nil {
		return err
	}
	d.sender = sender
	return nil
}

// disconnect disconnects the sender, if it is connected.
func (d *device) disconnect(reason string) {
	if d.sender == nil {
		return
	}
	for r, e := range d.events {
		d.tellLoss(context.Background(), r, e)
	}
	d.sender.RemoveBecause(reason)
	d.sender, d.gap, d.retryAt = nil, nil, time.Time{}
	d.session.tally.disconnected(d.name, time.Now())
	d.session.log.Info("the sender is disconnected", "sender", d.name, "reason", reason)
}

// take takes the answer to a block.
func (d *device) take(ctx context.Context, b *block, a answer, now time.Time) {
	d.session.tally.well(d.config.Sender + " " + b.Registers[0].Event)
	if !d.connect(now) {
		return
	}
	half := max(a.at.Sub(a.asked), 0) / 2
	at := a.asked.Add(half) // the unit has read it after it was asked, and before it answered
	b.Values(a.data, func(r *profile.Register, value any, err error) {
		if err != nil {
			d.complain(r, kindOf(err), at)
			return
		}
		d.report(ctx, r, value, at, half)
	})
}

// The kinds of values that are no readings.
var (
	errNone  = carrier.NewRefusal("no reading", "none")
	errRange = carrier.NewRefusal("a value out of range", "range")
)

// kindOf returns the error of a value as one that is counted.
func kindOf(err error) error {
	if errors.Is(err, profile.ErrNone) {
		return fmt.Errorf("%w: %w", errNone, err)
	}
	return fmt.Errorf("%w: %w", errRange, err)
}

// complain counts a value that is no reading, tells listeners, and logs it now and then.
func (d *device) complain(r *profile.Register, err error, at time.Time) {
	l := d.session
	n := l.tally.refuse(fmt.Errorf("%s %s: %w", d.name, r.Event, err), at)
	level := slog.LevelDebug
	if seldom(n) {
		level = slog.LevelWarn
	}
	l.log.Log(context.Background(), level, "a value is refused", "sender", d.name, "event", r.Event, "cause", carrier.Cause(err), "times", n,
		"error", err)
	d.lose(r, carrier.Cause(err), at)
}

// report reports a reading, unless it has not changed enough.
func (d *device) report(ctx context.Context, r *profile.Register, value any, at time.Time, uncertainty time.Duration) {
	e := d.events[r]
	d.tellLoss(ctx, r, e)
	e.lost = 0
	if !e.wanted(r, value, at) {
		return
	}
	if err := e.signal.TriggerAt(ctx, value, at, uncertainty); err != nil {
		if ctx.Err() == nil {
			d.complain(r, err, at)
		}
		return
	}
	e.reported, e.value, e.at = true, value, at
	d.session.tally.read(time.Now())
}

// wanted reports whether to report a value, given the one before.
func (e *event) wanted(r *profile.Register, value any, at time.Time) bool {
	if !e.reported || r.Change == 0 {
		return true
	}
	v, ok := value.(float64)
	before, was := e.value.(float64)
	if !ok || !was {
		return value != e.value
	}
	// In binary, 0.3 minus 0.2 is slightly less than 0.1. It still counts as a change of 0.1.
	return math.Abs(v-before) >= r.Change*(1-1e-9) || r.MaxInterval > 0 && at.Sub(e.at)+r.Interval/2 >= r.MaxInterval
}

// loseAll counts a lost reading of each register of a block.
func (d *device) loseAll(b *block, err error, at time.Time) {
	for _, r := range b.Registers {
		d.lose(r, carrier.Cause(err), at)
	}
}

// lose counts a lost reading, and tells listeners of it now and then; else with the next good one.
func (d *device) lose(r *profile.Register, cause string, at time.Time) {
	if d.sender == nil {
		return
	}
	e := d.events[r]
	if e.loss.Count == 0 {
		e.loss = hub.Loss{First: at, Event: r.Event, Cause: cause}
	} else if e.loss.Cause != cause {
		e.loss.Cause = "several"
	}
	e.loss.Count++
	e.loss.Last = at
	if e.lost++; seldom(e.lost) {
		d.tellLoss(context.Background(), r, e)
	}
}

// tellLoss tells listeners of lost readings, if there are any.
func (d *device) tellLoss(ctx context.Context, r *profile.Register, e *event) {
	if e.loss.Count == 0 || d.gap == nil {
		return
	}
	told := e.loss
	e.loss = hub.Loss{}
	if err := d.gap.TriggerAt(ctx, told, told.Last, 0); err != nil {
		d.session.log.Debug("the hub does not accept a gap", "sender", d.name, "event", r.Event, "error", err)
	}
}

// seldom reports whether people are to see the nth of what repeats itself: the first, the tenth, the hundredth and so on.
func seldom(n uint64) bool {
	for n >= 10 && n%10 == 0 {
		n /= 10
	}
	return n == 1
}
