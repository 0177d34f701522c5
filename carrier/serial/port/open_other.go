//go:build !linux || ppc64 || ppc64le

package port

// openNative opens a port: on this system, as go.bug.st/serial does.
func openNative(path string, baud int, dtr, rts bool) (Port, error) {
	return openBugst(path, baud, dtr, rts)
}
