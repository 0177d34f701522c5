package threshold

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	"sighub/hub"
)

// A Threshold has two limits for a reading. Between them, its state stays as it is.
type Threshold struct {
	// Sender and Event name the reading. Its data must be a number.
	Sender, Event string
	// Above means that the limit is crossed when the reading rises above it; otherwise, when it falls below it.
	Above bool
	// Limit is the value beyond which the limit counts as crossed.
	Limit float64
	// Until is the value that the reading must pass on its way back for that to end: not less than Limit, or with Above not
	// more.
	Until float64
	// Report is the event to report. If its name starts with #, it is also a channel.
	Report string
	// As is the sender of the event: by default Sender, a dot, and Report without its #.
	As string
}

// Check returns an error if the threshold is not valid, and sets defaults.
func (t *Threshold) Check() error {
	switch {
	case t.Sender == "" || t.Event == "":
		return errors.New("the reading is missing: give a sender and an event")
	case t.Report == "":
		return errors.New("the event to report is missing: give report")
	case t.Report == hub.Connect || t.Report == hub.Disconnect || t.Report == hub.Gap:
		return fmt.Errorf("event %q is reserved for the hub: choose another name", t.Report)
	case !finite(t.Limit) || !finite(t.Until):
		return errors.New("the limits must be finite numbers")
	case t.Above && t.Until > t.Limit:
		return fmt.Errorf("above %v until %v would never end: until must not be larger", t.Limit, t.Until)
	case !t.Above && t.Until < t.Limit:
		return fmt.Errorf("below %v until %v would never end: until must not be smaller", t.Limit, t.Until)
	}
	t.As = cmp.Or(t.As, t.Sender+"."+plain(t.Report))
	if t.As == t.Sender {
		return fmt.Errorf("%s cannot report the event, because it is the sender that is watched: choose another name", t.As)
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

// crossed reports whether the limit is crossed after a value, given whether it was before.
func (t *Threshold) crossed(value float64, before bool) bool {
	limit := t.Limit
	if before {
		limit = t.Until
	}
	switch {
	case value == limit: // neither beyond it nor past it
		return before
	case t.Above:
		return value > limit
	default:
		return value < limit
	}
}
