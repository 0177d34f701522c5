package modbus

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/port"
	"sighub/sensors/modbus/frame"
)

// TestPolls: two units become senders, with the time in the middle between question and answer, and go with the end.
func TestPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t, func(request []byte, _ int) []part {
			return []part{{20 * time.Millisecond, answerOf(request, func(a uint16) uint16 { return 100*uint16(request[0]) + a })}}
		})
		low := word("low", 3, time.Second)
		low.Unit = "V"
		b := start(t, Options{Devices: []Device{
			thing(1, "one", low, word("next", 4, time.Second), word("rare", 9, 10*time.Second)), thing(2, "two", word("v", 7, time.Second)),
		}}, w)
		time.Sleep(2500 * time.Millisecond)
		spoken := b.Spoken(time.Now())
		b.stop()
		got := b.heard.texts()
		slices.Sort(got)
		want := []string{
			"one #connect", "one #disconnect shutdown", "one low 103", "one low 103", "one low 103", "one next 104", "one next 104", "one next 104",
			"one rare 109", "two #connect", "two #disconnect shutdown", "two v 207", "two v 207", "two v 207",
		}
		if !slices.Equal(got, want) {
			t.Errorf("heard %q\nwant  %q", got, want)
		}
		for i, h := range b.heard.all("low") {
			asked := w.asked[3*i]
			if i > 0 {
				asked = w.asked[1+2*i]
			}
			// 8 characters of 10 bits at 9600 baud until it is asked, 20 ms after the frame until it answers.
			sent := asked.Add(8 * 10 * time.Second / 9600)
			if answered := asked.Add(20 * time.Millisecond); h.at.Sub(sent.Add(answered.Sub(sent)/2)).Abs() > time.Microsecond || (h.uncertainty-answered.Sub(sent)/2).Abs() > time.Microsecond {
				t.Errorf("reading %d at %v give or take %v, asked at %v", i, h.at, h.uncertainty, asked)
			}
		}
		if spoken.Lines != 7 || spoken.Readings != 10 || len(spoken.Refused) != 0 || len(spoken.Problems) != 0 ||
			!slices.Equal(spoken.Senders, []string{"one", "two"}) {
			t.Errorf("%+v", spoken)
		}
	})
}

// TestGap: the line is silent for 3.5 characters before each request, whatever a character is; also with thirty units.
func TestGap(t *testing.T) {
	for _, test := range []struct {
		settings port.Settings
		pause    time.Duration
		gap      time.Duration
	}{
		{port.Settings{Baud: 9600}, 0, 3645834 * time.Nanosecond},
		{port.Settings{Baud: 9600, Parity: port.EvenParity}, 0, 4010417 * time.Nanosecond},
		{port.Settings{Baud: 1200, Parity: port.OddParity, Stop: port.TwoStop}, 0, 35 * time.Millisecond},
		{port.Settings{Baud: 19200}, 0, 1822917 * time.Nanosecond},
		{port.Settings{Baud: 115200}, 0, fastGap},
		{port.Settings{}, 0, 3645834 * time.Nanosecond},
		{port.Settings{Baud: 115200}, 20 * time.Millisecond, 20 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWire(t, func(request []byte, _ int) []part { return []part{{100 * time.Millisecond, answerOf(request, nil)}} })
			o := Options{Settings: test.settings, Pause: test.pause}
			for id := 1; id <= 30; id++ {
				o.Devices = append(o.Devices, thing(id, fmt.Sprint("u", id), word("v", 1, 10*time.Second)))
			}
			b := start(t, o, w)
			time.Sleep(19 * time.Second)
			b.stop()
			if len(w.asked) != 60 {
				t.Fatalf("%d requests", len(w.asked))
			}
			shortest := time.Hour
			for i, at := range w.asked[1:] {
				shortest = min(shortest, at.Sub(w.said[i]))
			}
			t.Logf("%+v: the shortest silence is %v", test.settings, shortest)
			if shortest < test.gap || shortest > test.gap+time.Microsecond {
				t.Errorf("%+v: a silence of %v, want %v", test.settings, shortest, test.gap)
			}
			if n := len(b.heard.all("v")); n != 60 {
				t.Errorf("%d readings", n)
			}
		})
	}
}

