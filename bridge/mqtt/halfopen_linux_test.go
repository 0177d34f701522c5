package mqtt

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sighub/hub"
)

// apart says that this process has a network of its own.
const apart = "SIGHUB_MQTT_APART"

// TestHalfOpen: the cable between the hub and the broker is pulled, at either end, and nothing says so. Each end is in a network of its own.
func TestHalfOpen(t *testing.T) {
	if os.Getenv(apart) == "" {
		line := []string{"--net"}
		if os.Geteuid() != 0 {
			line = append(line, "--user", "--map-root-user")
		}
		c := exec.CommandContext(t.Context(), "unshare", append(line, os.Args[0], "-test.run=^TestHalfOpen$", "-test.v")...)
		c.Env = append(os.Environ(), apart+"=1")
		out, err := c.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Fatalf("%v; this test needs unshare, nsenter and ip (on Debian: apt-get install util-linux iproute2), and root, or a kernel that "+
				"lets users make namespaces\n%s", err, out)
		}
		return
	}
	run := func(line string) {
		t.Helper()
		words := strings.Fields(line)
		if out, err := exec.CommandContext(t.Context(), words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", line, err, out)
		}
	}
	run("ip link set lo up")
	broker := newBroker(t, "10.99.0.2:1883", "log_type subscribe")
	broker.prepare = func(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET} }
	var there string // is where the broker is, in front of a line
	broker.started = func(pid int) {
		there = "nsenter --target " + strconv.Itoa(pid) + " --net "
		run("ip link add near type veth peer name far netns " + strconv.Itoa(pid))
		run("ip address add 10.99.0.1/24 dev near")
		run("ip link set near up")
		run(there + "ip link set lo up")
		run(there + "ip address add 10.99.0.2/24 dev far")
		run(there + "ip link set far up")
	}
	broker.start()
	file, _ := knownListener(broker, strings.Fields(there)...)
	h := newHouse(t, t.TempDir())
	b := h.bridge(Options{Addr: broker.addr, Alive: time.Second})
	h.serve(b)
	s := h.sender("light", hub.SenderOptions{Events: []string{"lux"}})
	const rounds, each = 2, 500
	for i := range rounds {
		eventually(t, "the bridge is connected", func() bool { return b.Status().Connected })
		h.report(s, "lux", numbers(each*i, each/2)...)
		end := "ip link set near "
		if i%2 == 0 {
			end = there + "ip link set far "
		}
		run(end + "down")
		h.report(s, "lux", numbers(each*i+each/2, each/2)...)
		begun := time.Now()
		eventually(t, "the bridge notices that the cable is pulled", func() bool { return !b.Status().Connected })
		if took := time.Since(begun); took > 20*time.Second { // the system would find out after 30
			t.Errorf("that took %s", took)
		}
		run(end + "up")
	}
	eventually(t, "everything is acknowledged", func() bool { return b.Status().Lag == 0 })
	checkHeard(t, file, rounds*each)
}
