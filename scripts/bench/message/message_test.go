package message

import (
	"math"
	"strconv"
	"testing"
	"time"
)

func TestWrite(t *testing.T) {
	for _, n := range []int{Least, Least + 1, Most, Usual} {
		if err := SetSize(n); err != nil {
			t.Fatal(err)
		}
		testWrite(t)
	}
	for _, n := range []int{-1, Least - 1, Most + 1} {
		if SetSize(n) == nil || Size != Usual {
			t.Errorf("a size of %d is taken", n)
		}
	}
}

func testWrite(t *testing.T) {
	t.Helper()
	p := make([]byte, Size)
	for _, v := range []uint32{0, 1, 0x12345678, math.MaxUint32} {
		at := time.Duration(v) * 1_000_003
		Write(p, v, ^v, at)
		sender, seq, got, ok := Read(p)
		if !ok || sender != v || seq != ^v || got != at {
			t.Errorf("%d comes back as %d, %d, %d, %t", v, sender, seq, got, ok)
		}
		if q := strconv.Quote(string(p)); q != `"`+string(p)+`"` {
			t.Errorf("%s is not plain text", q)
		}
	}
	if _, _, _, ok := Read(p[:Size-1]); ok {
		t.Errorf("%d bytes are read as %d", Size-1, Size)
	}
}

func FuzzRead(f *testing.F) {
	p := make([]byte, Size)
	Write(p, 1, 2, 3)
	f.Add(p)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, p []byte) {
		sender, seq, at, ok := Read(p)
		if !ok {
			return
		}
		q := make([]byte, Size)
		Write(q, sender, seq, at)
		if string(q) != string(p) {
			t.Errorf("%q is read as what is written %q", p, q)
		}
	})
}

// Clocks agree, whenever they were made: those of two processes do as well.
func TestClock(t *testing.T) {
	const near = 100 * time.Microsecond // they are far nearer, unless this test is interrupted
	var best time.Duration = math.MaxInt64
	for range 20 {
		a := NewClock()
		time.Sleep(time.Millisecond)
		b := NewClock()
		first, other, last := a.Now(), b.Now(), a.Now()
		if first > last {
			t.Fatalf("the clock goes back, from %s to %s", first, last)
		}
		best = min(best, max(first-other, other-last))
	}
	if best > near {
		t.Errorf("one clock is %s before the other", best)
	}
}
