package attempts

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func addr(n int) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], 10<<24|uint32(n))
	return netip.AddrFrom4(b)
}

// begin makes an attempt that fails, if it may.
func begin(l *Limiter, a netip.Addr) (wait time.Duration) {
	at, wait := l.Begin(a)
	if wait == 0 && at.limiter == nil && a.IsValid() {
		panic("an attempt counts nothing")
	}
	return wait
}

// TestPace: five failures at once, then ever slower up to the bound, and as good as new afterwards.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Limiter
		a := addr(1)
		for i := range Burst {
			if wait := begin(&l, a); wait != 0 {
				t.Fatalf("attempt %d waits %s", i, wait)
			}
		}
		want := Interval
		for range 12 {
			wait := begin(&l, a)
			if wait != want || l.Waits(a) != want {
				t.Fatalf("it waits %s, want %s", wait, want)
			}
			time.Sleep(wait - time.Nanosecond)
			if begin(&l, a) == 0 {
				t.Fatal("it may try too early")
			}
			time.Sleep(time.Nanosecond)
			if wait := begin(&l, a); wait != 0 {
				t.Fatalf("it waits another %s", wait)
			}
			want = min(2*want, Slowest)
		}
		time.Sleep(Forget)
		for range Burst {
			if wait := begin(&l, a); wait != 0 {
				t.Fatalf("after an hour it waits %s", wait)
			}
		}
		if begin(&l, a) == 0 {
			t.Error("more than a burst")
		}
	})
}

// TestManyForgotten: each of many is as good as new after an hour, whoever of them comes first.
func TestManyForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Limiter
		const many = 20
		for n := range many {
			for range Burst {
				begin(&l, addr(n))
			}
			time.Sleep(Interval)
		}
		for range 100 {
			l.Failed(addr(many - 1))
		}
		time.Sleep(Forget)
		for i := range Burst {
			if wait := begin(&l, addr(many-1)); wait != 0 {
				t.Fatalf("attempt %d waits %s", i, wait)
			}
		}
	})
}

// TestSlowAttempts: who fails five times a minute is not slowed down.
func TestSlowAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Limiter
		for i := range 100 {
			if wait := begin(&l, addr(1)); wait != 0 {
				t.Fatalf("attempt %d waits %s", i, wait)
			}
			time.Sleep(Interval)
		}
	})
}

// TestSuccess: logins that succeed cost nothing, and do not make up for failures.
func TestSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Limiter
		a := addr(1)
		for range 100 {
			at, wait := l.Begin(a)
			if wait != 0 {
				t.Fatal("a good client waits")
			}
			at.Succeeded()
		}
		if l.Len() != 0 {
			t.Error("a good client is remembered")
		}
		failures := 0
		for range 100 { // guesses, with good logins in between
			if begin(&l, a) == 0 {
				failures++
			}
			if at, wait := l.Begin(a); wait == 0 {
				at.Succeeded()
			}
		}
		if failures != Burst {
			t.Errorf("%d guesses", failures)
		}
		at, wait := l.Begin(a)
		for wait != 0 {
			time.Sleep(wait)
			at, wait = l.Begin(a)
		}
		begin(&l, a) // it is refused, and does not change what the success takes back
		at.Succeeded()
		if wait := begin(&l, a); wait != 0 {
			t.Errorf("the success was not taken back: %s", wait)
		}
		if wait := begin(&l, a); wait != 2*Interval {
			t.Errorf("the success has left a wait of %s", wait)
		}
	})
}

// TestCrowd: ten thousand addresses that fail at once slow down only themselves, and a good client not for a moment.
func TestCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Limiter
		const crowd = 10_000
		var tries atomic.Int64
		var wg sync.WaitGroup
		for n := range crowd {
			wg.Go(func() {
				for range 20 {
					if wait := begin(&l, addr(n)); wait == 0 {
						tries.Add(1)
					} else {
						time.Sleep(5 * time.Second)
					}
				}
			})
		}
		good := netip.MustParseAddr("192.168.1.1")
		for range 1000 {
			at, wait := l.Begin(good)
			if wait != 0 {
				t.Errorf("a good client waits %s", wait)
			}
			at.Succeeded()
			time.Sleep(70 * time.Millisecond)
		}
		wg.Wait()
		// 15 waits of 5 s each take 75 s: the attempts after 12, 36 and 84 s are in that time for none, or two.
		if got := tries.Load(); got < crowd*Burst || got > crowd*(Burst+3) {
			t.Errorf("%d attempts of %d addresses", got, crowd)
		}
		if l.Len() != crowd {
			t.Errorf("%d addresses are remembered", l.Len())
		}
	})
}

// TestMillions: what is remembered is bounded, and who is forgotten is the one that tried longest ago.
func TestMillions(t *testing.T) {
	l := Limiter{Addresses: 1000}
	stubborn := netip.MustParseAddr("192.168.1.1")
	for n := range 1_000_000 {
		begin(&l, addr(n))
		if n%500 == 0 {
			begin(&l, stubborn)
		}
	}
	if l.Len() != 1000 || len(l.byAddr) != 1000 {
		t.Errorf("%d addresses", l.Len())
	}
	if begin(&l, stubborn) == 0 {
		t.Error("whoever goes on is forgotten in the crowd")
	}
}

// TestAddresses: which addresses are one.
func TestAddresses(t *testing.T) {
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{"192.168.1.1", "::ffff:192.168.1.1", true}, {"192.168.1.1", "192.168.1.2", false}, {"2001:db8::1", "2001:db8::ffff:1", true},
		{"2001:db8::1", "2001:db8:0:1::1", false}, {"fe80::1%eth0", "fe80::2%eth1", true},
	} {
		var l Limiter
		for range Burst {
			begin(&l, netip.MustParseAddr(test.a))
		}
		if got := begin(&l, netip.MustParseAddr(test.b)) > 0; got != test.same {
			t.Errorf("%s and %s: %v", test.a, test.b, got)
		}
	}
	var l Limiter
	for range 100 {
		if begin(&l, netip.Addr{}) != 0 {
			t.Fatal("a Unix socket waits")
		}
		l.Failed(netip.Addr{})
	}
	if l.Len() != 0 {
		t.Error("no address is remembered")
	}
}

// TestFailed: failures that nobody was asked about count, and never make the wait longer than the bound.
func TestFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Limiter
		for range 1000 {
			l.Failed(addr(1))
			if wait := l.Waits(addr(1)); wait > 2*Slowest {
				t.Fatalf("it waits %s", wait)
			}
		}
		if begin(&l, addr(1)) == 0 {
			t.Error("it does not wait")
		}
	})
}

// TestNeverFaster: whatever somebody does, no more than the burst and one attempt each interval come through.
func TestNeverFaster(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(0, 0)
		l := Limiter{Now: func() time.Time { return now }}
		var passed []time.Time
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "seconds")) * time.Second)
			at, wait := l.Begin(addr(1))
			if wait < 0 || wait > Slowest {
				t.Fatalf("it waits %s", wait)
			}
			if wait > 0 {
				continue
			}
			if rapid.Bool().Draw(t, "right") {
				at.Succeeded()
				continue
			}
			passed = append(passed, now)
			if n := len(passed); n > Burst && passed[n-1].Sub(passed[n-1-Burst]) < Interval {
				t.Fatalf("%d attempts within %s", Burst+1, passed[n-1].Sub(passed[n-1-Burst]))
			}
		}
	})
}

func BenchmarkCrowd(b *testing.B) {
	var l Limiter
	n := 0
	for b.Loop() {
		begin(&l, addr(n))
		n++
	}
}
