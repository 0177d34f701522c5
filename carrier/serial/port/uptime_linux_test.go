package port

import (
	"testing"
	"time"
)

// TestUptime: the machine has run for a while, and goes on as time.Now does; another reading of both clocks gives the same.
func TestUptime(t *testing.T) {
	machine, at := Uptime()
	again, alsoAt := Uptime()
	if machine == 0 || machine != again {
		t.Errorf("this start of the machine is %x, then %x", machine, again)
	}
	now := time.Now()
	up := at(now)
	if up <= 0 || at(now.Add(time.Second))-up != time.Second {
		t.Errorf("the machine has run for %v, then for %v", up, at(now.Add(time.Second)))
	}
	if off := (alsoAt(now) - up).Abs(); off > 10*time.Millisecond {
		t.Errorf("two readings of the clock are %v apart", off)
	}
}
