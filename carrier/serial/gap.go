package serial

import (
	"math"
	"time"

	"sighub/carrier"
)

// gapEvent is the event by which the hub reports readings that a device took and lost, or that the hub has refused.
const gapEvent = "#gap"

// A gapData is the data of a gapEvent. It is not a [carrier.Object], so that its keys are names in every codec.
type gapData struct {
	Count *int64 `json:"count"` // nil: unknown, perhaps none
	First string `json:"first"` // readings taken after this time are lost
	Last  string `json:"last"`  // up to this one
	Event string `json:"event,omitempty"`
	Cause string `json:"cause,omitempty"` // why the hub has refused them, in one word; empty: the device has lost them
}

// newGapData returns the data for count lost readings of an event. A count of 0 is unknown, an empty event is any, an empty
// cause is the device's.
func newGapData(count uint64, first, last time.Time, event, cause string) carrier.Value {
	g := gapData{First: first.UTC().Format(time.RFC3339Nano), Last: last.UTC().Format(time.RFC3339Nano), Event: event, Cause: cause}
	if count > 0 {
		g.Count = new(int64(min(count, math.MaxInt64)))
	}
	return carrier.ValueOf(g)
}
