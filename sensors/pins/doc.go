// Package pins reports the level of digital inputs: a door, a button, a comparator.
//
// Each [Pin] is a sender with one event, whose data is true while the pin is at its active level, and false otherwise. A
// [Watcher] reports the level when the sender connects, and then each change, with the time of its first edge. A contact that
// bounces is one change; one that returns within the debounce time is not reported.
package pins
