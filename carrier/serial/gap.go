package serial

import (
	"math"
	"time"

	"sighub/carrier"
)

// gapEvent is the event by which the hub reports readings that a device took and lost.
const gapEvent = "#gap"

// A gapData is the data of a gapEvent. It is not a [carrier.Object], so that its keys are names in every codec.
type gapData struct {
	Count *int64 `json:"count"` // nil: unknown, perhaps none
	First string `json:"first"` // readings taken after this time are lost
	Last  string `json:"last"`  // up to this one
	Event string `json:"event,omitempty"`
}

// newGapData returns the data for count lost readings of an event. A count of 0 is unknown, an empty event is any.
func newGapData(count uint64, first, last time.Time, event string) carrier.Value {
	g := gapData{First: first.UTC().Format(time.RFC3339Nano), Last: last.UTC().Format(time.RFC3339Nano), Event: event}
	if count > 0 {
		g.Count = new(int64(min(count, math.MaxInt64)))
	}
	return carrier.ValueOf(g)
}
