// Package threshold reports when a reading crosses a limit: "#dark" when light falls below 10 lx, until it rises above 15.
//
// A [Threshold] listens to one event of a sender, whether a device or a sensor of the gateway, and is a sender itself. Its own
// event is true when the limit is crossed, and false when the reading comes back across the other limit. It reports once with
// the first reading. It connects and disconnects with the sender that it listens to, because the state is unknown while that
// sender is gone.
//
// A threshold has no goroutine: everything happens while the reading is delivered.
package threshold
