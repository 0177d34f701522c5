package modbus

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sighub/sensors/modbus/frame"
)

// TestTCPWrong: on a connection an answer is known by its number; what is none is counted, and a stream that is no Modbus ends it.
func TestTCPWrong(t *testing.T) {
	answerTo := func(request []byte, number uint16, unit byte, value uint16) []byte {
		return frame.AppendTCP(nil, number, unit, []byte{3, 2, byte(value >> 8), byte(value)})
	}
	for name, test := range map[string]struct {
		says  func(r []byte, n uint16, unit byte) []part
		count map[string]uint64
		want  []string
	}{
		"good": {func(r []byte, n uint16, u byte) []part { return []part{{0, answerTo(r, n, u, 7)}} }, nil, []string{"x v 7"}},
		"byte by byte": {func(r []byte, n uint16, u byte) (list []part) {
			for _, c := range answerTo(r, n, u, 7) {
				list = append(list, part{time.Millisecond, []byte{c}})
			}
			return list
		}, nil, []string{"x v 7"}},
		"one before and two at once": {func(r []byte, n uint16, u byte) []part {
			return []part{{0, slices.Concat(answerTo(r, n-1, u, 8), answerTo(r, n, u, 7))}}
		}, map[string]uint64{"late": 1}, []string{"x v 7"}},
		"other number": {func(r []byte, n uint16, u byte) []part { return []part{{0, answerTo(r, n+5, u, 8)}} }, map[string]uint64{"late": 1, "timeout": 1}, nil},
		"other unit":   {func(r []byte, n uint16, u byte) []part { return []part{{0, answerTo(r, n, u+1, 8)}} }, map[string]uint64{"late": 1, "timeout": 1}, nil},
		"other length": {func(_ []byte, n uint16, u byte) []part {
			return []part{{0, frame.AppendTCP(nil, n, u, []byte{3, 4, 0, 1, 0, 2})}}
		}, map[string]uint64{"damaged": 1}, nil},
		"other protocol": {func(r []byte, n uint16, u byte) []part {
			b := answerTo(r, n, u, 8)
			b[3] = 1
			return []part{{0, b}}
		}, nil, nil},
		"garbage": {func([]byte, uint16, byte) []part { return []part{{0, []byte("HTTP/1.1 400 Bad Request\r\n\r\n")}} }, nil, nil},
		"late":    {func(r []byte, n uint16, u byte) []part { return []part{{3 * time.Second, answerTo(r, n, u, 8)}} }, map[string]uint64{"timeout": 1}, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWire(t, func(r []byte, _ int) []part {
				m, size, err := frame.NextTCP(r)
				if err != nil || size != len(r) {
					t.Errorf("% x: %v", r, err)
				}
				return test.says(r, m.Number, m.Unit)
			})
			b := start(t, Options{TCP: true, Devices: []Device{thing(4, "x", word("v", 1, time.Hour))}}, w)
			time.Sleep(2500 * time.Millisecond)
			spoken := b.Spoken(time.Now())
			b.stop()
			if got := b.heard.texts("v"); !slices.Equal(got, test.want) {
				t.Errorf("%s: %q", name, got)
			}
			if len(spoken.Refused) != len(test.count) {
				t.Errorf("%s: %v", name, spoken.Refused)
			}
			for cause, n := range test.count {
				if spoken.Refused[cause] != n {
					t.Errorf("%s: %v, want %v", name, spoken.Refused, test.count)
				}
			}
		})
	}
}

// TestDeaf: a connection on which nothing is answered for long is given up, so that it is made anew.
func TestDeaf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t, func([]byte, int) []part { return nil })
		s, err := New(Options{TCP: true, Devices: []Device{thing(4, "x", word("v", 1, time.Second))}}, Place{Path: "tcp://x:502"})
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		err = s.Speak(t.Context(), w)
		if passed := time.Since(begun); err == nil || passed < deaf || passed > 3*deaf {
			t.Errorf("it ended after %v: %v", passed, err)
		}
	})
}
