package nowait

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// pair returns two sockets that are connected and do not block.
func pair(t *testing.T) (a, b int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, fd := range fds {
			_ = unix.Close(fd) // a test may have closed one
		}
	})
	return fds[0], fds[1]
}

// TestAsUnix: whether the scheduler is told of a call or not, its results are those of package unix.
func TestAsUnix(t *testing.T) {
	for range 2 * watchedEvery {
		a, b := pair(t)
		buf := make([]byte, 8)
		if n, err := Read(b, buf); n != -1 || !errors.Is(err, unix.EAGAIN) {
			t.Fatalf("nothing there: %d, %v", n, err)
		}
		if n, err := Write(a, []byte("hello")); n != 5 || err != nil {
			t.Fatalf("write: %d, %v", n, err)
		}
		if n, err := Read(b, buf); n != 5 || err != nil || !bytes.Equal(buf[:n], []byte("hello")) {
			t.Fatalf("read: %q, %v", buf[:max(n, 0)], err)
		}
		for _, do := range []func(int, []byte) (int, error){Read, Write} {
			if n, err := do(a, nil); n > 0 || err != nil && !errors.Is(err, unix.EAGAIN) {
				t.Fatalf("no bytes: %d, %v", n, err)
			}
			if n, err := do(-1, buf); n != -1 || !errors.Is(err, unix.EBADF) {
				t.Fatalf("no socket: %d, %v", n, err)
			}
		}
		if err := unix.Close(b); err != nil {
			t.Fatal(err)
		}
		if n, err := Read(a, buf); n != 0 || err != nil {
			t.Fatalf("the end: %d, %v", n, err)
		}
		if n, err := Write(a, buf); n != -1 || !errors.Is(err, unix.EPIPE) {
			t.Fatalf("nobody reads: %d, %v", n, err)
		}
	}
}

// TestFull: what a socket takes is written, and the rest is not waited for.
func TestFull(t *testing.T) {
	a, _ := pair(t)
	for range 10_000 {
		n, err := Write(a, make([]byte, 4096))
		switch {
		case errors.Is(err, unix.EAGAIN):
			return
		case err != nil:
			t.Fatal(n, err)
		}
	}
	t.Error("a socket that nobody reads from takes everything")
}

// TestWatched: the scheduler is told of one call of watchedEvery, whoever makes them; and of each where one goroutine runs at a time.
func TestWatched(t *testing.T) {
	for _, c := range []struct{ processors, want int }{{2, 10}, {1, 10 * watchedEvery}, {2, 10}} {
		t.Run(fmt.Sprint(c.processors), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(c.processors))
			for range watchedEvery { // until the number is noticed
				watched()
			}
			n := 0
			for range 10 * watchedEvery {
				if watched() {
					n++
				}
			}
			if n != c.want {
				t.Errorf("%d of %d calls are watched, want %d", n, 10*watchedEvery, c.want)
			}
		})
	}
}

// TestInOrder: what happened before a write happens before the read of it, also in the eyes of the race detector.
func TestInOrder(t *testing.T) {
	a, b := pair(t)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	until := func(do func(int, []byte) (int, error), fd int, ready int16) {
		for {
			switch _, err := do(fd, make([]byte, 1)); {
			case err == nil:
				return
			case !errors.Is(err, unix.EAGAIN):
				t.Error(err)
				return
			}
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: ready}}, -1) //nolint:gosec // a descriptor; it may be interrupted
		}
	}
	const rounds = 2000
	shared := 0
	var other sync.WaitGroup
	other.Go(func() {
		for range rounds {
			until(Read, b, unix.POLLIN)
			shared++
			until(Write, b, unix.POLLOUT)
		}
	})
	for range rounds {
		shared++
		until(Write, a, unix.POLLOUT)
		until(Read, a, unix.POLLIN)
	}
	other.Wait()
	if shared != 2*rounds {
		t.Errorf("%d, want %d", shared, 2*rounds)
	}
}

// TestBlocking: a call that the scheduler is not told of does not wait, not even at a socket that would have it do so.
func TestBlocking(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	a, b := pair(t)
	calls.Store(watchedEvery - 1)
	watched() // sees that several goroutines may run at a time
	calls.Store(0)
	for _, fd := range []int{a, b} {
		if err := unix.SetNonblock(fd, false); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := Read(b, make([]byte, 1)); n != -1 || !errors.Is(err, unix.EAGAIN) {
		t.Fatalf("nothing there: %d, %v", n, err)
	}
	for calls.Load() < watchedEvery-1 {
		if _, err := Write(a, make([]byte, long-1)); errors.Is(err, unix.EAGAIN) {
			return
		}
	}
	t.Error("a socket that nobody reads from takes everything")
}

// TestLong: the scheduler is told of what is long.
func TestLong(t *testing.T) {
	a, b := pair(t)
	before := calls.Load()
	if n, err := Write(a, make([]byte, long)); n != long || err != nil {
		t.Fatal(n, err)
	}
	if n, err := Read(b, make([]byte, long)); n != long || err != nil {
		t.Fatal(n, err)
	}
	if n := calls.Load() - before; n != 0 {
		t.Errorf("the scheduler may not be told of %d long calls", n)
	}
}
