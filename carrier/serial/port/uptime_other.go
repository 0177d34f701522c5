//go:build !linux

package port

import "time"

// Uptime returns 0: of this system no clock is known that goes on from one run of a program to the next, and that nobody sets.
func Uptime() (machine uint64, at func(t time.Time) time.Duration) {
	return 0, func(time.Time) time.Duration { return 0 }
}
