package nats_test

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"

	"sighub/bridge/nats"
	"sighub/hub"
)

// wiredVariable has TestWire run in a network of its own.
const wiredVariable = "SIGHUB_TEST_WIRED"

// TestWire: between the hub and the server is a wire of two network namespaces. It is cut, and it passes one way only. Each event is in
// the stream once.
func TestWire(t *testing.T) {
	if os.Getenv(wiredVariable) == "" {
		again := exec.Command("unshare", "--user", "--map-root-user", "--net", os.Args[0], "-test.run=^TestWire$", "-test.v")
		again.Env = append(os.Environ(), wiredVariable+"=1", serverVariable+"="+program(t))
		if out, err := again.CombinedOutput(); err != nil {
			t.Fatalf("%v: this needs unshare and nsenter of util-linux, ip of iproute2, and namespaces of users or root:\n%s", err, out)
		}
		return
	}
	b := brokerToStart(t)
	b.host = "10.99.0.2"
	pid := fmt.Sprint(hold(b, "unshare", "--net", "sh", "-c", "echo ready && exec cat"))
	b.around = []string{"nsenter", "--target", pid, "--net", "--"}
	ip := func(far bool, words ...string) {
		t.Helper()
		command := append([]string{"ip"}, words...)
		if far {
			command = append(slices.Clip(b.around), command...)
		}
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", command, err, out)
		}
	}
	ip(false, "link", "add", "near", "type", "veth", "peer", "name", "far", "netns", pid)
	ip(false, "address", "add", "10.99.0.1/24", "dev", "near")
	ip(true, "address", "add", "10.99.0.2/24", "dev", "far")
	ip(false, "link", "set", "near", "up")
	ip(true, "link", "set", "far", "up")
	b.start()
	h := openHouse(t, t.TempDir(), nats.Options{URL: b.url(), Hub: "kitchen", Stream: nats.Stream{MaxBytes: -1}})
	s := h.sender("s0", hub.SenderOptions{Events: []string{"n"}})
	const each = 5000
	n := 0
	for name, wire := range map[string]struct{ cut, mend func() }{
		"cut":            {func() { ip(false, "link", "set", "near", "down") }, func() { ip(false, "link", "set", "near", "up") }},
		"no way back":    {func() { ip(true, "route", "add", "blackhole", "10.99.0.1/32") }, func() { ip(true, "route", "delete", "blackhole", "10.99.0.1/32") }},
		"no way forward": {func() { ip(false, "route", "add", "blackhole", "10.99.0.2/32") }, func() { ip(false, "route", "delete", "blackhole", "10.99.0.2/32") }},
	} {
		sent := h.bridge.Status().Sent
		h.report(s, "n", n+1, each/2)
		until(t, "something goes up", func() bool { return h.bridge.Status().Sent > sent })
		wire.cut()
		h.report(s, "n", n+each/2+1, each/2)
		n += each
		h.outlast(long(t))
		wire.mend()
		h.drained()
		t.Logf("%s: %d are sent", name, h.bridge.Status().Sent)
	}
	complete(t, b.read(""), 1, n)
}
