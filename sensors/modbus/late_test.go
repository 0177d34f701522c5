package modbus

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"sighub/sensors/modbus/frame"
)

// TestLate: a unit whose answers come late, or not at all, never gives one register the value of another one, as long as they come within
// three times the time-out. Registers are read apart and in the same way, so that their answers look alike.
func TestLate(t *testing.T) {
	readings := 0
	rapid.Check(t, func(r *rapid.T) {
		delays := rapid.SliceOfN(rapid.IntRange(0, 1500), 1, 40).Draw(r, "delays in ms, of a time-out of 500")
		lost := rapid.SliceOfN(rapid.IntRange(0, 9), 1, 40).Draw(r, "0: no answer")
		noisy := rapid.SliceOfN(rapid.IntRange(0, 4), 1, 20).Draw(r, "0: noise first")
		wrong := ""
		synctest.Test(t, func(t *testing.T) {
			w := newWire(t, func(request []byte, n int) []part {
				if lost[n%len(lost)] == 0 {
					return nil
				}
				late := part{time.Duration(delays[n%len(delays)]) * time.Millisecond, answerOf(request, nil)}
				if noisy[n%len(noisy)] == 0 {
					return []part{{0, []byte("noise of some bytes")}, late}
				}
				return []part{late}
			})
			b := start(t, Options{Devices: []Device{
				thing(1, "one", word("10", 10, time.Second), word("20", 20, 700*time.Millisecond), word("30", 30, 3*time.Second)),
				thing(1, "same", word("40", 40, time.Second)), thing(2, "other", word("10", 10, time.Second)),
			}}, w)
			for range 20 {
				time.Sleep(time.Second)
				_, _ = b.router.Request(t.Context(), "one", "read", "30")
			}
			b.stop()
			for _, text := range b.heard.texts("10", "20", "30", "40") {
				readings++
				if f := strings.Fields(text); f[1] != f[2] {
					wrong = text
				}
			}
		})
		if wrong != "" {
			r.Fatal("a false reading: ", wrong)
		}
	})
	if t.Logf("%d readings", readings); readings < 1000 {
		t.Error("too few of them were answered")
	}
}

// TestExceptions: what a unit refuses at once is asked for alone; what it refuses for good is asked for ever more rarely; what can be
// done is told, and a unit that refuses everything is gone.
func TestExceptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all atomic.Bool
		w := newWire(t, func(request []byte, _ int) []part {
			r, _ := frame.ParseRequest(request[1 : len(request)-2])
			if r.Count > 1 || r.Address == 2 || all.Load() {
				return []part{{0, frame.AppendRTU(nil, 1, []byte{0x83, 2})}}
			}
			return []part{{0, answerOf(request, nil)}}
		})
		b := start(t, Options{Devices: []Device{thing(1, "one", word("a", 1, time.Second), word("b", 2, time.Second), word("c", 3, time.Second))}}, w)
		time.Sleep(time.Minute - time.Millisecond)
		spoken := b.Spoken(time.Now())
		all.Store(true)
		time.Sleep(time.Minute)
		b.stop()
		if len(spoken.Problems) != 1 || spoken.Problems[0].What != "unit 1 (one) refuses b: illegal data address (2)" ||
			!strings.Contains(spoken.Problems[0].Remedy, "counts from 0") {
			t.Errorf("%+v", spoken.Problems)
		}
		if n := spoken.Refused["exception"]; n < 3 || n > 5 {
			t.Errorf("refused %d times in a minute", n)
		}
		if a, c := len(b.heard.all("a")), len(b.heard.all("c")); a != 60 || c != 60 {
			t.Errorf("%d and %d readings", a, c)
		}
		if list := b.heard.texts("#disconnect"); len(list) != 1 || list[0] != "one #disconnect failed: modbus: the unit refuses: illegal data address (2)" {
			t.Errorf("%q", list)
		}
	})
}

// TestNames: a sender whose name is taken is told of, and connects when it is free.
func TestNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t, func(request []byte, _ int) []part { return []part{{time.Millisecond, answerOf(request, nil)}} }) // when the other one is there
		o := Options{Devices: []Device{thing(1, "{port}.x", word("v", 1, time.Second))}}
		b := start(t, o, w)
		other, err := b.router.AddSender("bus.x", otherSender)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3500 * time.Millisecond)
		if p := b.Spoken(time.Now()).Problems; len(p) != 1 || !strings.Contains(p[0].What, "the sender bus.x cannot be added") {
			t.Errorf("%+v", p)
		}
		other.Remove()
		time.Sleep(10 * time.Second)
		p := b.Spoken(time.Now()).Problems
		b.stop()
		if len(p) != 0 || !slices.Contains(b.heard.texts(), "bus.x v 1") {
			t.Errorf("%+v %q", p, b.heard.texts())
		}
	})
}

// TestChange: with change, only what has changed enough is reported, and in any case after max_interval.
func TestChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		values := []uint16{100, 101, 104, 105, 106, 106, 106, 106, 106, 106, 106, 106, 50}
		w := newWire(t, func(request []byte, n int) []part {
			return []part{{0, answerOf(request, func(uint16) uint16 { return values[min(n, len(values)-1)] })}}
		})
		r := word("v", 1, time.Second)
		r.Change, r.MaxInterval, r.None = 5, 6*time.Second, []uint64{104}
		b := start(t, Options{Devices: []Device{thing(1, "x", r)}}, w)
		time.Sleep(12500 * time.Millisecond)
		b.stop()
		if got := fmt.Sprint(b.heard.texts("v", "#gap")); got != "[x v 100 x #gap 1 v none x v 105 x v 106 x v 50]" {
			t.Error(got)
		}
	})
}
