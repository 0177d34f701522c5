package costs

import (
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The clock of a process advances while it works, and hardly while it sleeps.
func TestCPU(t *testing.T) {
	before, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		after, err := CPU(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if after-before > 20*time.Millisecond {
			break
		}
	}
	sleeper := exec.Command("sleep", "60")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = sleeper.Process.Kill()
		_ = sleeper.Wait()
	}()
	if took, err := CPU(sleeper.Process.Pid); err != nil || took > time.Second {
		t.Errorf("a process that sleeps has used %s, %v", took, err)
	}
	if _, err := CPU(1 << 22); err == nil {
		t.Error("a process that is not there has used processor time")
	}
}

// System calls are counted, of threads that start later as well.
func TestCounter(t *testing.T) {
	c, err := Count(os.Getpid())
	if unavailable := Available(); unavailable != nil { // as it may be for those who are not root
		if err == nil {
			t.Errorf("something is counted, although: %v", unavailable)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const (
		threads = 50
		calls   = 200 * threads
	)
	before, err := c.Counts()
	if err != nil {
		t.Fatal(err)
	}
	var ready, all sync.WaitGroup
	ready.Add(threads)
	for range threads {
		all.Go(func() {
			runtime.LockOSThread() // and never unlocks, so each has a thread of its own, at once
			ready.Done()
			ready.Wait()
			for range calls / threads {
				_, _ = unix.Getpriority(unix.PRIO_PROCESS, 0) // it does nothing
			}
		})
	}
	all.Wait()
	after, err := c.Counts()
	if err != nil {
		t.Fatal(err)
	}
	if n := after.Calls - before.Calls; n < calls || n > 2*calls {
		t.Errorf("%d system calls are counted of %d", n, calls)
	}
}
