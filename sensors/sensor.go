package sensors

import (
	"context"
	"time"
)

// A Sensor measures one or more quantities. It is used by one goroutine at a time. If it has a String method, that names it in
// errors about its values.
type Sensor interface {
	// Quantities returns what the sensor measures, in the order of Read's values. It always returns the same.
	Quantities() []Quantity
	// Read measures once and sets one value for each quantity: NaN for a quantity without a value at the moment. It waits
	// until the measurement is done, and gives up when ctx is done. It does not allocate unless it fails. An error means that
	// the reading has failed as a whole, unless it is a PartialError.
	Read(ctx context.Context, values []float64) error
	// Close puts the hardware to rest if it can, and closes what the sensor has opened itself, but not the bus that it was
	// given.
	Close() error
}

// A Quantity is something that a sensor measures, such as light.
type Quantity struct {
	Name string // the usual name of its event: "lux", "temp"
	Unit string // a name of the SenML units registry, see Reading

	// Min and Max are the range that the sensor can measure; both 0: unknown. A Poller takes a value outside for a failed
	// reading of the whole sensor, because what has damaged it may have damaged the others, too.
	Min, Max float64
	// Separate means that the quantity is measured apart from the others, as by another chip. Then only the value itself is
	// left out if it is outside the range.
	Separate bool

	// Noisy means that the value, unless the device hangs, is never the same for long, because the noise is larger than the
	// Resolution. A Poller logs if it does not change for an hour.
	Noisy bool

	Resolution float64 // the smallest step; 0: unknown

	// Age is how long before Read the value may have been measured. It is 0 unless the sensor measures continuously and Read
	// only fetches the latest value.
	Age time.Duration
}
