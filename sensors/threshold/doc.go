// Package threshold makes an event of a reading that crosses a limit: "#dark" when light falls under 10 lx, until it
// rises over 15.
//
// A [Threshold] listens to an event of any sender, a device's as well as one of the gateway's own, and is a sender itself,
// with one event: true when the limit was crossed, false when the reading came back over the other one. It says which of
// them holds with the first reading, and it comes and goes with the sender that it listens to: while that is gone nobody
// knows.
//
// All happens where the reading is delivered; there is nothing to run.
package threshold
