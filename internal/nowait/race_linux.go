//go:build race

package nowait

import (
	"runtime"
	"unsafe"
)

// io stands for all sockets: what happened before a write happens before each read that follows it.
var io byte

// hasRead tells the race detector of what was read to b, as package unix does.
func hasRead(b []byte) {
	runtime.RaceAcquire(unsafe.Pointer(&io))
	if len(b) > 0 {
		runtime.RaceWriteRange(unsafe.Pointer(&b[0]), len(b))
	}
}

// isToWrite tells the race detector of what is about to be written from b.
func isToWrite(b []byte) {
	runtime.RaceReleaseMerge(unsafe.Pointer(&io))
	if len(b) > 0 {
		runtime.RaceReadRange(unsafe.Pointer(&b[0]), len(b))
	}
}
