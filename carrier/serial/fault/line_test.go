package fault

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

var start = time.Unix(1e9, 0)

func newLine(t testing.TB, h Harm, seed uint64) *Line {
	t.Helper()
	l, err := NewLine(h, seed)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// carry sends data in chunks of random size, and returns what arrives, and when the last byte did.
func carry(t testing.TB, l *Line, data []byte, chunks *rand.Rand) ([]byte, time.Time) {
	t.Helper()
	var got []byte
	buf := make([]byte, 8192)
	now, last := start, start
	for steps := 0; ; steps++ {
		if steps > 10_000_000 {
			t.Fatalf("the line stands still: %d bytes are left to be sent", len(data))
		}
		var again time.Time
		if len(data) > 0 {
			var n int
			n, again = l.Send(now, data[:min(len(data), 1+chunks.IntN(700))])
			data = data[n:]
			if n > 0 {
				again = now
			}
		}
		n, next := l.Receive(now, buf[:1+chunks.IntN(len(buf))])
		got = append(got, buf[:n]...)
		if n > 0 {
			last = now
			continue
		}
		switch {
		case next.IsZero() && len(data) == 0:
			return got, last
		case again.IsZero() || !next.IsZero() && next.Before(again):
			again = next
		}
		if again.After(now) {
			now = again
		}
	}
}

// frames returns n frames of random bytes, each with a zero behind it.
func frames(n int, random *rand.Rand) []byte {
	var data []byte
	for range n {
		for range 5 + random.IntN(60) {
			data = append(data, byte(1+random.IntN(255)))
		}
		data = append(data, 0)
	}
	return data
}

func TestPerfectLine(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	data := frames(2000, random)
	got, last := carry(t, newLine(t, Harm{}, 1), data, random)
	if !bytes.Equal(got, data) || !last.Equal(start) {
		t.Errorf("%d of %d bytes arrived, the last after %s", len(got), len(data), last.Sub(start))
	}
}

var everything = Harm{Flip: 1e-3, Lose: 1e-3, Double: 1e-3, Insert: 1e-3, Drop: 0.01, Repeat: 0.02,
	Delay: Range{time.Millisecond, 20 * time.Millisecond}, Baud: 115200}

// TestSeed: the same seed does the same harm however the bytes are split, another seed does other harm.
func TestSeed(t *testing.T) {
	data := frames(2000, rand.New(rand.NewPCG(1, 1)))
	var first []byte
	var stats Stats
	for run := range uint64(4) {
		l := newLine(t, everything, 7)
		got, _ := carry(t, l, data, rand.New(rand.NewPCG(run, run)))
		if run == 0 {
			first, stats = got, l.Stats()
		}
		if !bytes.Equal(got, first) || l.Stats() != stats {
			t.Errorf("run %d differs: %v instead of %v", run, l.Stats(), stats)
		}
	}
	if bytes.Equal(first, data) {
		t.Error("no harm was done")
	}
	l := newLine(t, everything, 8)
	if got, _ := carry(t, l, data, rand.New(rand.NewPCG(0, 0))); bytes.Equal(got, first) {
		t.Error("another seed does the same harm")
	}
}

// TestStreams: one more kind of harm does not move where another strikes.
func TestStreams(t *testing.T) {
	data := frames(500, rand.New(rand.NewPCG(1, 1)))
	random := rand.New(rand.NewPCG(2, 2))
	flips, _ := carry(t, newLine(t, Harm{Flip: 1e-3}, 3), data, random)
	l := newLine(t, Harm{Flip: 1e-3, Double: 0.01}, 3)
	both, _ := carry(t, l, data, random)
	if l.Stats().Doubled == 0 {
		t.Fatal("nothing was doubled")
	}
	rest := both
	for i, b := range flips {
		if len(rest) == 0 || rest[0] != b {
			t.Fatalf("byte %d is not as without doubled bytes", i)
		}
		rest = rest[1:]
		if len(rest) > 0 && rest[0] == b && (i+1 == len(flips) || flips[i+1] != b) {
			rest = rest[1:]
		}
	}
}

// TestRates: each harm comes about as often as was asked for, and its count is true.
func TestRates(t *testing.T) {
	const asked = 0.01
	data := frames(6000, rand.New(rand.NewPCG(1, 1)))
	zeros := bytes.Count(data, []byte{0})
	for name, c := range map[string]struct {
		h     Harm
		count func(Stats) uint64
		of    int // chances
		more  func(Stats) int
	}{
		"flip":   {Harm{Flip: asked}, func(s Stats) uint64 { return s.Flipped }, 8 * len(data), func(Stats) int { return 0 }},
		"lose":   {Harm{Lose: asked}, func(s Stats) uint64 { return s.Lost }, len(data), func(s Stats) int { return -int(s.Lost) }},
		"double": {Harm{Double: asked}, func(s Stats) uint64 { return s.Doubled }, len(data), func(s Stats) int { return int(s.Doubled) }},
		"insert": {Harm{Insert: asked}, func(s Stats) uint64 { return s.Inserted }, len(data), func(s Stats) int { return int(s.Inserted) }},
		"drop":   {Harm{Drop: asked}, func(s Stats) uint64 { return s.Dropped }, zeros, nil},
		"repeat": {Harm{Repeat: asked}, func(s Stats) uint64 { return s.Repeated }, zeros, nil},
	} {
		l := newLine(t, c.h, 5)
		got, _ := carry(t, l, data, rand.New(rand.NewPCG(2, 2)))
		s := l.Stats()
		// Five standard deviations: with a fixed seed it is the code that is tested, not luck.
		mean := asked * float64(c.of)
		if n := float64(c.count(s)); math.Abs(n-mean) > 5*math.Sqrt(mean) {
			t.Errorf("%s: %v of %d, instead of about %.0f", name, n, c.of, mean)
		}
		if c.more != nil && len(got)-len(data) != c.more(s) {
			t.Errorf("%s: %d bytes of %d arrived, but %v", name, len(got), len(data), s)
		}
		if s.Bytes != uint64(len(data)) || s.Frames != uint64(zeros) {
			t.Errorf("%s: %v, instead of %d bytes and %d frames", name, s, len(data), zeros)
		}
		if name == "flip" {
			flipped := 0
			for i := range data {
				for d := data[i] ^ got[i]; d != 0; d &= d - 1 {
					flipped++
				}
			}
			if uint64(flipped) != s.Flipped {
				t.Errorf("%d bits are flipped, not %d", flipped, s.Flipped)
			}
		}
	}
}

// TestFrames: frames vanish and come twice as a whole.
func TestFrames(t *testing.T) {
	data := frames(1000, rand.New(rand.NewPCG(1, 1)))
	l := newLine(t, Harm{Drop: 0.1, Repeat: 0.1}, 5)
	got, _ := carry(t, l, data, rand.New(rand.NewPCG(2, 2)))
	arrived := bytes.Split(got, []byte{0})
	var dropped, repeated uint64
	for sent := range bytes.SplitSeq(bytes.TrimSuffix(data, []byte{0}), []byte{0}) {
		switch {
		case len(arrived[0]) == 0:
			dropped++
		case !bytes.Equal(arrived[0], sent):
			t.Fatalf("% x arrives as % x", sent, arrived[0])
		case bytes.Equal(arrived[1], sent):
			repeated++
			arrived = arrived[1:]
		}
		arrived = arrived[1:]
	}
	if s := l.Stats(); len(arrived) != 1 || dropped != s.Dropped || repeated != s.Repeated || dropped*repeated == 0 {
		t.Errorf("%d dropped, %d repeated, %d are left over, but %v", dropped, repeated, len(arrived)-1, s)
	}
	// What is too long to be kept comes once.
	l = newLine(t, Harm{Repeat: 1}, 5)
	long := append(bytes.Repeat([]byte{1}, maxRepeat+1), 0)
	if got, _ := carry(t, l, long, rand.New(rand.NewPCG(2, 2))); !bytes.Equal(got, long) {
		t.Errorf("%d bytes arrived of %d", len(got), len(long))
	}
}

// TestPace: ten bits a byte, exact over a long time; what is lost takes its time as well.
func TestPace(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for _, baud := range []int{9600, 115200, 1_000_000} {
		for _, h := range []Harm{{Baud: baud}, {Baud: baud, Drop: 0.5}, {Baud: baud, Insert: 0.1, Double: 0.1, Repeat: 0.1}} {
			l := newLine(t, h, 1)
			data := frames(2000, random)
			got, last := carry(t, l, data, random)
			n := len(got)
			if h.Drop > 0 {
				n = len(data)
			}
			want := time.Duration(math.Ceil(float64(n) * 10e9 / float64(baud)))
			if d := last.Sub(start) - want; d < -time.Nanosecond || d > time.Nanosecond {
				t.Errorf("%+v: %d bytes took %s, instead of %s", h, n, last.Sub(start), want)
			}
		}
	}
}

// TestPaceAfterSilence: an idle line saves nothing up.
func TestPaceAfterSilence(t *testing.T) {
	l := newLine(t, Harm{Baud: 10_000}, 1) // 1 ms each
	buf := make([]byte, 16)
	now := start
	for range 3 {
		now = now.Add(time.Hour)
		l.Send(now, []byte("abc"))
		for i := range 3 {
			n, next := l.Receive(now, buf)
			if due := now.Add(time.Millisecond); n != min(i, 1) || !next.Equal(due) {
				t.Fatalf("%d bytes; the next is due in %s, instead of 1 ms", n, next.Sub(now))
			}
			now = next
		}
		if n, next := l.Receive(now, buf); n != 1 || !next.IsZero() {
			t.Fatalf("%d bytes; the next is due at %s", n, next)
		}
	}
}

func TestDelay(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	l := newLine(t, Harm{Delay: Range{5 * time.Millisecond, 50 * time.Millisecond}}, 1)
	now := start
	buf := make([]byte, 100)
	var least, most time.Duration = time.Hour, 0
	for i := range 2000 {
		frame := append(bytes.Repeat([]byte{byte(1 + i%255)}, 1+random.IntN(50)), 0)
		sent := now
		if n, _ := l.Send(now, frame); n != len(frame) {
			t.Fatal("no room")
		}
		var got []byte
		for len(got) < len(frame) {
			n, next := l.Receive(now, buf)
			if got = append(got, buf[:n]...); n == 0 {
				now = next
			}
		}
		if !bytes.Equal(got, frame) {
			t.Fatalf("% x instead of % x", got, frame)
		}
		least, most = min(least, now.Sub(sent)), max(most, now.Sub(sent))
	}
	if least < 5*time.Millisecond || least > 6*time.Millisecond || most > 50*time.Millisecond || most < 49*time.Millisecond {
		t.Errorf("delays from %s to %s, instead of 5 to 50 ms", least, most)
	}
	// Many frames at once are late by different times, and stay in order.
	data := frames(3000, random)
	if got, _ := carry(t, newLine(t, l.harm, 1), data, random); !bytes.Equal(got, data) {
		t.Error("the order has changed")
	}
}

// TestBackpressure: a line that nobody reads takes no more than its buffers hold, and loses nothing of it.
func TestBackpressure(t *testing.T) {
	data := bytes.Repeat([]byte{1, 2, 3, 0}, 20000)
	for name, h := range map[string]Harm{"fast": {}, "slow": {Baud: 1_000_000}, "late": {Delay: Range{0, time.Second}}} {
		l := newLine(t, h, 1)
		now, sent := start, 0
		for range 1000 {
			n, again := l.Send(now, data[sent:])
			if sent += n; n == 0 && again.IsZero() {
				break
			}
			now = now.Add(10 * time.Millisecond)
		}
		most := 2 * bufferSize
		if name == "late" {
			most += maxFlight
		}
		if sent > most || sent < most-stepSize {
			t.Errorf("%s: it took %d bytes, not %d", name, sent, most)
		}
		got, _ := carry(t, l, data[sent:], rand.New(rand.NewPCG(1, 1)))
		if !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes of %d arrived", name, len(got), len(data))
		}
	}
}

