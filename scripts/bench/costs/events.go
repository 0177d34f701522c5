package costs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Counts are what the kernel counts of a process.
type Counts struct {
	Calls    uint64 // system calls
	Switches uint64 // how often one of its threads gave up its processor: once for each time it was woken, or more
}

// A Counter counts events of a process and its threads, those that it starts later included. The kernel counts, so the process is slowed
// down by a fraction of a microsecond for each system call, and not stopped as strace does.
type Counter struct{ calls, switches []int }

// tracing is where the kernel lists its events: see tracefs.
var tracing = []string{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}

// Available returns why a Counter cannot be had, or nil. It takes Linux with tracing, and the rights of root.
func Available() error {
	_, err := callsEvent()
	if err != nil {
		return err
	}
	c, err := Count(os.Getpid())
	if err == nil {
		c.Close()
	}
	return err
}

// callsEvent returns the number of the event that each system call is.
func callsEvent() (uint64, error) {
	var errs []error
	for _, folder := range tracing {
		b, err := os.ReadFile(folder + "/events/raw_syscalls/sys_enter/id")
		if err == nil {
			return strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
		}
		errs = append(errs, err)
	}
	return 0, errors.Join(errs...)
}

// Count begins to count.
func Count(pid int) (*Counter, error) {
	calls, err := callsEvent()
	if err != nil {
		return nil, err
	}
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil, err
	}
	c := new(Counter)
	for _, t := range threads {
		tid, err := strconv.Atoi(t.Name())
		if err == nil {
			err = c.open(tid, calls)
		}
		if errors.Is(err, unix.ESRCH) { // it has ended
			continue
		}
		if err != nil {
			c.Close()
			return nil, fmt.Errorf("count system calls of process %d: %w", pid, err)
		}
	}
	return c, nil
}

func (c *Counter) open(tid int, calls uint64) error {
	for _, e := range []struct {
		kind   uint32
		config uint64
		to     *[]int
	}{
		{unix.PERF_TYPE_TRACEPOINT, calls, &c.calls},
		{unix.PERF_TYPE_SOFTWARE, unix.PERF_COUNT_SW_CONTEXT_SWITCHES, &c.switches},
	} {
		attr := unix.PerfEventAttr{Type: e.kind, Config: e.config, Bits: unix.PerfBitInherit}
		attr.Size = uint32(unsafe.Sizeof(attr))
		fd, err := unix.PerfEventOpen(&attr, tid, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
		if err != nil {
			return os.NewSyscallError("perf_event_open", err)
		}
		*e.to = append(*e.to, fd)
	}
	return nil
}

// Counts returns what was counted so far.
func (c *Counter) Counts() (n Counts, err error) {
	if n.Calls, err = sum(c.calls); err == nil {
		n.Switches, err = sum(c.switches)
	}
	return n, err
}

func sum(fds []int) (total uint64, err error) {
	var b [8]byte
	for _, fd := range fds {
		if _, err := unix.Read(fd, b[:]); err != nil {
			return 0, os.NewSyscallError("read a counter", err)
		}
		total += binary.NativeEndian.Uint64(b[:])
	}
	return total, nil
}

// Close ends the counting.
func (c *Counter) Close() {
	for _, fds := range [][]int{c.calls, c.switches} {
		for _, fd := range fds {
			_ = unix.Close(fd) // it was open
		}
	}
}
