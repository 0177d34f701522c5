package carrier

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// fill takes as much as it gets, in steps, and returns how much that is and why there is no more.
func fill(a *Account, step int) (taken int64, err error) {
	for err == nil {
		err = a.Take(step)
	}
	return a.Used(), err
}

// TestBudgetShares: one client gets a quarter at most, one place half, all together never everything, and the error says which
// limit it is.
func TestBudgetShares(t *testing.T) {
	const size = 64 << 20
	b := NewBudget(size)
	one, err := fill(b.Open("here"), 1000)
	if one > size/4+AccountFloor || one < size/5 || !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), "this client") {
		t.Errorf("one client: %d, %v", one, err)
	}
	here := one
	for range 100 {
		var n int64
		n, err = fill(b.Open("here"), 1000)
		here += n
	}
	if here > size/2+101*AccountFloor || here < size/3 || !strings.Contains(err.Error(), "clients at here") {
		t.Errorf("a place: %d, %v", here, err)
	}
	all := here
	for i := range 1000 {
		var n int64
		n, err = fill(b.Open(fmt.Sprint(i)), 1000)
		all += n
	}
	if all > size || all < size*8/10 || !strings.Contains(err.Error(), "all its clients") {
		t.Errorf("all: %d, %v", all, err)
	}
	if b.Used() > size {
		t.Errorf("%d bytes are reserved of %d", b.Used(), size)
	}
}

// TestBudgetLeavesSome: one who wants little gets it, however many want all they can get, at the same place and at others.
func TestBudgetLeavesSome(t *testing.T) {
	for _, greedy := range []int{1, 10, 100, 1000} {
		b := NewBudget(0)
		for i := range greedy {
			_, _ = fill(b.Open("here"), 1<<10)
			_, _ = fill(b.Open(fmt.Sprint("there ", i/10)), 1<<10)
		}
		for at, size := range map[string]int{"here": AccountFloor, "elsewhere": 4 * AccountFloor} {
			if greedy > 100 {
				size = AccountFloor
			}
			if err := b.Open(at).Take(size); err != nil {
				t.Errorf("%s, beside %d: %v", at, greedy, err)
			}
		}
	}
}

// TestBudgetFloor: who holds something already can still take a little when its place has nothing left, again and again, but no
// more than that.
func TestBudgetFloor(t *testing.T) {
	b := NewBudget(0)
	a := b.Open("here")
	if err := a.Take(100_000); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		_, _ = fill(b.Open("here"), 1<<10)
	}
	for range 100 {
		if err := a.Take(AccountFloor / 2); err != nil {
			t.Fatal(err)
		}
		a.Give(AccountFloor / 2)
	}
	if got, err := fill(a, 100); err == nil || got > 100_000+100_000/4+2*AccountFloor {
		t.Errorf("it has %d bytes, %v", got, err)
	}
}

// TestBudgetReturns: what is given back, or whose client has gone, can be taken again to the last byte.
func TestBudgetReturns(t *testing.T) {
	b := NewBudget(1 << 20)
	a := b.Open("x")
	want, _ := fill(a, 100)
	a.Give(int(want))
	if a.Used() != 0 || b.Used() > 4*accountStep {
		t.Errorf("after Give: %d, %d reserved", a.Used(), b.Used())
	}
	if got, _ := fill(a, 100); got != want {
		t.Errorf("again: %d, not %d", got, want)
	}
	a.Close()
	a.Give(100)
	a.Close()
	if b.Used() != 0 || len(b.places) != 0 {
		t.Errorf("after Close: %d reserved, %d places", b.Used(), len(b.places))
	}
	if err := a.Take(2 << 20); err != nil || b.Used() != 0 {
		t.Errorf("taken after Close: %v, %d reserved", err, b.Used())
	}
	shared := b.Open("x")
	shared.Share()
	_ = shared.Take(1000)
	shared.Close()
	if held := b.Used(); held < 1000 {
		t.Errorf("the account is shared, and %d reserved", held)
	}
	shared.Close()
	if b.Used() != 0 || len(b.places) != 0 {
		t.Errorf("after the last Close: %d reserved, %d places", b.Used(), len(b.places))
	}
	var none *Account
	if err := none.Take(1 << 30); err != nil {
		t.Error(err)
	}
	none.Give(1 << 30)
	none.Share()
	none.Close()
}

