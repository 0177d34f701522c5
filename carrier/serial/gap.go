package serial

import (
	"math"
	"time"

	"sighub/carrier"
)

// gapEvent is reported, by the hub itself, for readings that a device took and could not keep.
const gapEvent = "#gap"

// A gapData is what listeners read of lost readings. It is no [carrier.Object]: data has names for keys in every codec.
type gapData struct {
	Count *int64 `json:"count"` // nil: nobody knows, perhaps none
	First string `json:"first"` // they were taken after this
	Last  string `json:"last"`  // and not after this
	Event string `json:"event,omitempty"`
}

// newGapData tells of so many lost readings of an event, 0 meaning that nobody knows; an empty event stands for any.
func newGapData(count uint64, first, last time.Time, event string) carrier.Value {
	g := gapData{First: first.UTC().Format(time.RFC3339Nano), Last: last.UTC().Format(time.RFC3339Nano), Event: event}
	if count > 0 {
		g.Count = new(int64(min(count, math.MaxInt64)))
	}
	return carrier.ValueOf(g)
}
