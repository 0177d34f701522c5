package hub_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"

	"sighub/hub"
)

// A line is a way to the hub that can be cut.
type line struct {
	t        *testing.T
	to       string
	listener net.Listener
	running  sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
	cut   bool // nothing passes
}

// newLine returns a line to a Unix socket, and its own address.
func newLine(t *testing.T, to string) (*line, string) {
	t.Helper()
	path := t.TempDir() + "/line"
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l := &line{t: t, to: strings.TrimPrefix(to, "unix://"), listener: listener, conns: make(map[net.Conn]bool)}
	l.running.Go(l.serve)
	t.Cleanup(func() {
		_ = listener.Close()
		l.set(true)
		l.running.Wait()
	})
	return l, "unix://" + path
}

func (l *line) serve() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("unix", l.to)
		if err != nil || !l.keep(near, far) {
			_ = near.Close()
			if far != nil {
				_ = far.Close()
			}
			continue
		}
		for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
			l.running.Go(func() {
				_, _ = io.Copy(way[0], way[1])
				_, _ = way[0].Close(), way[1].Close()
			})
		}
	}
}

func (l *line) keep(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		if !l.cut {
			l.conns[c] = true
		}
	}
	return !l.cut
}

// set cuts the line, or has it carry again.
func (l *line) set(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
	for c := range l.conns {
		_ = c.Close()
	}
	clear(l.conns)
}

// TestResume: whatever happens to the connection, a listener hears each event once and in order, also what happened meanwhile, with
// the coming and going of senders.
func TestResume(t *testing.T) {
	for name, m := range media {
		t.Run(name, func(t *testing.T) {
			k := newKeeper(t, hub.ServerOptions{})
			sender, _ := k.over(medium{})
			g := k.signal(sender, "s")
			way, addr := newLine(t, k.addr)
			at := k.addr
			k.addr = addr
			r, _ := k.over(m)
			k.addr = at
			all, _ := k.listen(r, "", "", hub.ListenerOptions{})
			one, _ := k.listen(r, "s", "n", hub.ListenerOptions{})
			fed, _ := k.listen(r, "s", "n", hub.ListenerOptions{From: "now"})
			cursor, _ := k.listen(r, "s", "n", hub.ListenerOptions{Cursor: "c"})
			k.trigger(g, 0, 20)
			want := numbers("s", 0, 20)
			wantLines(t, all.wait(20), want...)
			way.set(true)
			k.trigger(g, 20, 40)
			want = append(want, numbers("s", 20, 40)...)
			other, err := sender.AddRemoteSender(k.ctx, "t", hub.SenderOptions{Events: []string{"n"}})
			if err != nil {
				t.Fatal(err)
			}
			n, err := other.Signal("n")
			if err != nil {
				t.Fatal(err)
			}
			k.trigger(n, 0, 1)
			if err := sender.RemoveRemoteSender(k.ctx, other); err != nil {
				t.Fatal(err)
			}
			way.set(false)
			want = append(want, "t #connect", "t n 0", "t #disconnect")
			wantLines(t, all.wait(len(want)), want...)
			k.trigger(g, 40, 50)
			for _, h := range []*hearing{one, fed, cursor} {
				wantLines(t, h.wait(50), numbers("s", 0, 50)...)
			}
		})
	}
}

// TestResumeUnderFire: the connection is cut again and again while a sender does not stop.
func TestResumeUnderFire(t *testing.T) {
	const events, cuts = 20_000, 30
	k := newKeeper(t, hub.ServerOptions{})
	sender, _ := k.over(medium{})
	g := k.signal(sender, "s")
	h := k.signal(sender, "t")
	way, addr := newLine(t, k.addr)
	at := k.addr
	k.addr = addr
	r, _ := k.over(medium{})
	k.addr = at
	list := map[string]*hearing{}
	for _, name := range []string{"s", "t"} {
		list["live "+name], _ = k.listen(r, name, "n", hub.ListenerOptions{})
		list["from "+name], _ = k.listen(r, name, "n", hub.ListenerOptions{From: "now"})
		list["cursor "+name], _ = k.listen(r, name, "n", hub.ListenerOptions{Cursor: name})
	}
	var sending sync.WaitGroup
	for _, g := range []*hub.Signal{g, h} {
		sending.Go(func() {
			for i := 0; i < events; i += 100 {
				k.trigger(g, i, i+100)
			}
		})
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range cuts {
		list["live s"].wait(min(events, len(list["live s"].wait(0))+rnd.IntN(50)))
		way.set(true)
		way.set(false)
		if len(list["live s"].wait(0)) >= events {
			break
		}
	}
	sending.Wait()
	for name, h := range list {
		got := h.wait(events)
		for i, line := range got {
			if want := fmt.Sprintf("%s n %d", name[len(name)-1:], i); line != want {
				t.Fatalf("%s: event %d is %q", name, i, line)
			}
		}
	}
}
