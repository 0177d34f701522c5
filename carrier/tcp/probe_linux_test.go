package tcp

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sighub/carrier"
	"sighub/carrier/carriertest"
)

// TestProbe: while a peer is probed, its system is asked each second, and only several questions without an answer count; afterwards
// everything is as before, and so it is for whoever goes meanwhile.
func TestProbe(t *testing.T) {
	for _, addr := range []string{"tcp://127.0.0.1:0", "unix://" + t.TempDir() + "/hub"} {
		server, err := Listen(addr, Options{})
		if err != nil {
			t.Fatal(err)
		}
		rec := carriertest.NewRecorder(t, "hub")
		serveCarrier(t, server, rec)
		network, where, _ := strings.Cut(server.Addr(), "://")
		nc, err := net.Dial(network, where)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = nc.Close() }()
		fmt.Fprintln(nc, `{"id":1,"method":"hello","params":{"protocol":1,"name":"x"}}`)
		if _, err := bufio.NewReader(nc).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		cl, err := rec.Client(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c, err := server.peers.clients.Find(cl.ID)
		if err != nil {
			t.Fatal(err)
		}
		options := func() (list [4]int) {
			_ = rawConn(c.nc).Control(func(fd uintptr) {
				for i, o := range []int{unix.TCP_USER_TIMEOUT, unix.TCP_KEEPIDLE, unix.TCP_KEEPINTVL, unix.TCP_KEEPCNT} {
					list[i], _ = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, o)
				}
			})
			return list
		}
		check := func(what string, want [4]int) {
			if got := options(); network == "tcp" && got != want {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
		}
		check("before", [4]int{30_000, 15, 5, 3})
		server.Probe(cl.ID + 1)
		check("for another one", [4]int{30_000, 15, 5, 3})
		for range 2 {
			server.Probe(cl.ID)
			check("while it is probed", [4]int{0, 1, 1, 5})
		}
		if network == "tcp" {
			c.mu.Lock()
			if !c.probed.Reset(0) {
				t.Error("probing has ended")
			}
			c.mu.Unlock()
			c.timers.Wait()
		}
		check("afterwards", [4]int{30_000, 15, 5, 3})
		server.Probe(cl.ID)
		check("again", [4]int{0, 1, 1, 5})
		if network == "tcp" {
			c.mu.Lock()
			c.probed.Reset(0)
			c.mu.Unlock()
			c.timers.Wait()
			// The other end reads nothing, so not all of this is acknowledged.
			_ = c.nc.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
			for err == nil {
				_, err = c.nc.Write(make([]byte, 1<<20))
			}
			server.Probe(cl.ID)
			check("while something is not acknowledged", [4]int{30_000, 1, 1, 5})
		}
		_ = nc.Close()
		if _, err := rec.Gone(t.Context(), cl.ID); err != nil {
			t.Error(err)
		}
		server.Probe(cl.ID)
		c.timers.Wait()
	}
	var _ carrier.Prober = (*Server)(nil)
}
