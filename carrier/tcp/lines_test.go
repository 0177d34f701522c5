package tcp

import (
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"

	"sighub/carrier"
	"sighub/listen"
)

// A lineHandler keeps what signals say, and refusals.
type lineHandler struct {
	carrier.Handler
	heard []string
}

func (h *lineHandler) HandleSignals(_ carrier.ClientID, signals []carrier.Signal, answers carrier.Answers) {
	for _, s := range signals {
		h.heard = append(h.heard, fmt.Sprint(*s.Route, s.Data, s.Time, s.Uncertainty, s.Seq, s.Sequence, s.Last, s.Err != nil))
		answers.Done(1)
	}
}

func (h *lineHandler) SignalsAnswered(_ carrier.ClientID, n int, failed *carrier.Reply) {
	h.heard = append(h.heard, fmt.Sprint("answered ", n, failed))
}

// hearLines returns what a connection hears of a stream of JSON that comes in pieces of this size, and whether it goes on. Without lines,
// the end of each packet is found by its brackets.
func hearLines(t testing.TB, stream string, size int, lines bool) (heard []string, alive bool) {
	c, h := newLineConn(t)
	for piece := range slices.Chunk([]byte(stream), size) {
		if !lines {
			for _, b := range piece { // never a whole line at once
				if c.consume([]byte{b}) != nil {
					return h.heard, false
				}
			}
			continue
		}
		if c.consume(piece) != nil {
			return h.heard, false
		}
	}
	return h.heard, true
}

// newLineConn returns a connection of which signals in JSON are read, and what hears them.
func newLineConn(t testing.TB) (*conn, *lineHandler) {
	near, far := net.Pipe()
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	h := new(lineHandler)
	c := newConn(&peers{log: slog.New(slog.DiscardHandler), connecting: true, handler: h, signals: h}, listen.Plain(near), "", &Limits{MaxMessage: 1 << 10})
	c.speak(carrier.JSON)
	c.codec = carrier.JSON
	c.greet = greetTooEarly
	c.split.takeSignals()
	c.writer.mu.Lock()
	c.writer.end(errWriterClosed) // what it would answer goes nowhere
	c.writer.mu.Unlock()
	c.signals.window = 1 << 20
	return c, h
}

// lineStreams are streams of JSON, some of which are not as one would expect.
func lineStreams() []string {
	route := `[[0,"s","e",7],1,"2026-01-02T03:04:05Z",5,6,7,1]` + "\n"
	return []string{
		route + "[0,2]\n[0,3]\n",
		route + "[0,2][0,3]\n[0,4]\r\n\n  [0,5]\n",
		route + "[0,\n2\n]\n[0,3]\n",
		route + "[0,[1,\n2]\n]\n[0,3]\n",
		route + "[3]\n[0,1]\n[-3,\"refused\"]\n[2]\n",
		route + "[0,{\"a\":\"]\\n\\\"\"}]\n[0,\"\u00e9\"]\n",
		route + "[0,\"" + strings.Repeat("x", 900) + "\"]\n[0,\"" + strings.Repeat("x", 1100) + "\"]\n[0,1]\n",
		route + "[0,[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n[0,1]\n",
		route + "[0,nul]\n[0,1]\n",
		route + "[0,\"\xff\"]\n[0,1]\n",
		route + "[0,1,null,-1]\n[0,1]\n",
		route + "[0,1,2,3,4,5,6,7,8,9]\n[0,1]\n",
		route + "[9,1]\n[0,1]\n",
		route + "[]\n[0,1]\n",
		route + "[0,\"a\nb\"]\n[0,1]\n",
		route + "[0,\x01]\n[0,1]\n",
		route + "[0,1}\n[0,1]\n",
		route + "nonsense\n[0,1]\n",
		route + "[0,1]",
	}
}

// TestLines: what is heard of a stream of JSON does not depend on whether its packets are lines, and come whole.
func TestLines(t *testing.T) {
	for _, stream := range lineStreams() {
		for _, size := range []int{1, 7, 50, 64, len(stream)} {
			checkLines(t, stream, size)
		}
	}
}

// TestWholeLines: packets that are lines are taken as they lie in the buffer, also behind one that came in parts.
func TestWholeLines(t *testing.T) {
	c, h := newLineConn(t)
	for _, part := range []string{`[[0,"s",`, `"e"],1]`} {
		if err := c.consume([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	if rest, err := c.stream([]byte("\n[0,2]\r\n[0,3]\n[0,")); err != nil || string(rest) != "[0," {
		t.Errorf("%q is left: %v", rest, err)
	}
	c.deliverSignals()
	if len(h.heard) != 3 {
		t.Errorf("%q is heard", h.heard)
	}
}

func checkLines(t *testing.T, stream string, size int) {
	t.Helper()
	want, alive := hearLines(t, stream, 1, false)
	got, goesOn := hearLines(t, stream, size, true)
	if goesOn != alive || alive && !sameHeard(got, want) || len(got) > len(want) { // what came together with what ends a connection is not heard
		t.Errorf("of %q in pieces of %d is heard, going on %v:\n%q\nwant, going on %v:\n%q", stream, size, goesOn, got, alive, want)
	}
}

// sameHeard compares what was heard. Answers may be counted together.
func sameHeard(a, b []string) bool {
	only := func(list []string) (signals []string, answered int) {
		for _, s := range list {
			var n int
			if k, _ := fmt.Sscanf(s, "answered %d <nil>", &n); k == 1 && strings.HasSuffix(s, "<nil>") {
				answered += n
				continue
			}
			signals = append(signals, s)
		}
		return signals, answered
	}
	as, an := only(a)
	bs, bn := only(b)
	return slices.Equal(as, bs) && an == bn
}

// FuzzLines is TestLines with any stream.
func FuzzLines(f *testing.F) {
	for _, s := range lineStreams() {
		f.Add(s, 64)
	}
	f.Fuzz(func(t *testing.T, stream string, size int) {
		if len(stream) > 4<<10 {
			return
		}
		checkLines(t, stream, min(max(size, 1), len(stream)+1))
	})
}