// TestBudgetRandom: whatever is taken and given, what is taken is reserved, what is reserved is bounded, and nothing is left
// over.
func TestBudgetRandom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const size = 1 << 20
		b := NewBudget(size)
		accounts := make([]*Account, 5)
		held := make([][]int, len(accounts))
		for i := range accounts {
			accounts[i] = b.Open(fmt.Sprint(i / 2))
		}
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			i := rapid.IntRange(0, len(accounts)-1).Draw(t, "account")
			a := accounts[i]
			if len(held[i]) > 0 && rapid.Bool().Draw(t, "give") {
				a.Give(held[i][0])
				held[i] = held[i][1:]
			} else if n := rapid.IntRange(0, size/3).Draw(t, "bytes"); a.Take(n) == nil {
				held[i] = append(held[i], n)
			}
			var sum, reserved int64
			for _, n := range held[i] {
				sum += int64(n)
			}
			for _, a := range accounts {
				reserved += a.has.Load()
			}
			if a.Used() != sum || a.has.Load() < sum || a.has.Load() > size/4+AccountFloor || reserved != b.Used() || reserved > size {
				t.Fatalf("%d taken, %d used, %d reserved; in all %d, %d", sum, a.Used(), a.has.Load(), reserved, b.Used())
			}
		}
		for _, a := range accounts {
			a.Close()
		}
		if b.Used() != 0 {
			t.Fatalf("%d are left over", b.Used())
		}
	})
}

// TestBudgetConcurrent: the same by many at once.
func TestBudgetConcurrent(t *testing.T) {
	b := NewBudget(1 << 20)
	var all sync.WaitGroup
	accounts := []*Account{b.Open("x"), b.Open("x"), b.Open("y")}
	for i := range 12 {
		all.Go(func() {
			a := accounts[i%len(accounts)]
			for n := range 20_000 {
				if size := 1 + (n*7919+i)%5000; a.Take(size) == nil {
					a.Give(size)
				}
			}
		})
	}
	all.Wait()
	for _, a := range accounts {
		if a.Used() != 0 || a.has.Load() > 4*accountStep {
			t.Errorf("%d used, %d reserved", a.Used(), a.has.Load())
		}
		a.Close()
	}
	if b.Used() != 0 {
		t.Errorf("%d are left over", b.Used())
	}
}

func BenchmarkAccount(b *testing.B) {
	a := NewBudget(0).Open("x")
	b.ReportAllocs()
	for b.Loop() {
		_ = a.Take(100)
		a.Give(100)
	}
}

// TestBudgetLeft: what is left is taken for more than it is, because the part of each shrinks, but ends when nothing can be taken.
func TestBudgetLeft(t *testing.T) {
	b := NewBudget(1 << 20)
	a := b.Open("x")
	before := a.Left()
	for a.Take(1000) == nil {
		if left := a.Left(); left >= before {
			t.Fatalf("with %d bytes taken, %d are left, and %d before", a.Used(), left, before)
		}
		before = a.Left()
	}
	if used := a.Used(); before > used/20 {
		t.Errorf("with %d bytes taken, no more can be, and %d are left", used, before)
	}
	a.Give(int(a.Used()) / 2)
	if left := a.Left(); left < a.Used()/2 {
		t.Errorf("when half is given back, %d are left", left)
	}
	if left := (*Account)(nil).Left(); left < 1<<62 {
		t.Errorf("without an account, %d are left", left)
	}
}

// TestBudgetPart: the part of an account is what is left, divided by how many accounts the place has, unless they hold little.
func TestBudgetPart(t *testing.T) {
	b := NewBudget(1 << 20)
	a := b.Open("x")
	if a.Part() != a.Left() {
		t.Errorf("alone, the part is %d of %d", a.Part(), a.Left())
	}
	others := []*Account{b.Open("x"), b.Open("x"), b.Open("x"), b.Open("y")}
	_ = others[3].Take(1 << 18)
	if a.Part() != a.Left() {
		t.Errorf("the part is %d of %d while the place holds nothing", a.Part(), a.Left())
	}
	_ = others[0].Take(1 << 20 / littleUsed)
	if got, want := a.Part(), a.Left()/4; got != want {
		t.Errorf("of four, the part is %d, want %d", got, want)
	}
	for _, o := range others {
		o.Close()
	}
	if a.Part() != a.Left() {
		t.Errorf("alone again, the part is %d of %d", a.Part(), a.Left())
	}
	if a.Close(); a.Part() != a.Left() {
		t.Errorf("closed, the part is %d of %d", a.Part(), a.Left())
	}
	if part := (*Account)(nil).Part(); part < 1<<62 {
		t.Errorf("without an account, the part is %d", part)
	}
}
