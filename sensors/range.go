package sensors

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// ErrRange is the kind of a value that a sensor cannot have measured.
var ErrRange = errors.New("sensors: false reading")

// Check returns an error that wraps [ErrRange] if v is no value of the quantity: not a number, infinite, or outside Min and
// Max. Such a value comes from a bus that is short-circuited, a conversion that failed or a device that is damaged.
func (q *Quantity) Check(v float64) error {
	switch known := q.Min != 0 || q.Max != 0; {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return fmt.Errorf("%w: %s is %v", ErrRange, q.Name, v)
	case known && !(v >= q.Min-q.slack() && v <= q.Max+q.slack()):
		return fmt.Errorf("%w: %s is %s, but can only be %s to %s", ErrRange, q.Name, Reading{Value: v, Unit: q.Unit},
			strconv.FormatFloat(q.Min, 'g', 9, 64), Reading{Value: q.Max, Unit: q.Unit})
	}
	return nil
}

// slack is what a scale in binary may add to a value at an end of the range.
func (q *Quantity) slack() float64 { return 1e-9 * (q.Max - q.Min) }

// A PartialError is returned by Read if some values failed and others did not. It says for each quantity, in the order of
// Quantities, why it has no value; nil: it has one, or none at the moment.
type PartialError []error

// Error implements error.
func (e PartialError) Error() string { return errors.Join(e...).Error() }

// Unwrap returns the reasons, for errors.Is.
func (e PartialError) Unwrap() []error {
	return slices.DeleteFunc(slices.Clone(e), func(err error) bool { return err == nil })
}

// at returns the reason for one quantity.
func (e PartialError) at(i int) error {
	if i < len(e) {
		return e[i]
	}
	return nil
}
