package serial

import (
	"errors"
	"slices"
	"testing"

	"sighub/carrier"
)

// TestHandedAnswers: signals that were handed on together end once, when all of them are answered and not before, and with
// their first failure; answers may come in any portions.
func TestHandedAnswers(t *testing.T) {
	var a handedAnswers
	var ended []string
	expect := func(name string, n int) {
		a.expect(n, func(r carrier.Reply) { ended = append(ended, name+" "+r.Exception) })
	}
	check := func(want ...string) {
		t.Helper()
		if !slices.Equal(ended, want) {
			t.Fatalf("%q have ended, want %q", ended, want)
		}
		ended = nil
	}
	expect("a", 3)
	expect("b", 1)
	expect("c", 2)
	a.Done(2)
	check()
	a.Done(2) // the last of a, and b
	check("a ", "b ")
	a.Fail(carrier.Failed(errors.New("first")))
	check()
	a.Fail(carrier.Failed(errors.New("second")))
	check("c first")
	expect("d", 2)
	expect("e", 2)
	a.Fail(carrier.Failed(errors.New("only")))
	a.Done(3)
	check("d only", "e ")
	a.Done(5) // nothing is left
	a.Fail(carrier.Failed(errors.New("late")))
	check()
	expect("f", 1)
	a.Done(1)
	check("f ")
}
