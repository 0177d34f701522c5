package systemd

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// Began returns the line that must follow [Reloading] at once, in the same message: when the reload began, by a clock of the system
// that package time does not show. Without it, a service of Type=notify-reload would wait for ever.
func Began() string {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // every Linux has this clock
	return "MONOTONIC_USEC=" + strconv.FormatInt(now.Nano()/1000, 10)
}
