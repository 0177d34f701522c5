package nats_test

import (
	"strings"
	"syscall"
	"testing"

	"sighub/bridge/nats"
	"sighub/hub"
	"sighub/journal"
	"sighub/journal/journaltest"
)

// TestHubDiskFull: while the hub's own disk is full, the bridge says so and what to do, also over a start of the server. When there is room,
// everything goes up, once and in order.
func TestHubDiskFull(t *testing.T) {
	b := newBroker(t, "")
	b.forgetful()
	disk := journaltest.NewFolder(1)
	j, err := journal.OpenFolder(disk, journal.Options{Logger: logger(), GiveUp: -1})
	if err != nil {
		t.Fatal(err)
	}
	h := houseWith(t, j, nats.Options{URL: b.url(), Hub: "kitchen"})
	s := h.sender("s0", hub.SenderOptions{Events: []string{"n"}})
	h.report(s, "n", 1, 100)
	h.drained()
	full := journaltest.None()
	full.Err = syscall.ENOSPC
	disk.SetFaults(full)
	const n = 5000
	h.report(s, "n", 101, n-100)
	told := func() bool {
		st := h.bridge.Status()
		return st.Connected && strings.Contains(st.Error, "the journal cannot be written") && strings.Contains(st.Remedy, "make room")
	}
	until(t, "the bridge says that the disk is full", told)
	b.kill()
	until(t, "the bridge says that the server is away", func() bool { return !h.bridge.Status().Connected })
	b.start()
	until(t, "the bridge is back, and says that the disk is full", told)
	disk.SetFaults(journaltest.None())
	h.drained()
	until(t, "the error is over", func() bool { return h.bridge.Status().Error == "" })
	complete(t, b.read(""), 1, n)
}
