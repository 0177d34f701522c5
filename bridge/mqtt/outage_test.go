package mqtt

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sighub/bridge/mqtt/internal/client"
	"sighub/hub"
)

// TestFrozen: a broker that stands still, with all connections open, is noticed, and has everything when it goes on.
func TestFrozen(t *testing.T) {
	broker := startBroker(t, "log_type subscribe")
	out, _ := knownListener(broker)
	h := newHouse(t, t.TempDir())
	b := h.bridge(Options{Addr: broker.addr, Alive: time.Second})
	h.serve(b)
	s := h.sender("light", hub.SenderOptions{Events: []string{"lux"}})
	const rounds, each = 3, 2000
	for i := range rounds {
		eventually(t, "the bridge is connected", func() bool { return b.Status().Connected })
		h.report(s, "lux", numbers(each*i, each/2)...)
		broker.freeze()
		h.report(s, "lux", numbers(each*i+each/2, each/2)...)
		eventually(t, "the bridge notices that nobody answers", func() bool {
			st := b.Status()
			return !st.Connected && st.Error != ""
		})
		broker.thaw()
	}
	eventually(t, "everything is acknowledged", func() bool { return b.Status().Lag == 0 })
	checkHeard(t, out, rounds*each)
}

// TestFullDisk: a broker whose disk is full acknowledges all the same, and has nothing of it when it is killed. All comes
// again.
func TestFullDisk(t *testing.T) {
	broker := startBroker(t, "log_type subscribe")
	h := newHouse(t, t.TempDir())
	b := h.bridge(Options{Addr: broker.addr})
	h.serve(b)
	s := h.sender("light", hub.SenderOptions{Events: []string{"lux"}})
	out, away := knownListener(broker)
	h.report(s, "lux", numbers(0, 100)...)
	eventually(t, "everything is marked", b.isMarked)
	away()
	broker.stop() // all of that is on disk
	kept := func() string {
		info, err := os.Stat(filepath.Join(broker.dir, "mosquitto.db"))
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(info.Size(), info.ModTime())
	}
	before := kept()
	broker.prepare = func(c *exec.Cmd) { // no file becomes longer than 16 blocks
		c.Args = append([]string{"sh", "-c", `trap "" XFSZ; ulimit -f 16; exec "$@"`, "sh"}, c.Args...)
		c.Path = tool(t, "sh", "dash")
	}
	broker.start()
	h.report(s, "lux", numbers(100, 5000)...)
	eventually(t, "everything is acknowledged", b.isMarked)
	time.Sleep(1500 * time.Millisecond) // in which it tries to save what it has
	if after := kept(); after != before {
		t.Errorf("the broker has saved %s, and had %s: its disk is not full", after, before)
	}
	broker.kill()
	broker.prepare = nil
	broker.start()
	eventually(t, "everything is marked again", b.isMarked)
	broker.hear(out)
	checkHeard(t, out, 5100)
	if !strings.Contains(h.log.String(), "forgotten") {
		t.Error(h.log)
	}
}

// outage is how many events there are while the broker is away. SIGHUB_OUTAGE replaces it.
const outage = 10_000

// TestLongOutage: what happened while the broker was away comes when it is there, each event once.
func TestLongOutage(t *testing.T) {
	n := outage
	if text := os.Getenv("SIGHUB_OUTAGE"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	broker := startBroker(t)
	h := newHouse(t, t.TempDir())
	var there atomic.Bool
	b := h.bridge(Options{Addr: broker.addr, Retry: time.Second, Dial: func(ctx context.Context, addr string) (net.Conn, error) {
		if !there.Load() {
			return nil, syscall.EHOSTUNREACH
		}
		return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	}})
	h.serve(b)
	s := h.sender("light", hub.SenderOptions{Events: []string{"lux"}})
	g, err := s.Signal("lux")
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := g.Trigger(t.Context(), i); err != nil {
			t.Fatal(err)
		}
		if room := h.journal.Room(); room != nil {
			<-room
		}
	}
	eventually(t, "all of them wait", func() bool { return b.Status().Lag >= uint64(n) })
	next, all := 0, make(chan struct{})
	c, err := client.Connect(t.Context(), client.Options{Addr: broker.addr, ClientID: "counting", Handle: func(m *client.Message) {
		if string(m.Payload) != strconv.Itoa(next) {
			t.Errorf("%s comes in the place of %d", m.Payload, next)
		}
		if next++; next == n {
			close(all)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(true)
	if err := c.Subscribe(t.Context(), client.Filter{Topics: "sighub/light/lux", QoS: 1}); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	there.Store(true)
	select {
	case <-all:
	case <-time.After(10 * time.Minute):
		t.Fatal("not all have come")
	}
	eventually(t, "everything is acknowledged", func() bool { return b.Status().Lag == 0 })
	t.Logf("%d events in %s", n, time.Since(begun).Round(time.Millisecond))
}
