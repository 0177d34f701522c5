package nats_test

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sighub/bridge/nats"
	"sighub/hub"
)

// A counter counts what a listener hears of many hubs, and whether it is in order.
type counter struct {
	t    *testing.T
	n    atomic.Int64
	mu   sync.Mutex
	last map[string]int
	ends map[string]string // reasons of #disconnect
}

func (c *counter) add(ev hub.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch ev.Name {
	case hub.Disconnect:
		var connection hub.Connection
		_ = ev.Data.Decode(&connection)
		c.ends[ev.Sender] = connection.Reason
	case hub.Gap:
		c.t.Errorf("%s has a gap: %s", ev.Sender, ev.Data)
	case "n":
		var n int
		if err := ev.Data.Decode(&n); err != nil || n != c.last[ev.Sender]+1 {
			c.t.Errorf("%s: %s comes after %d", ev.Sender, ev.Data, c.last[ev.Sender])
		}
		c.last[ev.Sender] = n
		c.n.Add(1)
	}
}

// TestCrowd: one listener hears many hubs with ten senders each, every event once and in order, over an outage of the server as well.
// SIGHUB_TEST_HUBS says how many hubs there are, and SIGHUB_TEST_BACKLOG how many events each sender reports in the outage.
func TestCrowd(t *testing.T) {
	number := func(variable, usual string) int {
		n, err := strconv.Atoi(cmp.Or(os.Getenv(variable), usual))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	hubs, backlog := number("SIGHUB_TEST_HUBS", "20"), number("SIGHUB_TEST_BACKLOG", "50")
	const senders, first = 10, 3
	b := newBroker(t, "")
	beat := time.Second * time.Duration(1+hubs/200)
	c := &counter{t: t, last: make(map[string]int), ends: make(map[string]string)}
	near := openHouse(t, t.TempDir(), nats.Options{URL: b.url(), Hub: "near", Hear: everybody, Beat: beat})
	if _, err := near.hub.AddListener("", "", c.add); err != nil {
		t.Fatal(err)
	}
	until(t, "the one that hears is connected", func() bool { return near.bridge.Status().Connected }) // it hears what comes from then on
	cable := newLine(t, b.url()[len("nats://"):])                                                      // of the first one
	all := make([]*house, hubs)
	of := make([][]*hub.Sender, hubs)
	for i := range all {
		o := nats.Options{URL: b.url(), Hub: fmt.Sprint("h", i), Beat: beat, Stream: nats.Stream{MaxBytes: -1}}
		if i == 0 {
			o.URL = "nats://" + cable.Addr().String()
		}
		all[i] = openSmallHouse(t, t.TempDir(), o)
		for k := range senders {
			of[i] = append(of[i], all[i].sender(fmt.Sprint("s", k), hub.SenderOptions{Events: []string{"n"}}))
		}
	}
	defer func() { // all at once
		var stopping sync.WaitGroup
		for _, h := range all {
			stopping.Go(h.stop)
		}
		stopping.Wait()
	}()
	report := func(from, n int) {
		for i, h := range all {
			for _, s := range of[i] {
				h.report(s, "n", from, n)
			}
		}
	}
	wait := func(what string, n int) time.Duration {
		begun := time.Now()
		for last, at := int64(0), begun; c.n.Load() < int64(n); time.Sleep(10 * time.Millisecond) {
			if now := c.n.Load(); now != last {
				last, at = now, time.Now()
			}
			if time.Since(at) > time.Minute {
				t.Fatalf("%s: %d of %d are heard: %+v, %+v", what, c.n.Load(), n, near.bridge.Status(), all[0].bridge.Status())
			}
		}
		return time.Since(begun)
	}
	report(1, first)
	t.Logf("%d hubs: the first %d events are heard %s after they were reported", hubs, hubs*senders*first, wait("at first", hubs*senders*first))

	b.kill()
	report(first+1, backlog)
	b.start()
	n := hubs * senders * backlog
	took := wait("after an outage", hubs*senders*(first+backlog))
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	t.Logf("a backlog of %d events is heard in %s, %.0f events/s; all hubs have %d MB together, the server %s", n, took, float64(n)/took.Seconds(),
		memory.Sys>>20, b.memory())

	cable.stop()
	begun := time.Now()
	until(t, "the hub that has vanished is told", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.ends["h0.s0"] == "timeout" && c.ends["h0.s9"] == "timeout"
	})
	if took := time.Since(begun); took > 4*beat+20*time.Second {
		t.Errorf("a hub that has vanished is told after %s", took)
	}
	cable.cut()
}

// memory returns what the server has of memory, as its system says.
func (b *broker) memory() string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.run.Process.Pid))
	if err != nil {
		return "unknown"
	}
	_, rest, _ := strings.Cut(string(data), "VmRSS:")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line)
}
