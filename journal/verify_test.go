package journal

import (
	"fmt"
	"testing"
	"testing/synctest"
)

// TestVerify: what is damaged is found, and nothing is changed.
func TestVerify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start(small)
		for i := range 40 {
			w.add(fmt.Sprintf("s n: %d", i))
			synctest.Wait()
		}
		w.stop()
		before := w.c.Count()
		r, err := VerifyFolder(w.c)
		if err != nil || !r.Sound() || !r.Clean || r.Events != 40 || r.Lost != 0 || len(r.Segments) != 4 {
			t.Errorf("a sound journal: %+v, %v", r, err)
		}
		w.c.Damage(r.Segments[1].Name, func(data []byte) { data[headSize+3*frameAlign+60] ^= 1 })
		w.c.Damage(r.Segments[2].Name, func(data []byte) { data[60] ^= 1 }) // one of the heads
		r, err = VerifyFolder(w.c)
		if err != nil || r.Sound() || r.Events != 39 || r.Lost != 1 || r.Segments[1].Damaged != 1 || r.Segments[2].Err != nil {
			t.Errorf("a frame is rotten: %+v, %v", r, err)
		}
		w.c.Damage(r.Segments[2].Name, func(data []byte) { data[frameAlign+60] ^= 1 })
		r, err = VerifyFolder(w.c)
		if err != nil || r.Sound() || r.Segments[2].Err == nil || r.Lost < 2 {
			t.Errorf("a head is rotten: %+v, %v", r, err)
		}
		if w.c.Count() != before {
			t.Error("the folder was changed")
		}
	})
}
