package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"sighub/carrier/tcp"
	"sighub/hub"
)

// TestKilledListener: one who takes the place of a listener that was killed a moment ago has its cursor at once, and goes on where that one
// was, over TCP.
func TestKilledListener(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := "tcp://" + free.Addr().String()
	_ = free.Close()
	serve(t, "--listen", addr)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	r := hub.NewClientRouter(hub.ClientOptions{RequestTimeout: patience})
	running.Go(func() { _ = r.Serve(ctx, tcp.NewClient(addr, tcp.ClientOptions{})) }) // it does not fail for good
	dog, cancel := context.WithTimeout(ctx, 2*patience)                               // each round starts a process
	defer cancel()
	if err := r.WaitConnected(dog); err != nil {
		t.Fatal(err)
	}
	s, err := r.AddRemoteSender(dog, "s", hub.SenderOptions{Events: []string{"n"}})
	if err != nil {
		t.Fatal(err)
	}
	n, err := s.Signal("n")
	if err != nil {
		t.Fatal(err)
	}
	for round := range 15 {
		listener := exec.Command("sighub", "listen", "s", "n", "--hub", addr, "--cursor", "c", "--output", "json")
		out, err := listener.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := listener.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		awaitOwner(dog, t, r)
		if err := n.Trigger(dog, round); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() {
			if strings.Contains(lines.Text(), fmt.Sprintf(`"data":%d,`, round)) { // what was not acknowledged comes again before
				break
			}
		}
		_ = listener.Process.Kill() // it fails if the process has ended
		_ = listener.Wait()         // it was killed
		l, err := r.AddRemoteListenerWith(dog, "s", "n", hub.ListenerOptions{Cursor: "c"}, func(hub.Event) {})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if err := r.RemoveRemoteListener(dog, l); err != nil {
			t.Fatal(err)
		}
	}
}

// awaitOwner waits until a cursor has an owner.
func awaitOwner(ctx context.Context, t *testing.T, r *hub.ClientRouter) {
	t.Helper()
	for {
		list, err := r.Cursors(ctx)
		switch {
		case err != nil:
			t.Fatal(err)
		case len(list) == 1 && list[0].Client != nil:
			return
		}
		time.Sleep(time.Millisecond) // only the other process can tell
	}
}
