// Package costs measures what processes use: processor time, system calls, and how often they are switched to.
package costs

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// CPU returns the processor time of all threads of a process: of its clock, whose number clock_getcpuclockid(3) makes of the pid.
func CPU(pid int) (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED of all threads: in nanoseconds, where /proc tells ticks
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &ts); err != nil {
		return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}
