package serial

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"sighub/carrier"
)

// TestHandedAnswers: signals that were handed on together end once, when all of them are answered and not before, with what
// was refused of them; answers may come in any portions. Losses do not count as readings that were taken.
func TestHandedAnswers(t *testing.T) {
	var a handedAnswers
	var ended []string
	expect := func(name string, n int, h handed) {
		h.left = n
		h.ended = func(h *handed) {
			text := fmt.Sprint(name, " ", h.taken)
			for _, r := range h.refusals {
				text += fmt.Sprint(" ", r.place, r.reply.Exception)
			}
			ended = append(ended, text)
		}
		a.expect(h)
	}
	check := func(want ...string) {
		t.Helper()
		if !slices.Equal(ended, want) {
			t.Fatalf("%q have ended, want %q", ended, want)
		}
		ended = nil
	}
	expect("a", 3, handed{})
	expect("b", 1, handed{})
	expect("c", 2, handed{})
	a.Done(2)
	check()
	a.Done(2) // the last of a, and b
	check("a 3", "b 1")
	a.Fail(carrier.Failed(errors.New("first")))
	check()
	a.Fail(carrier.Failed(errors.New("second")))
	check("c 0 0first 1second")
	expect("d", 2, handed{})
	expect("e", 2, handed{})
	a.Fail(carrier.Failed(errors.New("only")))
	a.Done(3)
	check("d 1 0only", "e 2")
	a.Done(5) // nothing is left
	a.Fail(carrier.Failed(errors.New("late")))
	check()
	expect("f", 4, handed{losses: []int{1, 3}})
	a.Done(3)
	a.Fail(carrier.Failed(errors.New("x")))
	check("f 2 3x")
}
