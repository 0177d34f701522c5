//go:build !linux || ppc64 || ppc64le

package port

// openNative opens a port: on this system, as go.bug.st/serial does.
func openNative(path string, s Settings) (Port, error) {
	return openBugst(path, s)
}
