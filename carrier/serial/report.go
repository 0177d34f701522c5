package serial

import (
	"context"
	"fmt"

	"sighub/carrier"
)

// Report queues a reading taken now, of an event of the device's dictionary. Done, which may be nil, is called once
// the hub has acknowledged it, or with an error: the hub's, if it was refused; [ErrOverflow], if it was dropped;
// one that wraps [carrier.ErrReset] or [carrier.ErrShutdown]. It runs on the goroutine that serves the handler, so
// it must not block; only for a reading that was dropped, on that of Report.
//
// While the ring is full Report waits for ctx, unless the options say to drop and count. A non-nil error means that
// the reading was not queued.
func (d *Device) Report(ctx context.Context, sender, event string, value any, done func(error)) error {
	return d.ReportAt(ctx, d.Ticks(), sender, event, value, done)
}

// ReportAt is [Device.Report] for a reading taken when [Device.Ticks] returned ticks.
func (d *Device) ReportAt(ctx context.Context, ticks int64, sender, event string, value any, done func(error)) error {
	n, ok := d.dict.event(eventName{sender, event})
	if !ok {
		return fmt.Errorf("serial: the device's dictionary has no event %q of a sender %q", event, sender)
	}
	packed, err := carrier.CBORText.Append(nil, value)
	if err != nil {
		return fmt.Errorf("serial: pack the reading: %w", err)
	}
	if packed, err = unscale(packed, d.dict.events[n].exponent); err != nil {
		return fmt.Errorf("serial: pack the reading: %w", err)
	}
	const others = 5 + 5 // a time mark, and the event's number and ticks
	if limit := payloadLimit(d.o.MaxFrame) - others; len(packed) > limit {
		return fmt.Errorf("%w: a reading of %d bytes, more than %d", carrier.ErrTooLarge, len(packed), limit)
	}
	w := &waiting{number: n, ticks: ticks, value: packed, done: done, roomy: true}
	if d.o.Overflow == OverflowCount {
		return d.squeeze(w)
	}
	if err := d.ring.enter(ctx); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		d.ring.leave(w)
		return carrier.ErrShutdown
	}
	d.queue(w)
	return nil
}

// squeeze queues a reading in the place of the oldest one if there is no room.
func (d *Device) squeeze(w *waiting) error {
	dropped, err := d.displace(w)
	if dropped != nil {
		dropped.end(ErrOverflow)
	}
	return err
}

func (d *Device) displace(w *waiting) (dropped *waiting, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		return nil, carrier.ErrShutdown
	}
	select {
	case d.ring.room <- struct{}{}:
		d.queue(w)
		return nil, nil
	default:
	}
	if dropped = d.ring.drop(); dropped == nil {
		dropped = w // all others were sent already
	} else {
		d.queue(w)
	}
	d.ring.count(len(d.dict.events)+dropped.number, dropped.ticks)
	d.stats.Lost++
	return dropped, nil
}

func (d *Device) queue(w *waiting) {
	d.ring.queued = append(d.ring.queued, w)
	d.wake.give()
}

// refill implements deviceEvents: readings become frames as late as possible, so that many share one. Messages
// go first, but keep room for one frame of readings.
func (d *Device) refill() {
	link := d.line.link
	for len(d.ring.queued) > 0 || len(d.ring.gaps) > 0 {
		unsent := len(link.out.frames) - link.out.flying
		if len(d.ring.flying) > 0 && (unsent > 0 || link.out.flying >= link.limits.window) {
			return
		}
		d.ring.report()
		payload, id, tooLarge := d.ring.pack(d.o.Batch, link.payloadLimit())
		if tooLarge != nil {
			d.end([]*waiting{tooLarge}, fmt.Errorf("%w: the hub takes frames of %d bytes", carrier.ErrTooLarge, link.limits.maxFrame))
			continue
		}
		for _, w := range d.ring.flying[id] {
			if !w.again && !w.gapped {
				d.stats.Sent++
			}
		}
		link.send(frameEvent, id, payload)
	}
}

// renumbered implements deviceEvents.
func (d *Device) renumbered(ids []uint64) { d.ring.restart(ids) }

// acknowledged ends the readings of a frame that the hub has answered.
func (d *Device) acknowledged(a arrival) {
	readings := d.ring.land(a.answered.id)
	err := unpackReply(a.reply).Err()
	for _, w := range readings {
		switch {
		case w.gapped:
		case err != nil:
			d.stats.Refused++
		default:
			d.stats.Acknowledged++
		}
	}
	d.end(readings, err)
}

// end tells those who reported the readings.
func (d *Device) end(readings []*waiting, err error) {
	if len(readings) > 0 {
		d.events.put(deviceEvent{readings: readings, err: err})
	}
}

// dropReadings ends everything that waits.
func (d *Device) dropReadings(cause error) {
	d.end(d.ring.clear(), fmt.Errorf("serial: the reading was not acknowledged: %w", cause))
}
