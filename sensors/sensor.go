package sensors

import (
	"context"
	"time"
)

// A Sensor measures one or more quantities. It is used by one goroutine at a time.
type Sensor interface {
	// Quantities returns what the sensor measures, in the order of Read's values. It always returns the same.
	Quantities() []Quantity
	// Read measures once and sets one value for each quantity: NaN for a quantity without a value at the moment. It waits
	// until the measurement is done, and gives up when ctx is done. It does not allocate unless it fails.
	Read(ctx context.Context, values []float64) error
	// Close puts the hardware to rest if it can, and closes what the sensor has opened itself, but not the bus that it was
	// given.
	Close() error
}

// A Quantity is something that a sensor measures, such as light.
type Quantity struct {
	Name string // the usual name of its event: "lux", "temp"
	Unit string // a name of the SenML units registry, see Reading

	Min, Max   float64 // the range that the sensor can measure; both 0: unknown
	Resolution float64 // the smallest step; 0: unknown

	// Age is how long before Read the value may have been measured. It is 0 unless the sensor measures continuously and Read
	// only fetches the latest value.
	Age time.Duration
}
