package main

import (
	"encoding/json"

	"sighub/scripts/lab/wire"
)

// catchesUp waits until the listener has heard what a device has taken so far.
func (b *bench) catchesUp(d *device) {
	next := int(d.taken.Load())
	b.wait(b.begin, "the latest readings of "+d.name, func(s wire.Sight) bool {
		if !heard(d.name, countEvent)(s) {
			return false
		}
		value, err := valueOf(s)
		return err == nil && value >= next
	})
}

func valueOf(s wire.Sight) (n int, err error) {
	err = json.Unmarshal(s.Data, &n)
	return n, err
}

// each checks that the listener has heard each reading of a device since a mark, once and in order. 0 means the start of the
// scenario. It returns the number of readings.
func (b *bench) each(from mark, d *device) int {
	n, last := 0, -1
	for _, s := range b.since(max(from, b.begin)) {
		if s.Kind != wire.Heard || s.By != listener || s.Sender != d.name {
			continue
		}
		if s.Event == "#gap" {
			b.fail("%s: readings were lost: %s", d.name, s.Data)
		}
		if s.Event != countEvent {
			continue
		}
		value, err := valueOf(s)
		b.must(err)
		if last >= 0 && value != last+1 {
			b.fail("%s: reading %d comes after reading %d", d.name, value, last)
		}
		last = value
		n++
	}
	return n
}
