package simulated

import (
	"time"

	"sighub/sensors"
)

// A Counter reports 0, 1, 2, … The zero Counter is ready to use. It is used by one goroutine at a time.
type Counter struct{ next uint64 }

// Next returns the next number. Numbers are exact up to 2^53.
func (c *Counter) Next(at time.Time) sensors.Reading {
	n := c.next
	c.next++
	return sensors.Reading{Value: float64(n), Unit: sensors.Count, Time: at}
}
