package browsertest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"sighub/hub"
)

// A listener measures how late it hears events.
type listener struct {
	mu   sync.Mutex
	late []time.Duration
}

func listen(t *testing.T, s *server) *listener {
	t.Helper()
	l := new(listener)
	if _, err := s.client(t, "listener").AddRemoteListener(t.Context(), "", "", func(ev hub.Event) {
		if ev.Name != "volt" {
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.late = append(l.late, time.Since(ev.Time))
	}); err != nil {
		t.Fatal(err)
	}
	return l
}

// over says how late events were for a while.
func (l *listener) over(t *testing.T, what string, d time.Duration) {
	t.Helper()
	l.mu.Lock()
	l.late = nil
	l.mu.Unlock()
	time.Sleep(d)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.late) == 0 {
		t.Fatalf("%s nothing", what)
	}
	slices.Sort(l.late)
	at := func(share float64) time.Duration {
		return l.late[int(share*float64(len(l.late)-1))].Round(10 * time.Microsecond)
	}
	t.Logf("%s %d events in %v: half of them after %v, 99 %% after %v", what, len(l.late), d, at(.5), at(.99))
}

// used returns how much of a processor's time a process has had.
func used(t *testing.T, pid int) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	const ticks = 100 // a second, in what the kernel tells programs: USER_HZ
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err1 != nil || err2 != nil {
		t.Fatalf("%q is not understood", stat)
	}
	return time.Duration(user+system) * time.Second / ticks
}

// TestPages: fifty pages that are open hear what happens in a house, and what that takes of the hub is told. They are what a page is to
// a hub, without the browser.
func TestPages(t *testing.T) {
	const (
		pages, devices = 50, 20
		every          = 500 * time.Millisecond // of each device
	)
	s := serve(t)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	for i := range devices {
		x := addSender(t, s.client(t, fmt.Sprintf("device %d", i)), fmt.Sprintf("room %d", i), hub.SenderOptions{Events: []string{"volt"}})
		signal, err := x.Signal("volt")
		if err != nil {
			t.Fatal(err)
		}
		running.Go(func() {
			tick := time.NewTicker(every)
			defer tick.Stop()
			for n := 0; ; n++ {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					_ = signal.TriggerAsync(ctx, n, func(error) {})
				}
			}
		})
	}
	var heard atomic.Int64
	look := func(what string) float64 {
		d := max(*report/10, 3*time.Second)
		before, n, began := used(t, s.cmd.Process.Pid), heard.Load(), time.Now()
		time.Sleep(d)
		share := (used(t, s.cmd.Process.Pid) - before).Seconds() / time.Since(began).Seconds() * 100
		t.Logf("%s: %.1f %% of a core, %.0f events a second heard", what, share, float64(heard.Load()-n)/time.Since(began).Seconds())
		return share
	}
	look("without pages")
	for range pages {
		ws, _, err := websocket.Dial(ctx, "ws://"+s.addr+"/api/v1/socket", &websocket.DialOptions{Subprotocols: []string{"sighub.json"}})
		if err != nil {
			t.Fatal(err)
		}
		ws.SetReadLimit(-1)
		for _, line := range []string{
			`{"id":1,"method":"hello","params":{"protocol":1,"name":"page","window":256,"signals":4096}}`,
			`{"id":2,"method":"whoami"}`,
			`{"id":3,"method":"add_listener","params":{"sender":null,"event":null,"policy":"latest","last":true}}`,
			`{"id":4,"method":"list_senders","params":{"list_events":true}}`,
		} {
			if err := ws.Write(ctx, websocket.MessageText, []byte(line+"\n")); err != nil {
				t.Fatal(err)
			}
		}
		running.Go(func() {
			defer ws.CloseNow()
			signals := 0
			for {
				_, text, err := ws.Read(ctx)
				if err != nil {
					return
				}
				n := strings.Count("\n"+string(text), "\n[") // of the stream
				heard.Add(int64(n))
				if signals += n; signals > 0 {
					_ = ws.Write(ctx, websocket.MessageText, fmt.Appendf(nil, "[%d]\n", signals))
					signals = 0
				}
			}
		})
	}
	eventually(t, "the pages listen", func() bool { return heard.Load() > pages*devices })
	look("with 50 pages")
	if stop(); heard.Load() == 0 {
		t.Error("nothing is heard")
	}
}
