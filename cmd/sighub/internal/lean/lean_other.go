//go:build !linux

package lean

import "runtime/debug"

// GiveBack gives back what is free on the heap.
func GiveBack() { debug.FreeOSMemory() }
