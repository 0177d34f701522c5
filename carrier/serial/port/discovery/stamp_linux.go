package discovery

import (
	"fmt"
	"os"
	"syscall"
)

// Stamp returns a text that changes when the port at a path is plugged in anew, or when its device file is changed: other rights, or
// touch. It is empty if the port is not there.
func Stamp(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprint(s.Dev, " ", s.Ino, " ", s.Rdev, " ", s.Ctim.Sec, " ", s.Ctim.Nsec)
}
