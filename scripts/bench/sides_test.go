package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"sighub/carrier/tcp"
	"sighub/hub"
	"sighub/scripts/bench/message"
	"sighub/scripts/bench/peers"
)

// TestMain is a side if it is started as one: a side is this program again.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == sideCommand {
		if err := serveSide(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// hubHere returns a peer of this name that is a hub within this process, and what its sides need.
func hubHere(t *testing.T, name string) (*env, peers.Peer) {
	t.Helper()
	s, err := tcp.Listen("tcp://127.0.0.1:0", tcp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { _ = hub.NewServerRouter(hub.ServerOptions{}).Serve(ctx, s) })
	t.Cleanup(func() {
		stop()
		serving.Wait()
	})
	p, err := peers.New(name)
	if err != nil {
		t.Fatal(err)
	}
	e := &env{Place: peers.Place{Tmp: t.TempDir()}, peer: name}
	p.At(strings.TrimPrefix(s.Addr(), "tcp://"), e.Tmp)
	return e, p
}

// setSize sets the size of messages for one test.
func setSize(t *testing.T, n int) {
	t.Helper()
	usual := message.Size
	t.Cleanup(func() {
		if err := message.SetSize(usual); err != nil {
			t.Error(err)
		}
	})
	if err := message.SetSize(n); err != nil {
		t.Fatal(err)
	}
}

// Senders and listeners in processes of their own are counted here, and their clocks agree: every message takes some time, and not long.
func TestApart(t *testing.T) {
	for _, v := range []struct {
		peer    string
		payload int
	}{{peers.Hub, message.Usual}, {peers.HubBare, message.Usual}, {peers.Hub, message.Most}, {peers.HubBare, message.Least}} {
		t.Run(fmt.Sprint(v.peer, " ", v.payload), func(t *testing.T) {
			setSize(t, v.payload)
			e, p := hubHere(t, v.peer)
			c, err := newCrowdApart(t.Context(), e, p, fan{senders: 2, listeners: 3})
			if err != nil {
				t.Fatal(err)
			}
			defer c.close()
			const n = 50
			if err := c.listen.recordLatencies(n); err != nil {
				t.Fatal(err)
			}
			b, err := c.paced(t.Context(), n, time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			if b.heard != 2*3*n || b.lost != 0 || c.sent != 2*n {
				t.Errorf("%d are sent, %d heard, %d lost, want %d, %d, 0", c.sent, b.heard, b.lost, 2*n, 2*3*n)
			}
			took, err := c.listen.latencies()
			if err != nil || len(took) != n || percentile(took, 0) <= 0 || percentile(took, 0) > time.Second {
				t.Errorf("they take %v, %v", took, err)
			}
			if b, err := c.burst(t.Context(), 20*time.Millisecond); err != nil || b.heard == 0 {
				t.Errorf("of a burst, %d are heard, %v", b.heard, err)
			}
			next, err := newCrowdApart(t.Context(), e, p, fan{senders: 0, listeners: 3})
			if err != nil {
				t.Fatal(err)
			}
			defer next.close()
			if n := next.board.heard(); n != 0 {
				t.Errorf("the next crowd begins with %d messages heard", n)
			}
		})
	}
}

// Requests are asked by one process and answered by another; one whose other end has gone fails, and nothing hangs.
func TestRequestsApart(t *testing.T) {
	e, p := hubHere(t, peers.HubBare)
	responder, err := startSide(t.Context(), e, "responder")
	if err != nil {
		t.Fatal(err)
	}
	defer responder.close()
	requester, err := startSide(t.Context(), e, "requester")
	if err != nil {
		t.Fatal(err)
	}
	defer requester.close()
	for side, method := range map[*sideProcess]string{responder: "Respond", requester: "Request"} {
		if err := side.call(method, e.job(p), nil); err != nil {
			t.Fatal(err)
		}
	}
	var asked Asked
	if err := requester.call("Ask", Asking{4, 50 * time.Millisecond}, &asked); err != nil {
		t.Fatal(err)
	}
	if len(asked.Each) == 0 || asked.All < 50*time.Millisecond {
		t.Errorf("%d requests are answered in %s", len(asked.Each), asked.All)
	}
	_ = requester.cmd.Process.Kill()
	if err := requester.call("Ask", Asking{1, time.Second}, &asked); err == nil {
		t.Error("a process that is not there answers")
	}
}
