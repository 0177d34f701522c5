package hub

import (
	"fmt"
	"time"

	"sighub/carrier"
)

// A TimeRange says which times of events are plausible. An event with another time is refused with [carrier.ErrTime], because
// it is likely that a program took one unit for another, or that a clock was never set.
type TimeRange struct {
	Past   time.Duration // how long ago at the most; 10 years by default
	Future time.Duration // how far ahead at the most; 1 day by default
	Any    bool          // all times are taken
}

// The defaults of a TimeRange.
const (
	defaultPast   = 10 * 365 * 24 * time.Hour
	defaultFuture = 24 * time.Hour
)

// clockIsSet is the year before which this machine's own clock cannot be right. It says nothing about other times then, as long
// as a machine without a battery waits for the network to tell it the time.
const clockIsSet = 2024

func (r TimeRange) withDefaults() TimeRange {
	if r.Past <= 0 {
		r.Past = defaultPast
	}
	if r.Future <= 0 {
		r.Future = defaultFuture
	}
	return r
}

// check returns an error unless an event may have happened at this time.
func (r *TimeRange) check(at, now time.Time) error {
	if d := at.Sub(now); r.Any || -r.Past <= d && d <= r.Future || now.UTC().Year() < clockIsSet {
		return nil
	}
	if at.Before(now) {
		return fmt.Errorf("%w: %s is more than %s ago", carrier.ErrTime, at.UTC().Format(time.RFC3339Nano), inDays(r.Past))
	}
	return fmt.Errorf("%w: %s is more than %s ahead", carrier.ErrTime, at.UTC().Format(time.RFC3339Nano), inDays(r.Future))
}

func inDays(d time.Duration) string {
	switch days := int(d / (24 * time.Hour)); {
	case days == 1:
		return "1 day"
	case days > 1:
		return fmt.Sprintf("%d days", days)
	default:
		return d.String()
	}
}
