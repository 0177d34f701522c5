package mqtt

import (
	"math/rand/v2"
	"testing"

	"sighub/carrier"
)

// TestFlight: answers come in the order of the signals, each once, whatever the order in which they are known.
func TestFlight(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var f flight
	f.head, f.tail, f.taken, f.written = ids-20, ids-20, ids-20, ids-20 // identifiers begin again soon
	first := f.head
	type one struct {
		id     uint16
		slot   slot
		done   bool
		failed bool
	}
	var all []one
	told, failures := 0, 0
	check := func() {
		for a := f.next(); a.n > 0; a = f.next() {
			for range a.n {
				o := all[told]
				if !o.done && (o.slot != inWriting || f.written <= first+uint64(told)) {
					t.Fatalf("signal %d is answered, and it is not known", told)
				}
				if (a.failed != nil) != o.failed {
					t.Fatalf("signal %d: failed is %t", told, a.failed != nil)
				}
				if told++; o.failed {
					failures++
				}
			}
		}
		if f.waiting() != len(all)-told {
			t.Fatalf("%d wait, of %d", f.waiting(), len(all)-told)
		}
	}
	for range 20000 {
		switch rnd.IntN(5) {
		case 0, 1:
			s := slot(rnd.IntN(3))
			all = append(all, one{id: f.put(s), slot: s, done: s == landed})
		case 2:
			f.taken = f.tail
		case 3:
			f.written = f.taken
		default:
			if told == len(all) {
				continue
			}
			i := told + rnd.IntN(len(all)-told)
			o := &all[i]
			var failed *carrier.Reply
			if rnd.IntN(4) == 0 {
				failed = &carrier.Reply{Status: carrier.StatusFailed}
			}
			want := o.slot == inTransit && !o.done && first+uint64(i) < f.taken
			if got := f.acknowledged(o.id, failed); got != want {
				t.Fatalf("signal %d (%d): acknowledged %t, want %t", i, o.id, got, want)
			}
			if want {
				o.done, o.failed = true, failed != nil
			}
		}
		check()
	}
	if failures == 0 || len(f.failed) > f.waiting() {
		t.Error("nothing has failed, or it is remembered for too long")
	}
	if f.acknowledged(0, nil) {
		t.Error("the identifier 0")
	}
}
