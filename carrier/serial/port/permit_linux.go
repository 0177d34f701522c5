package port

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// permit returns how a user gets the right to open the port at path.
func permit(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "give yourself the right to read and write it"
	}
	group := "0"
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		group = strconv.FormatUint(uint64(s.Gid), 10)
	}
	if info.Mode().Perm()&0o060 != 0o060 || group == "0" {
		return fmt.Sprintf("only its owner may open it (its mode is %#o): let a udev rule give it to a group, as in "+
			`SUBSYSTEM=="tty", GROUP="dialout", MODE="0660"`, info.Mode().Perm())
	}
	if g, err := user.LookupGroupId(group); err == nil {
		group = g.Name
	}
	return fmt.Sprintf("add yourself to its group, then log in again: sudo usermod -aG %s $USER", group)
}
