package modbus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"sighub/carrier"
	"sighub/sensors/modbus/frame"
	"sighub/sensors/modbus/profile"
)

// A unit is what is known of a unit in one session. Several devices may be parts of it.
type unit struct {
	id       byte
	failures int           // in a row
	known    bool          // it has answered in this session
	gone     bool          // it has not answered often enough
	since    time.Time     // when it became so, or began
	retry    time.Time     // it is not asked before
	wait     time.Duration // how long it is left alone after the next failure, once it is gone
}

// A block is polled.
type block struct {
	profile.Block
	due     time.Time
	refused *frame.ExceptionError // the unit's latest answer; nil: it had values
	wait    time.Duration         // how long it is left alone after the next refusal that lasts
}

const (
	manyFailures = 3 // in a row mean that a unit is gone
	minRetry     = time.Second
	maxRetry     = time.Minute
	maxRefused   = 10 * time.Minute
)

func (b *block) interval() time.Duration { return b.Registers[0].Interval }

// at returns when the block is to be polled.
func (b *block) at(u *unit) time.Time {
	if b.due.Before(u.retry) {
		return u.retry
	}
	return b.due
}

// poll asks for a block and takes the answer. The error says that the port is lost or the end has come.
func (l *session) poll(ctx context.Context, d *device, b *block) error {
	a, err := l.bus.ask(ctx, d.unit.id, &b.Request)
	now := time.Now()
	if w, ok := errors.AsType[*waitError](err); ok {
		d.unit.retry = w.until
		return nil
	}
	refused, _ := errors.AsType[*frame.ExceptionError](err)
	switch {
	case err == nil:
		l.tally.answered()
		d.answered(now)
		b.refused, b.wait = nil, 0
		d.take(ctx, b, a, now)
	case refused != nil && !refused.Unreached():
		l.tally.answered()
		d.answered(now)
		d.refused(b, refused, now)
		return nil
	case refused != nil, errors.Is(err, errSilent), errors.Is(err, errDamaged), errors.Is(err, errNoise):
		d.missed(b, err, now)
		return nil //nolint:nilerr // it is dealt with
	default:
		return err
	}
	l.plan(b, now)
	return nil
}

// plan sets when a block is polled next. Times that have passed are left out, so that a bus that is too slow does not fall further and
// further behind.
func (l *session) plan(b *block, now time.Time) {
	b.due = b.due.Add(b.interval())
	behind := now.Sub(b.due)
	if behind <= 0 {
		return
	}
	b.due = b.due.Add(behind.Truncate(b.interval()) + b.interval())
	if l.late.IsZero() {
		l.log.Warn("the bus is too slow for its intervals: readings are left out; give them longer ones", "interval", b.interval(), "late", behind)
	}
	l.late = now
	l.tally.tooSlow(now)
}

// answered notes that the device's unit has answered.
func (d *device) answered(now time.Time) {
	u := d.unit
	if u.gone {
		d.session.log.Info("the unit answers again", "unit", u.id, "after", now.Sub(u.since))
	}
	if u.failures > 0 || u.gone {
		for _, other := range d.session.devices {
			if other.unit == u {
				other.renew(now)
			}
		}
	}
	u.failures, u.known, u.gone, u.wait, u.retry = 0, true, false, 0, time.Time{}
}

// renew has the device polled anew, from now on.
func (d *device) renew(now time.Time) {
	d.session.tally.well(d.config.Sender)
	for _, b := range d.blocks {
		if b.due.Before(now) {
			b.due = now
		}
	}
}

