package hub

import (
	"errors"
	"fmt"

	"sighub/carrier"
)

// A feed passes a client's events on: into its stream of signals or, where it has none, as messages. To transmit a message
// may take until the client's window has room, so a goroutine does it, with one event in hand at a time. A feed is part of
// its outbox, and under its lock.
type feed struct {
	sink      carrier.SignalSink // nil: events travel as messages
	codec     carrier.Codec
	pending   int     // bytes that waited to be written when the last signal was put or answered
	touchedBy *fanout // the latest that is to flush the sink

	hand         entry // the event in hand; without a listener, there is none
	transmitting bool  // there is a goroutine that transmits
}

// inHand reports whether an event is in hand, so that no other is taken.
func (f *feed) inHand() bool { return f.hand.listener != nil }

// pass passes an event on to the client, which takes more; f lends its packing. A message keeps the event.
func (o *outbox) pass(l *Listener, ev *Event, f *fanout) {
	if o.feed.sink == nil {
		o.flow.sent()
		o.feed.hand = entry{listener: l, event: *ev}
		if !o.feed.transmitting {
			o.feed.transmitting = true
			o.client.tasks.Go(o.transmit)
		}
		return
	}
	p, err := f.pack(ev, o.feed.codec)
	if err == nil {
		o.feed.pending, err = o.feed.sink.Put(l.out.of(l, ev), p)
	}
	if err != nil {
		o.unsent(l, ev, err)
		return
	}
	o.flow.sent()
}

// transmit transmits the event in hand, and what is taken in hand after it, until there is nothing left or enough in flight.
func (o *outbox) transmit() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.feed.inHand() {
		e := o.feed.hand
		o.mu.Unlock()
		o.transmitOne(&e)
		o.mu.Lock()
		o.feed.hand = entry{}
		o.fill()
	}
	o.feed.transmitting = false
}

func (o *outbox) transmitOne(e *entry) {
	err := o.client.transmit(signalMessage(e.listener, &e.event, o.client.hello), func(r carrier.Reply, err error) {
		if err == nil {
			err = r.Err()
		}
		if err != nil && !errors.Is(err, carrier.ErrGone) {
			o.client.refused(fmt.Errorf("%s of %s: %w", e.event.Name, e.event.Sender, err))
		}
		o.messageAnswered()
	})
	if err == nil {
		return
	}
	o.mu.Lock()
	o.unsent(e.listener, &e.event, err)
	o.mu.Unlock()
	o.messageAnswered()
}

// messageAnswered notes that a message in flight has come to its end.
func (o *outbox) messageAnswered() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flow.answered(1)
	o.fill()
}

// signalsAnswered notes that the client has answered signals of its stream.
func (o *outbox) signalsAnswered(n int) {
	o.mu.Lock()
	o.feed.pending = o.feed.sink.Pending()
	if n > o.flow.inFlight {
		o.leave(fmt.Errorf("%w: it answers what it cannot have read", carrier.ErrLimit))
		o.mu.Unlock()
		return
	}
	o.flow.answered(n)
	before := o.flow.inFlight
	o.fill()
	more := o.flow.inFlight > before
	o.mu.Unlock()
	if more {
		o.feed.sink.Flush(true)
	}
}

// touched notes that f is to flush the sink. Others may have to as well: none relies on another, which may be busy.
func (o *outbox) touched(f *fanout) {
	if o.feed.sink != nil && o.feed.touchedBy != f {
		o.feed.touchedBy = f
		f.dirty = append(f.dirty, o)
	}
}

// flush has written what was put; f is whoever was to do it.
func (o *outbox) flush(f *fanout, now bool) {
	if o.feed.sink == nil {
		return
	}
	o.mu.Lock()
	if o.feed.touchedBy == f {
		o.feed.touchedBy = nil
	}
	o.mu.Unlock()
	o.feed.sink.Flush(now)
}