// TestStall: a transmitter that had to wait goes on at its rate, and does not make up for the time.
func TestStall(t *testing.T) {
	l := newLine(t, Harm{Baud: 10_000}, 1) // 1 ms each
	now := start
	for range 2 {
		if n, _ := l.Send(now, make([]byte, bufferSize)); n < bufferSize-stepSize {
			t.Fatalf("room for %d bytes", n)
		}
		now = now.Add(time.Hour)
	}
	buf := make([]byte, 2*bufferSize)
	n, next := l.Receive(now, buf)
	if n > bufferSize || !next.Equal(now.Add(time.Millisecond)) {
		t.Errorf("%d bytes at once, the next in %s", n, next.Sub(now))
	}
	now = now.Add(100 * time.Millisecond)
	if n, _ := l.Receive(now, buf); n != 100 {
		t.Errorf("%d bytes in 100 ms", n)
	}
}

func TestLineCut(t *testing.T) {
	l := newLine(t, Harm{Baud: 9600, Delay: Range{Max: time.Second}, Repeat: 1}, 1)
	l.Send(start, []byte("a frame\x00and the beginning of another one"))
	now := start.Add(10 * time.Millisecond)
	l.Receive(now, nil)
	if l.flight.n == 0 || l.fifo.n == 0 || len(l.again) == 0 {
		t.Fatalf("%d bytes are on their way, %d and %d are to be sent", l.flight.n, l.fifo.n, len(l.again))
	}
	l.Boot(now, "hello")
	l.Cut()
	now = now.Add(time.Hour)
	buf := make([]byte, 100)
	if n, next := l.Receive(now, buf); n != 0 || !next.IsZero() {
		t.Errorf("%d bytes arrive, more at %s", n, next)
	}
	if l.Stats().Printed != 0 {
		t.Error("what was cut off was printed")
	}
	// What comes then is no part of what was before.
	if l.inside || l.keep {
		t.Error("a frame that was cut off goes on")
	}
	l.Send(now, []byte("x\x00"))
	if n, _ := l.Receive(now.Add(time.Hour), buf); string(buf[:n]) != "x\x00x\x00" {
		t.Errorf("%q arrives", buf[:n])
	}
}

