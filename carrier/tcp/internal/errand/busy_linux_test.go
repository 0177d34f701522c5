package errand

import (
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sighub/internal/nowait"
)

// TestBusy: that errands take long is noticed while they use all processors, in a program that did nothing before.
func TestBusy(t *testing.T) {
	const readers = 2
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(readers))
	for range 2 * 64 { // that several goroutines may run at a time is seen at a call of some
		_, _ = nowait.Read(-1, make([]byte, 1))
	}
	var tasks sync.WaitGroup
	var noticed atomic.Int32
	var computed atomic.Int64
	deadline := time.Now().Add(time.Minute)
	ends := make([]*os.File, readers)
	for i := range readers {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.SetNonblock(fds[0], true); err != nil {
			t.Fatal(err)
		}
		socket := os.NewFile(uintptr(fds[0]), "socket")
		defer socket.Close()
		ends[i] = os.NewFile(uintptr(fds[1]), "its other end")
		raw, err := socket.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		r := &Reader{Tasks: &tasks, ReadOn: func() { noticed.Add(1) }}
		r.Give(func() {
			for n := 0; noticed.Load() < readers && time.Now().Before(deadline); n++ {
				computed.Store(int64(n))
			}
		})
		tasks.Go(func() {
			read(t, raw)
			r.Run()
			r.End()
		})
	}
	// Another program wakes both, once the watchdog sleeps: whatever this one calls would wake it, and so would the other one's end. If it does
	// not sleep yet, the test proves nothing.
	other := exec.Command("sh", "-c", "sleep 0.3; printf x >&3; printf x >&4; exec sleep 100")
	other.ExtraFiles = ends
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	tasks.Wait()
	_ = other.Process.Kill()
	_ = other.Wait()
	if n := noticed.Load(); n != readers {
		t.Errorf("of %d errands that take long, %d were noticed", readers, n)
	}
	for _, f := range ends {
		_ = f.Close()
	}
}

// read reads a byte without telling the scheduler.
func read(t *testing.T, raw syscall.RawConn) {
	t.Helper()
	err := raw.Read(func(fd uintptr) bool {
		n, err := nowait.Read(int(fd), make([]byte, 1))
		return n == 1 || err != unix.EAGAIN //nolint:errorlint // it is not wrapped
	})
	if err != nil {
		t.Error(err)
	}
}
