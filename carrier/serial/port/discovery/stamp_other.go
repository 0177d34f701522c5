//go:build !linux

package discovery

import "os"

// Stamp returns a text that changes when the port at a path is gone and when it is back. It is empty if the port is not there.
func Stamp(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return info.Mode().String()
}