func FuzzLine(f *testing.F) {
	f.Add(uint64(1), 0.01, 0.01, uint16(100), uint16(5), []byte("some\x00thing\x00"))
	f.Add(uint64(2), 1.0, 1.0, uint16(0), uint16(0), bytes.Repeat([]byte("much of it\x00"), 1000))
	f.Add(uint64(3), 0.0, 0.0, uint16(1), uint16(3), bytes.Repeat([]byte{0}, 5000))
	f.Fuzz(func(t *testing.T, seed uint64, some, more float64, kilobaud, late uint16, data []byte) {
		h := Harm{Flip: some, Lose: some, Double: more, Insert: more, Drop: some, Repeat: more,
			Delay: Range{0, time.Duration(late) * time.Millisecond}, Baud: 1000 * int(kilobaud)}
		l, err := NewLine(h, seed)
		if err != nil {
			return
		}
		random := rand.New(rand.NewPCG(seed, seed))
		got, _ := carry(t, l, data, random)
		if s := l.Stats(); s.Bytes != uint64(len(data)) {
			t.Errorf("%d of %d bytes were sent", s.Bytes, len(data))
		}
		if most := 6*len(data) + 6; len(got) > most {
			t.Errorf("%d bytes became %d", len(data), len(got))
		}
		if some == 0 && more == 0 && !bytes.Equal(got, data) {
			t.Error("harm was done, and none was asked for")
		}
	})
}