// TestDead: a unit that does not answer delays the others by one time-out a round at most, is asked ever more rarely, and comes back by
// itself.
func TestDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var alive atomic.Bool
		w := newWire(t, func(request []byte, _ int) []part {
			if request[0] == 3 && !alive.Load() {
				return nil
			}
			return []part{{10 * time.Millisecond, answerOf(request, nil)}}
		})
		o := Options{Timeout: 300 * time.Millisecond}
		for id := 1; id <= 5; id++ {
			o.Devices = append(o.Devices, thing(id, fmt.Sprint("u", id), word("v", 1, time.Second), word("w", 100, time.Second)))
		}
		b := start(t, o, w)
		time.Sleep(10 * time.Minute)
		w.mu.Lock()
		var dead, lively []time.Time
		for i, r := range w.requests {
			switch r[0] {
			case 3:
				dead = append(dead, w.asked[i])
			case 4:
				lively = append(lively, w.asked[i])
			}
		}
		w.mu.Unlock()
		for i := 2; i < len(lively); i += 2 { // in the same round
			if d := lively[i].Sub(lively[i-2]); d > time.Second+330*time.Millisecond+100*time.Millisecond {
				t.Errorf("another unit was asked again after %v", d)
			}
		}
		if len(lively) < 1190 || len(dead) > 20 || dead[len(dead)-1].Sub(dead[len(dead)-2]) < maxRetry {
			t.Errorf("the dead one was asked %d times, another one %d times", len(dead), len(lively))
		}
		spoken := b.Spoken(time.Now())
		if len(spoken.Problems) != 1 || spoken.Problems[0].What != "unit 3 (u3): it does not answer" || spoken.Refused["timeout"] != uint64(len(dead)) {
			t.Errorf("%+v", spoken)
		}
		alive.Store(true)
		time.Sleep(2 * maxRetry)
		alive.Store(false)
		time.Sleep(20 * time.Second)
		spoken = b.Spoken(time.Now())
		b.stop()
		var u3 []string
		for _, text := range b.heard.texts("#connect", "#disconnect", "#gap") {
			if strings.HasPrefix(text, "u3") {
				u3 = append(u3, text)
			}
		}
		if want := []string{"u3 #connect", "u3 #gap 1 v timeout", "u3 #gap 2 v timeout", "u3 #disconnect timeout"}; !slices.Equal(u3, want) {
			t.Errorf("%q", u3)
		}
		if spoken.State != "connected" || len(spoken.Senders) != 4 || len(spoken.Problems) != 1 {
			t.Errorf("%+v", spoken)
		}
	})
}

