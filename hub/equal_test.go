package hub

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestEquals: however many listeners a client has, it is known how many hear the same.
func TestEquals(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	c := &client{listeners: make(map[uint64]*Listener)}
	want := make(map[subscription]int)
	for id := range uint64(2000) {
		if most := 3 * few * int(id/500%2+1) / 2; len(c.listeners) >= most || len(c.listeners) > 0 && rng.IntN(3) == 0 {
			gone := c.listeners[slices.Sorted(maps.Keys(c.listeners))[rng.IntN(len(c.listeners))]]
			if !c.let(gone) || c.let(gone) || c.let(nil) {
				t.Fatal("a listener does not go once")
			}
			want[gone.subscription()]--
		} else {
			l := &Listener{id: id, sender: string(rune('a' + rng.IntN(3))), event: "e"}
			c.keep(l)
			want[l.subscription()]++
		}
		for s, n := range want {
			if got := c.equals(s); got != n {
				t.Fatalf("step %d: %d of %d listeners hear %v, want %d", id, got, len(c.listeners), s, n)
			}
		}
	}
	if c.equal == nil {
		t.Error("there were never many")
	}
}
