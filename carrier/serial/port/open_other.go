//go:build !linux || ppc64 || ppc64le

package port

// Open is the native opener: on this system, that of go.bug.st/serial.
func Open(path string, baud int) (Port, error) { return openBugst(path, baud) }
