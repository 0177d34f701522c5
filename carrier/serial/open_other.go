//go:build !linux || ppc64 || ppc64le

package serial

func openNative(path string, baud int) (Port, error) { return openBugst(path, baud) }
