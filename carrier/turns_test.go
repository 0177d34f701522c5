package carrier

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestTakeTurn: those with much to do go on one after another, in the order in which they came; those with little go on beside them.
func TestTakeTurn(t *testing.T) {
	usual := turns
	defer func() { turns = usual }()
	synctest.Test(t, func(t *testing.T) {
		turns = make(chan struct{}, 2) // whose time is the test's
		var done []func()
		for range cap(turns) {
			done = append(done, TakeTurn(largeTurn))
		}
		before := Turns()
		TakeTurn(largeTurn - 1)()
		var order []int // one at a time appends, for all others wait
		var all sync.WaitGroup
		for i := range 5 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * time.Second)
				end := TakeTurn(1 << 20)
				order = append(order, i)
				end()
			})
		}
		time.Sleep(time.Minute)
		if len(order) > 0 {
			t.Errorf("%d go on although %d do", order, len(done))
		}
		done[0]()
		all.Wait()
		if want := []int{0, 1, 2, 3, 4}; !slices.Equal(order, want) {
			t.Errorf("they went on in the order %d", order)
		}
		if n := Turns() - before; n != 5 {
			t.Errorf("%d turns were taken, not 5", n)
		}
		if done[1](); len(turns) > 0 {
			t.Errorf("%d turns are not over", len(turns))
		}
	})
}

// TestFieldsTakeTurns: to find the parts of a large message takes turns, which are over when its receiver is called.
func TestFieldsTakeTurns(t *testing.T) {
	large := strings.Repeat("x", 2*largeTurn)
	for _, c := range []Codec{JSON, LegacyJSON, CBOR, CBORText} {
		raw, err := (&Message{Method: "m", Params: ValueOf(large)}).AppendTo(nil, c)
		if err != nil {
			t.Fatal(err)
		}
		before := Turns()
		err = RawValue(c, raw).Fields(func(key string, v Value) error {
			if len(turns) > 0 {
				t.Errorf("%s: %d have a turn while %s is handed on", c.Name(), len(turns), key)
			}
			return nil
		})
		if n := Turns() - before; err != nil || n < 2 {
			t.Errorf("%s: %d turns, %v", c.Name(), n, err)
		}
	}
}
