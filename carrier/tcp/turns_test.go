package tcp

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"sighub/carrier"
)

// TestLargeMessagesTakeTurns: one who sends something large waits for its turn, in each dialect; others are answered meanwhile.
func TestLargeMessagesTakeTurns(t *testing.T) {
	h := serveHub(t, loopback, Options{}, nil)
	long := strings.Repeat("x", 300_000)
	large, begun := []*speaker{h.speaker(), h.speaker()}, h.speaker()
	small := h.greeted(Options{})
	var done []func()
	for range max(1, runtime.GOMAXPROCS(0)/2) {
		done = append(done, carrier.TakeTurn(1<<20))
	}
	before := carrier.Turns()
	packed, err := (&carrier.Message{ID: carrier.ValueOf(1), Method: "nosuch", Params: carrier.ValueOf(long)}).AppendTo(nil, carrier.CBOR)
	if err != nil {
		t.Fatal(err)
	}
	head := carrier.AppendCBORHead(nil, carrier.CBORBytes, uint64(len(packed)))
	for i, message := range []string{`{"id":1,"method":"nosuch","params":"` + long + `"}`, cborMark + string(head) + string(packed)} {
		go func() { _, _ = large[i].nc.Write([]byte(message)) }() // what is not written is not answered
	}
	go func() { _, _ = begun.nc.Write([]byte(`{"id":1,"method":"nosuch","params":"` + long)) }()
	if err := poll(h.ctx, func() bool { return carrier.Turns() >= before+3 }); err != nil {
		t.Errorf("only %d wait for a turn: %v", carrier.Turns()-before, err)
	}
	for range 10 {
		small.echoes()
	}
	for _, s := range large {
		_ = s.nc.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if n, err := s.nc.Read(make([]byte, 1)); n > 0 {
			t.Errorf("it is answered before its turn, %v", err)
		}
		_ = s.nc.SetReadDeadline(time.Now().Add(watchdog))
	}
	for _, end := range done {
		end()
	}
	for _, s := range large {
		if _, err := s.nc.Read(make([]byte, 1)); err != nil {
			t.Errorf("it is not answered: %v", err)
		}
	}
}

// TestPieces: a frame that is larger than a piece arrives whole, however it is split, and nothing stays charged for those that
// were too large, too deep or too much.
func TestPieces(t *testing.T) {
	const limit = 5*largeRead + 100
	fits := func(n int) string { return `{"a":"` + strings.Repeat("é", (n-8)/2) + strings.Repeat("x", n%2) + `"}` }
	stream, want := "", []string(nil)
	for _, n := range []int{smallFrame, smallFrame + 1, largeRead - 1, largeRead, largeRead + 1, 2 * largeRead, 2*largeRead + 1, limit, 9} {
		stream += fits(n)
		want = append(want, fits(n))
	}
	stream += fits(limit+1) + `{"a":` + strings.Repeat("[", 100) + strings.Repeat(" ", 3*largeRead) + strings.Repeat("]", 100) + `}{}`
	want = append(want, "too large", "malformed", "{}")
	for _, size := range []int{1, 7, 4096, 60_000, largeRead - 1, largeRead, largeRead + 1, 4 * largeRead, len(stream)} {
		account := carrier.NewBudget(100 * limit).Open("here")
		s := newJSONSplitter(limit)
		s.charge(account)
		got, held := cutCharged(s, account, stream, size)
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || got[i] != want[i] {
				t.Fatalf("in parts of %d: frame %d of %d is wrong; %d are expected", size, i, len(got), len(want))
			}
		}
		if held > 3*limit {
			t.Errorf("in parts of %d: %d bytes are charged for a frame of %d", size, held, limit)
		}
		if account.Used() != 0 {
			t.Errorf("in parts of %d: %d bytes stay charged", size, account.Used())
		}
	}
	poor := carrier.NewBudget(16 * largeRead).Open("here") // a quarter of it is for one
	s := newJSONSplitter(20 * largeRead)
	s.charge(poor)
	got, _ := cutCharged(s, poor, fits(10*largeRead)+fits(largeRead+1), largeRead)
	if len(got) != 2 || got[0] != "too much" || got[1] != fits(largeRead+1) || poor.Used() != 0 {
		t.Errorf("a frame beyond the account is taken, or one behind it is not: %d frames, %d bytes stay charged", len(got), poor.Used())
	}
}

// cutCharged is cut for a splitter with an account. It gives back what is charged for each frame, and returns what was charged at
// most.
func cutCharged(s splitter, account *carrier.Account, stream string, size int) (out []string, most int64) {
	for len(stream) > 0 {
		part := []byte(stream[:min(size, len(stream))])
		stream = stream[len(part):]
		for {
			rest, f, ok := s.next(part)
			most = max(most, account.Used())
			if !ok {
				break
			}
			account.Give(f.charged)
			part = rest
			out = append(out, word(f))
		}
	}
	return out, most
}

// TestTooDeepOnce: a value that is nested too deeply is refused once, not at each of its brackets.
func TestTooDeepOnce(t *testing.T) {
	brackets := []byte(strings.Repeat("[", 10_000))
	if n := testing.AllocsPerRun(10, func() { newJSONSplitter(testLimit).next(brackets) }); n > 50 {
		t.Errorf("10,000 brackets cost %v allocations", n)
	}
}

// TestRefusedLeavesLittle: a large message that is refused in the end leaves next to nothing for the garbage collector.
func TestRefusedLeavesLittle(t *testing.T) {
	const limit = 1 << 20
	s := newJSONSplitter(limit)
	begin, part, end := []byte(`{"a":"`), []byte(strings.Repeat("x", 32_000)), []byte(`"}`)
	message := func() {
		s.next(begin)
		for range limit/len(part) + 1 {
			s.next(part)
		}
		if _, f, _ := s.next(end); !errors.Is(f.err, carrier.ErrTooLarge) {
			t.Fatal(f.err)
		}
	}
	message()
	r := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			message()
		}
	})
	if n := r.AllocedBytesPerOp(); n > limit/2 { // under the race detector, some of what could be used again is dropped
		t.Errorf("a message of %d bytes leaves %d", limit, n)
	}
}
