package threshold

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	"sighub/hub"
)

// A Threshold is two limits of a reading. Between them, it stays what it was.
type Threshold struct {
	// Sender and Event are whose reading it is: the data must be a number.
	Sender, Event string
	// Above says that it is crossed upwards; otherwise it is downwards.
	Above bool
	// Limit is what the reading must fall under, or rise above, for it to be crossed.
	Limit float64
	// Until is what the reading must then rise over, or fall below, for it not to be any more. It is not on the other side
	// of Limit.
	Until float64
	// Report is the event that tells of it. If it begins with #, it is a channel as well.
	Report string
	// As is the sender that reports it; by default that is Sender, a dot, and Report without its #.
	As string
}

// Check refuses what makes no sense, and sets what was left out.
func (t *Threshold) Check() error {
	switch {
	case t.Sender == "" || t.Event == "":
		return errors.New("it names no reading: give a sender and an event")
	case t.Report == "":
		return errors.New("it names no event to report")
	case t.Report == hub.Connect || t.Report == hub.Disconnect || t.Report == hub.Gap:
		return fmt.Errorf("event %q is the hub's own: choose another name", t.Report)
	case !finite(t.Limit) || !finite(t.Until):
		return errors.New("its limits must be numbers")
	case t.Above && t.Until > t.Limit:
		return fmt.Errorf("above %v until %v: it would never end: the second must not be the larger one", t.Limit, t.Until)
	case !t.Above && t.Until < t.Limit:
		return fmt.Errorf("below %v until %v: it would never end: the second must not be the smaller one", t.Limit, t.Until)
	}
	t.As = cmp.Or(t.As, t.Sender+"."+plain(t.Report))
	if t.As == t.Sender {
		return fmt.Errorf("%s cannot report it, because its events are its own: choose another name", t.As)
	}
	return nil
}

func plain(event string) string {
	if len(event) > 1 && event[0] == '#' {
		return event[1:]
	}
	return event
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// crossed tells whether it is crossed, after a value, if it was or was not before.
func (t *Threshold) crossed(value float64, before bool) bool {
	limit := t.Limit
	if before {
		limit = t.Until
	}
	switch {
	case t.Above && before:
		return value >= limit
	case t.Above:
		return value > limit
	case before:
		return value <= limit
	default:
		return value < limit
	}
}
