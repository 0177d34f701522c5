package serial

import (
	"sync"
	"time"

	"sighub/carrier"
)

// gapEvent is reported, by the hub itself, for readings that a device took and could not keep.
const gapEvent = "#gap"

// signals hands on the readings of an EVT frame, each as a message "signal". The frame is answered when all of
// them are: done if they all are, else with the first failure.
func (c *client) signals(e event) {
	if len(e.readings) == 0 {
		c.respond(e.arrival.in, carrier.Reply{})
		return
	}
	var mu sync.Mutex
	replies := make([]*carrier.Reply, len(e.readings))
	left := len(replies)
	answer := func(i int, r carrier.Reply) {
		mu.Lock()
		defer mu.Unlock()
		if replies[i] != nil {
			return
		}
		replies[i] = &r
		if left--; left > 0 {
			return
		}
		for _, r := range replies {
			if r.Status != carrier.StatusDone {
				c.respond(e.arrival.in, *r)
				return
			}
		}
		c.respond(e.arrival.in, carrier.Reply{})
	}
	for i, r := range e.readings {
		m := c.signal(r)
		if m == nil {
			answer(i, carrier.Failed(errNoDictionary))
			continue
		}
		c.server.handler.HandleMessage(c.id, m, func(r carrier.Reply) { answer(i, r) })
	}
}

// signal returns the message of a reading; nil if the dictionary does not name its event.
func (c *client) signal(r stampedReading) *carrier.Message {
	var name eventName
	data := carrier.RawValue(carrier.CBORText, r.value)
	switch n := r.event; {
	case c.dict == nil:
		return nil
	case n >= 0 && n < len(c.dict.events):
		name = c.dict.events[n]
	case n < 0 && -1-n < len(c.dict.senders):
		name = eventName{c.dict.senders[-1-n].Name, gapEvent}
		data = gapData(r)
	default:
		return nil
	}
	return &carrier.Message{Method: "signal", Params: carrier.ValueOf(carrier.Object{
		{Key: "info", Value: carrier.Object{
			{Key: "sender", Value: name.sender},
			{Key: "event", Value: name.event},
			{Key: "time", Value: r.time.UnixNano()},
			{Key: "uncertainty", Value: int64(r.uncertainty)},
		}},
		{Key: "data", Value: data},
	})}
}

// gapData turns a gap as the device reports it, [count, ticks from the first to the last], into what listeners
// read: how many readings are missing, and when the first and the last of them were taken.
func gapData(r stampedReading) carrier.Value {
	in := items{rest: r.value}
	in.array("the gap", 2)
	count := in.uint("the count", 1<<32)
	span := min(in.uint("the ticks", maxDelta), uint64(time.Hour*24*365/max(r.tick, 1)))
	return carrier.ValueOf(carrier.Object{
		{Key: "count", Value: int64(count)},
		{Key: "first", Value: r.time.Add(-time.Duration(span) * r.tick).UTC().Format(time.RFC3339Nano)},
		{Key: "last", Value: r.time.UTC().Format(time.RFC3339Nano)},
	})
}
