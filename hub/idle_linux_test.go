//go:build !race && !lockrank

// The race detector and the check of locks need memory of their own: it is measured without.

package hub_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"sighub/carrier/tcp"
	"sighub/hub"
)

// TestIdleListenerTakesLittle holds what a hub needs for a connected listener that hears nothing: one goroutine, whose stack takes 4 KB,
// and 5 KB beside it. The listeners' ends are sockets alone, which the heap does not know.
func TestIdleListenerTakesLittle(t *testing.T) {
	const most, stack, count = 5330, 5632, 300 // bytes, of which some may be of what is shared
	addr := serveTCP(t, hub.NewServerRouter(hub.ServerOptions{}), tcp.Options{})
	at := netip.MustParseAddrPort(strings.TrimPrefix(addr, "tcp://"))
	for range 10 { // all has been made that is shared
		listenBare(t, at)
	}
	before := settled()
	goroutines := runtime.NumGoroutine()
	for range count {
		listenBare(t, at)
	}
	after := settled()
	heap, stacks := float64(after.HeapAlloc-before.HeapAlloc)/count, float64(after.StackInuse-before.StackInuse)/count
	t.Logf("a listener takes %.0f bytes, and %.0f of stack", heap, stacks)
	if heap > most || stacks > stack {
		t.Errorf("a listener takes %.0f bytes, and %.0f of stack, at most %d and %d", heap, stacks, most, stack)
	}
	if n := runtime.NumGoroutine() - goroutines; n != count {
		t.Errorf("%d listeners take %d goroutines", count, n)
	}
}

// settled returns what memory is in use when nothing is left to be collected, and stacks are as small as they get.
func settled() (m runtime.MemStats) {
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m
}

// listenBare connects a socket that listens, until the test is over.
func listenBare(t *testing.T, at netip.AddrPort) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) }) // nothing was written that could be lost
	patience := syscall.NsecToTimeval(int64(10 * time.Second))
	if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &patience); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}); err != nil {
		t.Fatal(err)
	}
	for id, say := range []string{
		`{"id":0,"method":"hello","params":{"protocol":1,"name":"idle","signals":1024}}`,
		`{"id":1,"method":"add_listener","params":{"sender":"light","event":"lux","early":true}}`,
	} {
		var answer [1024]byte
		if _, err := syscall.Write(fd, []byte(say)); err != nil {
			t.Fatal(err)
		}
		n, err := syscall.Read(fd, answer[:])
		for errors.Is(err, syscall.EINTR) { // where there is a time-out, the system does not begin again by itself after a signal of the scheduler's
			n, err = syscall.Read(fd, answer[:])
		}
		if err != nil || !bytes.Contains(answer[:n], fmt.Appendf(nil, `"id":%d,"status":0`, id)) {
			t.Fatalf("%s is answered with %q, %v", say, answer[:max(n, 0)], err)
		}
	}
}
