//go:build !linux || ppc64 || ppc64le

package port

func Open(path string, baud int) (Port, error) { return openBugst(path, baud) }
