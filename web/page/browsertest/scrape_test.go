package browsertest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestScrape tells what it takes of a hub to say its numbers, with 200 devices and with thousands of clients beside them.
func TestScrape(t *testing.T) {
	clients, most := 500, 20*time.Millisecond
	if *report > 0 {
		clients = 10_000
	}
	if files := uint64(clients + 1000); !mayOpen(files) {
		t.Fatalf("this process may not open %d files: raise the limit with ulimit -n", files)
	}
	s := serve(t, "--config", configure(t, "serial: none\nlimits: {memory: 256MiB, clients: %d}\n", clients+1000))
	act(t, role{What: "devices", Addr: s.addr, Count: manyDevices, Every: time.Second}, false)
	look := func(what string) {
		t.Helper()
		const times = 50
		before, size, longest := used(t, s.cmd.Process.Pid), 0, time.Duration(0)
		for range times {
			began := time.Now()
			answer, err := http.Get(s.url() + "metrics")
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			if err != nil || answer.StatusCode != http.StatusOK {
				t.Fatal(answer.Status, err)
			}
			size, longest = len(text), max(longest, time.Since(began))
		}
		took := (used(t, s.cmd.Process.Pid) - before) / times
		t.Logf("%s, the numbers are %d bytes, and take %v of the hub's processor each time, and %v at most until they are there",
			what, size, took, longest.Round(100*time.Microsecond))
		if took > most {
			t.Errorf("they take %v, and %v is the most", took, most)
		}
	}
	look(fmt.Sprintf("with %d devices", manyDevices))
	crowd(t, s, clients)
	look(fmt.Sprintf("with %d devices and %d clients", manyDevices, clients))
}

// mayOpen has this process allowed to open so many files, if it may have that.
func mayOpen(files uint64) bool {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return false
	}
	if limit.Cur < files && files <= limit.Max {
		limit.Cur = files
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
	return limit.Cur >= files
}

// crowd has so many clients connected that do nothing, until the test ends.
func crowd(t *testing.T, s *server, clients int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	var all sync.WaitGroup
	turns := make(chan struct{}, 50)
	for i := range clients {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			nc, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.addr)
			if err != nil {
				t.Error(err)
				return
			}
			context.AfterFunc(ctx, func() { _ = nc.Close() })
			if _, err := fmt.Fprintf(nc, `{"id":1,"method":"hello","params":{"protocol":1,"name":"client %d"}}`+"\n", i); err != nil {
				t.Error(err)
				return
			}
			if _, err := bufio.NewReader(nc).ReadString('\n'); err != nil {
				t.Errorf("client %d: %v", i, err)
			}
		})
	}
	all.Wait()
}
