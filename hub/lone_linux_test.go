package hub_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sighub/carrier/tcp"
	"sighub/hub"
)

const lone = "SIGHUB_LONE"

// TestLoneEvent holds what an event costs that travels alone, from one client to another: the hub reads it, finds nothing more, writes it
// to the listener and answers its sender, and reads one answer for a few events from the listener. No thread is woken but the one that
// waits for the network. strace counts in a process that is the hub alone.
func TestLoneEvent(t *testing.T) {
	if os.Getenv(lone) != "" { // the hub
		fmt.Println(serveTCP(t, hub.NewServerRouter(hub.ServerOptions{}), tcp.Options{}))
		_, _ = io.Copy(io.Discard, os.Stdin) // until the test is over
		return
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal("strace is missing: install it, on Debian with: sudo apt-get install strace")
	}
	file := filepath.Join(t.TempDir(), "trace")
	run := exec.Command(strace, "-f", "-qq", "-o", file, "-e", "trace=futex,read,write,recvfrom,sendto", os.Args[0], "-test.run=^"+t.Name()+"$")
	run.Env = append(os.Environ(), lone+"=1", "GOMAXPROCS=2") // with one, each call is watched: see package nowait
	in, err := run.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	sender, listener := hub.NewClientRouter(hub.ClientOptions{}), hub.NewClientRouter(hub.ClientOptions{})
	serveClient(t, sender, strings.TrimSpace(addr))
	serveClient(t, listener, strings.TrimSpace(addr))
	s, err := sender.AddRemoteSender(t.Context(), "light", hub.SenderOptions{Events: []string{"lux"}})
	if err != nil {
		t.Fatal(err)
	}
	signal, err := s.Signal("lux")
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan hub.Event)
	if _, err := listener.AddRemoteListener(t.Context(), "light", "lux", func(ev hub.Event) { heard <- ev }); err != nil {
		t.Fatal(err)
	}
	const events = 100
	count := func() map[string]int {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		n := make(map[string]int)
		for kind, calls := range map[string][]string{"wakes": {"futex"}, "reads": {"read", "recvfrom"}, "writes": {"write", "sendto"}} {
			for _, call := range calls {
				n[kind] += strings.Count(string(text), " "+call+"(")
			}
		}
		return n
	}
	// What else the machine does may cost more calls, but never fewer: so the cheapest round counts.
	for end := time.Now().Add(patience / 4); ; {
		before := count()
		for range events {
			if err := signal.Trigger(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			<-heard
			time.Sleep(time.Millisecond) // so that the hub is idle when the next one comes
		}
		after := count()
		var much []string
		for kind, most := range map[string]float64{"wakes": 0.8, "reads": 3.6, "writes": 2.2} {
			if n := float64(after[kind]-before[kind]) / events; n > most {
				much = append(much, fmt.Sprintf("an event takes %.2f %s, of which %.1f are enough", n, kind, most))
			}
		}
		t.Logf("calls for %d events: before %v, after %v", events, before, after)
		if len(much) == 0 {
			break
		}
		if time.Now().After(end) {
			t.Error(strings.Join(much, "\n"))
			break
		}
	}
	_ = in.Close()
	if err := run.Wait(); err != nil {
		t.Error(err)
	}
}
