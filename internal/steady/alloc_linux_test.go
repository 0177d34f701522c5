//go:build !race

// The race detector makes sync.Pool forget at random: allocations are counted without.

package steady

import "testing"

// TestTryAllocatesNothing: a function of Try makes nothing for each write, and writes nothing to a socket that is closed.
func TestTryAllocatesNothing(t *testing.T) {
	near, _, below := sockets(t)
	try := Try(near.Below())
	one := []byte{1}
	if n := testing.AllocsPerRun(100, func() {
		if n, err := try(one); n != 1 || err != nil {
			t.Error(n, err)
		}
	}); n > 0 {
		t.Errorf("%g allocations", n)
	}
	_ = below.Close()
	_ = near.Below().Close()
	if n, err := try(one); n != 0 || err != nil {
		t.Errorf("to a closed socket: %d, %v", n, err)
	}
}
