package browsertest

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// used returns how much of a processor's time a process has had.
func used(t *testing.T, pid int) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	const ticks = 100 // a second, in what the kernel tells programs: USER_HZ
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err1 != nil || err2 != nil {
		t.Fatalf("%q is not understood", stat)
	}
	return time.Duration(user+system) * time.Second / ticks
}

// TestPages: fifty pages that are open hear what happens in a house, and what that takes of the hub is told. They are what a page is to
// a hub, without the browser.
func TestPages(t *testing.T) {
	const (
		pages, devices = 50, 20
		most           = 25 // % of a core
	)
	s := serve(t)
	act(t, role{What: "devices", Addr: s.addr, Count: devices, Every: 500 * time.Millisecond}, false)
	look := func(what string, heard func() int) float64 {
		d := max(*report/10, 3*time.Second)
		heard()
		before, began := used(t, s.cmd.Process.Pid), time.Now()
		time.Sleep(d)
		share := (used(t, s.cmd.Process.Pid) - before).Seconds() / time.Since(began).Seconds() * 100
		t.Logf("%s: %.1f %% of a core, %.0f events a second heard", what, share, float64(heard())/time.Since(began).Seconds())
		return share
	}
	look("without pages", func() int { return 0 })
	open := act(t, role{What: "pages", Addr: s.addr, Count: pages, Gather: pageGather}, true)
	heard := 0
	eventually(t, "the pages listen", func() bool { heard += open.since().Events; return heard > pages*devices })
	n := 0
	share := look("with 50 pages", func() int { n = open.since().Events; return n })
	if n == 0 {
		t.Error("nothing is heard")
	}
	if share > most {
		t.Errorf("the hub takes %.1f %% of a core, and %d %% are the most", share, most)
	}
}
