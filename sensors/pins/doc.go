// Package pins makes events of a digital input's edges: a door, a button, day and night from a comparator.
//
// Each [Pin] is a sender with one event, whose data is true while the pin is at its active level and false while it is not.
// A [Watcher] reports the level when the sender connects, and each change after it, with the time of the edge that began
// it: what bounces is one change, and what is back within the time of debouncing is none.
package pins
