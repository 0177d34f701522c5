package costs

import (
	"os"
	"os/exec"
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
	const calls = 10_000
	before, err := c.Counts()
	if err != nil {
		t.Fatal(err)
	}
	for range calls {
		_, _ = unix.Getpriority(unix.PRIO_PROCESS, 0) // it does nothing
	}
	after, err := c.Counts()
	if err != nil {
		t.Fatal(err)
	}
	if n := after.Calls - before.Calls; n < calls || n > 2*calls {
		t.Errorf("%d system calls are counted of %d", n, calls)
	}
}
