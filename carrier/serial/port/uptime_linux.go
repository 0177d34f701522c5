package port

import (
	"encoding/binary"
	"encoding/hex"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Uptime returns a number that differs each time this machine is started, and a function that returns how long it has run at a
// time, without what it slept. Unlike the time of day nobody sets that clock, and unlike a [time.Time]'s own it goes on from one run
// of a program to the next. The number is 0 if there is no such clock.
func Uptime() (machine uint64, at func(t time.Time) time.Duration) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return 0, func(time.Time) time.Duration { return 0 }
	}
	id, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(string(text)), "-", ""))
	if err != nil || len(id) != 16 {
		return 0, func(time.Time) time.Duration { return 0 }
	}
	then, up := bothClocks()
	return binary.BigEndian.Uint64(id) | 1, func(t time.Time) time.Duration { return up + t.Sub(then) } // never 0, and as random
}

// bothClocks reads the clock behind time.Now and the machine's, which is the same one, as close together as it can: the system may
// run another program in between.
func bothClocks() (now time.Time, up time.Duration) {
	best := time.Hour
	for range 20 {
		var ts unix.Timespec
		before := time.Now()
		_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // which cannot fail
		if took := time.Since(before); took < best {
			best, now, up = took, before.Add(took/2), time.Duration(ts.Nano())
		}
	}
	return now, up
}
