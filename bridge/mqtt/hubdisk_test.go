package mqtt

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"sighub/hub"
	"sighub/journal"
	"sighub/journal/journaltest"
)

// TestHubDiskFull: while the hub's own disk is full, the bridge says so and what to do, also over a start of the broker. When there is room,
// everything comes, in order.
func TestHubDiskFull(t *testing.T) {
	broker, disk := startBroker(t), journaltest.NewFolder(1)
	j, err := journal.OpenFolder(disk, journal.Options{GiveUp: -1})
	if err != nil {
		t.Fatal(err)
	}
	h := newHouseWith(t, j)
	b := h.bridge(Options{Addr: broker.addr})
	h.serve(b)
	l := listen(t, broker.addr, "sighub/light/lux")
	s := h.sender("light", hub.SenderOptions{Events: []string{"lux"}})
	h.report(s, "lux", numbers(0, 100)...)
	l.wait("sighub/light/lux 99", 1)
	eventually(t, "everything is acknowledged", func() bool { return b.Status().Lag == 0 })
	full := journaltest.None()
	full.Err = syscall.ENOSPC
	disk.SetFaults(full)
	const n = 2000
	h.trigger(s, "lux", numbers(100, n-100)...)
	told := func() bool {
		st := b.Status()
		return st.Connected && strings.Contains(st.Error, "the journal cannot be written") && strings.Contains(st.Remedy, "make room")
	}
	eventually(t, "the bridge says that the disk is full", told)
	heard := l.heard("sighub/light/lux ")
	broker.stop()
	broker.start()
	eventually(t, "the bridge is back, and says so again", told)
	l = listen(t, broker.addr, "sighub/light/lux")
	disk.SetFaults(journaltest.None())
	l.wait(fmt.Sprint("sighub/light/lux ", n-1), 1)
	eventually(t, "the error is over, and everything is acknowledged", func() bool { st := b.Status(); return st.Error == "" && st.Lag == 0 })
	checkNumbers(t, append(heard, l.heard("sighub/light/lux ")...), n)
}
