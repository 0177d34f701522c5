// Package formats reads the lines of text that devices print on a serial line: JSON, pairs of names and values, columns, numbers,
// NMEA 0183, the serial API of MySensors, the telegrams of smart meters, and whatever a regular expression matches.
//
// A [Splitter] makes lines of bytes. A [Parser] makes events of lines; [New] returns the one of a format. [Looks] says which format
// a device seems to speak. The package opens nothing, starts nothing and knows no hub.
//
// A line that is refused is told by an error that wraps one of the kinds below, each with its cause in one word: see
// [carrier.Cause].
package formats
