// Package past has what a hub needs to feed listeners from its journal: where they begin, what is on its way to them, how far they
// have come, and what a listener has heard.
package past
