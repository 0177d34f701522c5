package buffers

import "testing"

// TestPool: a buffer comes back empty, and a large one is not kept.
func TestPool(t *testing.T) {
	var p Pool
	small, large := make([]byte, 3, keep), make([]byte, 3, keep+1)
	for range 100 { // the pool of the standard library may forget what it is given
		p.Put(&small)
		p.Put(&large)
		if b := p.Get(); len(*b) != 0 || cap(*b) > keep {
			t.Fatalf("%d of %d bytes", len(*b), cap(*b))
		}
	}
}
