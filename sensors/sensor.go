package sensors

import (
	"context"
	"time"
)

// A Sensor measures one or more quantities. One goroutine at a time uses it.
type Sensor interface {
	// Quantities says what it measures, in the order of Read's values. It never changes.
	Quantities() []Quantity
	// Read takes one reading: one value for each quantity, NaN for one that has none at the moment. It waits for the
	// measurement as long as that takes, and gives up when ctx is done. It does not allocate, unless it fails.
	Read(ctx context.Context, values []float64) error
	// Close lets the hardware rest where it can, and releases what the sensor opened itself; never a bus that it
	// was given.
	Close() error
}

// A Quantity is one of the things that a sensor measures.
type Quantity struct {
	Name string // what the event is called: "lux", "temp"
	Unit string // a name of the SenML units registry, as in Reading

	Min, Max   float64 // what it can measure; both 0: unknown
	Resolution float64 // its smallest step; 0: unknown

	// Age is how long before Read the value may have been measured: that of a sensor that measures by itself, again
	// and again, and is only asked for its latest value.
	Age time.Duration
}
