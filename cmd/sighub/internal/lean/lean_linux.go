// Package lean keeps the memory of the program small: what is free is given back, and garbage is collected in time.
package lean

import (
	"bufio"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// GiveBack gives back what is free on the heap, and the pages of the program's own file. What is needed of these comes back from the
// kernel's cache; what the start alone needed, such as the parsers of the configuration, does not.
func GiveBack() {
	debug.FreeOSMemory()
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return // it is only a hint
	}
	defer func() { _ = f.Close() }() // it was only read
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		span, rights, _ := strings.Cut(lines.Text(), " ")
		from, to, _ := strings.Cut(span, "-")
		begin, err := strconv.ParseUint(from, 16, strconv.IntSize)
		end, errEnd := strconv.ParseUint(to, 16, strconv.IntSize)
		if err != nil || errEnd != nil {
			continue
		}
		// What can be written has changed since it was read from the file.
		if strings.HasSuffix(rights, " "+program) && rights[1] == '-' {
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, uintptr(begin), uintptr(end-begin), unix.MADV_DONTNEED)
		}
	}
}