// TestWrong: whatever comes instead of an answer, or around one, is counted, and no reading comes of it.
func TestWrong(t *testing.T) {
	good := func(r []byte) []byte { return answerOf(r, func(uint16) uint16 { return 42 }) }
	damaged := func(r []byte) []byte {
		b := good(r)
		b[3] ^= 0x10
		return b
	}
	for name, test := range map[string]struct {
		says  func(r []byte) []part
		count map[string]uint64 // of the first poll
		reads bool
	}{
		"good": {func(r []byte) []part { return []part{{0, good(r)}} }, nil, true},
		"byte by byte": {func(r []byte) (list []part) {
			for _, c := range good(r) {
				list = append(list, part{15 * time.Millisecond, []byte{c}})
			}
			return list
		}, nil, true},
		"noise before": {func(r []byte) []part { return []part{{0, []byte{0, 0xff, 1}}, {0, good(r)}} }, map[string]uint64{"noise": 1}, true},
		"echo":         {func(r []byte) []part { return []part{{0, r}, {time.Millisecond, good(r)}} }, nil, true},
		"echo alone":   {func(r []byte) []part { return []part{{0, r}} }, map[string]uint64{"timeout": 1}, false},
		"checksum":     {func(r []byte) []part { return []part{{0, damaged(r)}} }, map[string]uint64{"damaged": 1, "noise": 2}, false},
		"short":        {func(r []byte) []part { return []part{{0, good(r)[:5]}} }, map[string]uint64{"damaged": 1, "noise": 1}, false},
		"noise alone":  {func([]byte) []part { return []part{{0, []byte("garbage of some length")}} }, map[string]uint64{"damaged": 1, "noise": 2}, false},
		"other unit":   {func(r []byte) []part { b := slices.Clone(r); b[0] = 9; return []part{{0, good(b)}} }, map[string]uint64{"timeout": 1, "stray": 1}, false},
		"other unit, then it": {func(r []byte) []part {
			b := slices.Clone(r)
			b[0] = 9
			return []part{{0, good(b)}, {200 * time.Millisecond, good(r)}}
		}, map[string]uint64{"stray": 1}, true},
		"function":      {func([]byte) []part { return []part{{0, frame.AppendRTU(nil, 5, []byte{4, 2, 0, 42})}} }, map[string]uint64{"timeout": 1, "stray": 1}, false},
		"too many":      {func([]byte) []part { return []part{{0, frame.AppendRTU(nil, 5, []byte{3, 4, 0, 42, 0, 42})}} }, map[string]uint64{"timeout": 1, "stray": 1}, false},
		"exception":     {func([]byte) []part { return []part{{0, frame.AppendRTU(nil, 5, []byte{0x83, 4})}} }, map[string]uint64{"exception": 1}, false},
		"not reached":   {func([]byte) []part { return []part{{0, frame.AppendRTU(nil, 5, []byte{0x83, 11})}} }, map[string]uint64{"other": 1}, false},
		"other refusal": {func([]byte) []part { return []part{{0, frame.AppendRTU(nil, 5, []byte{0x84, 2})}} }, map[string]uint64{"timeout": 1, "stray": 1}, false},
		"late":          {func(r []byte) []part { return []part{{700 * time.Millisecond, good(r)}} }, map[string]uint64{"timeout": 1}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWire(t, func(r []byte, _ int) []part { return test.says(r) })
			b := start(t, Options{Devices: []Device{thing(5, "five", word("v", 1, time.Hour))}}, w)
			time.Sleep(900 * time.Millisecond)
			spoken := b.Spoken(time.Now())
			b.stop()
			if readings := b.heard.all("v"); len(readings) == 1 != test.reads || test.reads && readings[0].data != "42" {
				t.Errorf("%s: %v", name, readings)
			}
			if len(test.count) != len(spoken.Refused) {
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

// TestRequests: values are asked for and set, through the same bus; what cannot be is told in words.
func TestRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		values := map[uint16]uint16{3: 7, 4: 8}
		w := newWire(t, func(request []byte, _ int) []part {
			r, err := frame.ParseRequest(request[1 : len(request)-2])
			if err == nil && r.Function == frame.WriteRegister {
				values[r.Address] = uint16(r.Data[0])<<8 | uint16(r.Data[1])
				return []part{{10 * time.Millisecond, request}}
			}
			if r.Address == 9 {
				return []part{{0, frame.AppendRTU(nil, 1, []byte{0x83, 2})}}
			}
			return []part{{10 * time.Millisecond, answerOf(request, func(a uint16) uint16 { return values[a] })}}
		})
		set := word("set_point", 3, time.Minute)
		set.Write, set.Scale, set.Unit = "single", 0.1, "Cel"
		low, high := 5.0, 30.0
		set.Min, set.Max = &low, &high
		b := start(t, Options{Devices: []Device{thing(1, "stove", set, word("plain", 4, time.Minute), word("bad", 9, time.Minute))}}, w)
		time.Sleep(5 * time.Second)
		ask := func(method string, params any) string {
			v, err := b.router.Request(t.Context(), "stove", method, params)
			if err != nil {
				return "error: " + err.Error()
			}
			return v.String()
		}
		for _, test := range []struct {
			method string
			params any
			want   string
		}{
			{"read", "plain", "8"},
			{"read", "set_point", "out of range: it is 0.7 Cel, but can only be 5 to 30 Cel"},
			{"set", map[string]any{"set_point": 21.5}, "null"},
			{"read", "set_point", "21.5"},
			{"set", map[string]any{"set_point": 31}, "it is 31 Cel, but can only be 5 to 30 Cel"},
			{"set", map[string]any{"set_point": "warm"}, "it is a number"},
			{"set", map[string]any{"set_point": 20, "plain": 1}, `"plain" cannot be set: set_point can`},
			{"set", nil, "write what to set"},
			{"read", nil, "write which of its values"},
			{"read", "bad", "illegal data address (2): the unit has no such register"},
		} {
			if got := ask(test.method, test.params); got != test.want && !strings.Contains(got, test.want) {
				t.Errorf("%s %v: %s, want %s", test.method, test.params, got, test.want)
			}
		}
		time.Sleep(time.Second)
		b.stop()
		if got := b.heard.texts("set_point"); !slices.Equal(got, []string{"stove set_point 21.5"}) {
			t.Errorf("%q", got)
		}
		if values[3] != 215 {
			t.Errorf("%v", values)
		}
		if _, err := b.read(t.Context(), &b.options.Devices[0], carrier.ValueOf("plain")); !errors.Is(err, errGone) {
			t.Error(err)
		}
	})
}
