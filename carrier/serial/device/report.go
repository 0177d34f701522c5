package device

import (
	"context"
	"errors"
	"fmt"

	"sighub/carrier"
	"sighub/carrier/serial/internal/link"
	"sighub/carrier/serial/internal/wire"
)

// ErrOverflow ends a reading that was dropped because the device's ring was full.
var ErrOverflow = errors.New("device: the ring of readings is full")

// Report queues a reading of an event of the device's dictionary, taken now. It calls done, which may be nil, once the hub has
// acknowledged the reading, or with an error: the hub's if it refused the reading, [ErrOverflow] if the reading was dropped,
// or one that wraps [carrier.ErrReset] or [carrier.ErrShutdown]. done runs on the goroutine that calls the handler, or for a
// dropped reading on that of Report, and must not block.
//
// While the ring is full, Report waits until ctx is done, unless the options say otherwise. An error means that the reading
// was not queued.
func (d *Device) Report(ctx context.Context, sender, event string, value any, done func(error)) error {
	return d.ReportAt(ctx, d.Ticks(), sender, event, value, done)
}

// ReportAt is [Device.Report] for a reading that was taken when [Device.Ticks] returned ticks.
func (d *Device) ReportAt(ctx context.Context, ticks int64, sender, event string, value any, done func(error)) error {
	n := d.dict.EventNumber(wire.EventName{Sender: sender, Event: event})
	if n < 0 {
		return fmt.Errorf("device: the dictionary has no event %q of a sender %q", event, sender)
	}
	packed, err := carrier.CBORText.Append(nil, value)
	if err == nil {
		packed, err = wire.Unscale(packed, d.dict.Events[n].Exponent)
	}
	if err != nil {
		return fmt.Errorf("device: pack the reading: %w", err)
	}
	const others = 5 + 5 // a time mark, and the event's number and ticks
	if limit := wire.PayloadLimit(d.o.MaxFrame) - others; len(packed) > limit {
		return fmt.Errorf("%w: the reading must have at most %d bytes, not %d", carrier.ErrTooLarge, limit, len(packed))
	}
	r := &link.PendingReading{Number: n, Ticks: ticks, Value: packed, Done: done}
	roomy, err := d.enter(ctx)
	if err != nil {
		return err
	}
	dropped, err := d.queue(r, roomy)
	if dropped != nil {
		dropped.End(ErrOverflow)
	}
	return err
}

// enter takes room in the ring. If there is none, it waits for it, or returns false if the options say so.
func (d *Device) enter(ctx context.Context) (roomy bool, err error) {
	select {
	case d.room <- struct{}{}:
		return true, nil
	default:
	}
	if d.o.Overflow != OverflowWait {
		return false, nil
	}
	select {
	case d.room <- struct{}{}:
		return true, nil
	case <-ctx.Done():
		return false, fmt.Errorf("%w: %w", ErrOverflow, context.Cause(ctx))
	}
}

// queue queues a reading. If there is no room for it, it takes that of another reading, which queue returns.
func (d *Device) queue(r *link.PendingReading, roomy bool) (dropped *link.PendingReading, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		if roomy {
			<-d.room
		}
		return nil, carrier.ErrShutdown
	}
	if !roomy { // there may be room meanwhile, and then nothing need be displaced
		select {
		case d.room <- struct{}{}:
			roomy = true
		default:
		}
	}
	if roomy {
		d.line.Report(r)
	} else {
		dropped = d.line.Displace(r)
	}
	d.wake.Give()
	return dropped, nil
}