// missed notes that the unit has not answered.
func (d *device) missed(b *block, err error, now time.Time) {
	l, u := d.session, d.unit
	l.tally.refuse(fmt.Errorf("unit %d: %w", u.id, err), now)
	d.loseAll(b, err, now)
	u.failures++
	u.retry = now.Add(d.shortest())
	if errors.Is(err, errSilent) {
		u.retry = now.Add(max(d.shortest(), l.bus.timeout))
	}
	if u.known && u.failures < manyFailures {
		return
	}
	u.wait = min(max(2*u.wait, minRetry), maxRetry)
	u.retry = now.Add(max(u.wait, min(d.shortest(), maxRetry)))
	if !u.gone {
		u.gone, u.since = true, now
		l.log.Warn("the unit does not answer: trying again until it does", "unit", u.id, "error", err)
	}
	reason, what := "failed: "+err.Error(), short(err)
	if errors.Is(err, errSilent) {
		reason, what = "timeout", "it does not answer"
	} else if e, ok := errors.AsType[*frame.ExceptionError](err); ok {
		what = e.Code.String()
	}
	for _, other := range l.devices {
		if other.unit == u {
			other.disconnect(reason)
			l.tally.ill(other.config.Sender, now, fmt.Sprintf("unit %d (%s): %s", u.id, other.config.Sender, what), remedyOf(err))
		}
	}
}

// remedyOf says what can be done about a unit that does not answer.
func remedyOf(err error) string {
	if e, ok := errors.AsType[*frame.ExceptionError](err); ok {
		return e.Code.Remedy()
	}
	if errors.Is(err, errDamaged) || errors.Is(err, errNoise) {
		return "check baud, parity and stop, that no two units have one number, the wires, and the resistors at both ends of the bus"
	}
	return "check its power, that A and B are not exchanged, its number, and the baud and parity that it is set to"
}

// shortest returns the shortest interval of the device.
func (d *device) shortest() time.Duration {
	shortest := d.blocks[0].interval()
	for _, b := range d.blocks {
		shortest = min(shortest, b.interval())
	}
	return shortest
}

// refused notes that the unit refuses a block. If it refuses several registers at once for good, each is asked for alone from then on.
func (d *device) refused(b *block, e *frame.ExceptionError, now time.Time) {
	l := d.session
	parts := b.Split()
	if e.Lasting() && len(parts) > 1 {
		var blocks []*block
		for _, other := range d.blocks {
			if other != b {
				blocks = append(blocks, other)
				continue
			}
			for _, p := range parts {
				blocks = append(blocks, &block{Block: p, due: b.due})
			}
		}
		d.blocks = blocks
		l.log.Info("the unit does not answer for several registers at once: they are read alone", "unit", d.unit.id, "address", b.Request.Address,
			"count", b.Request.Count, "why", e.Code.String())
		return
	}
	l.tally.refuse(fmt.Errorf("unit %d: %w", d.unit.id, refusalError{e}), now)
	d.loseAll(b, refusalError{e}, now)
	if b.refused == nil || b.refused.Code != e.Code {
		l.log.Log(context.Background(), slog.LevelWarn, "the unit refuses to be read", "unit", d.unit.id, "event", b.Registers[0].Event,
			"why", e.Code.String(), "remedy", e.Code.Remedy())
	}
	b.refused = e
	l.tally.ill(d.config.Sender+" "+b.Registers[0].Event, now,
		fmt.Sprintf("unit %d (%s) refuses %s: %s", d.unit.id, d.config.Sender, b.Registers[0].Event, e.Code), e.Code.Remedy())
	l.plan(b, now)
	if e.Lasting() {
		b.wait = min(max(2*b.wait, 2*b.interval(), 10*time.Second), maxRefused)
		b.due = now.Add(b.wait)
	}
	for _, other := range d.blocks {
		if other.refused == nil {
			return
		}
	}
	d.disconnect("failed: " + e.Error())
}

// An refusalError is a refusal that is counted as one.
type refusalError struct{ *frame.ExceptionError }

var errException = carrier.NewRefusal("the unit refuses", "exception")

func (e refusalError) Unwrap() []error { return []error{e.ExceptionError, errException} }

// again has a device's blocks polled at once that may have other values now.
func (d *device) again(now time.Time) {
	for _, b := range d.blocks {
		for _, r := range b.Registers {
			if r.Write != profile.NoWrite && b.due.After(now) {
				b.due = now
			}
		}
	}
}
