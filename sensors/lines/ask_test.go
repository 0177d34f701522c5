package lines

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sighub/hub"
	"sighub/sensors/lines/formats"
)

// TestRequest: a request writes a line, and its answer is what the pattern finds. Lines between are events as always.
func TestRequest(t *testing.T) {
	o := options(formats.Pairs)
	o.End = formats.CR
	o.Send = []Send{
		{Line: "ATE0", Start: true},
		{Request: "rssi", Line: "AT+CSQ", Answer: `^\+CSQ: (?P<rssi>\d+),(?P<ber>\w+)`},
		{Request: "identify", Line: "*IDN?", Answer: `^[A-Z].*`, Timeout: time.Second},
		{Request: "level", Line: "SP {level} {mode}"},
		{Request: "say", Line: "SAY {value}"},
	}
	newBench(t, o, func(b *bench) {
		if line := b.readRaw(5); line != "ATE0\r" {
			t.Errorf("%q", line)
		}
		b.expect("kitchen #connect") // it answers requests, so it is there at once
		got := b.request("kitchen", "rssi", nil, func() {
			if line := b.readRaw(7); line != "AT+CSQ\r" {
				t.Errorf("%q", line)
			}
			b.writeRaw("temp:21\r+CSQ: 17,99\rOK\r")
		})
		if got != `{"ber":99,"rssi":17}` {
			t.Error(got)
		}
		b.expect("kitchen #disconnect changed", "kitchen #connect temp", "kitchen.temp = 21")
		if got := b.request("kitchen", "identify", nil, func() { b.readRaw(6); b.writeRaw("ACME 1.0\r") }); got != `"ACME 1.0"` {
			t.Error(got)
		}
		if got := b.request("kitchen", "identify", nil, func() { b.readRaw(6) }); !strings.Contains(got, "has not answered within 1s") {
			t.Error(got)
		}
		if got := b.request("kitchen", "level", map[string]any{"level": 7, "mode": "on"}, func() {
			if line := b.readRaw(8); line != "SP 7 on\r" {
				t.Errorf("%q", line)
			}
		}); got != "null" {
			t.Error(got)
		}
		if got := b.request("kitchen", "say", 2.5, func() {
			if line := b.readRaw(8); line != "SAY 2.5\r" {
				t.Errorf("%q", line)
			}
		}); got != "null" {
			t.Error(got)
		}
		for params, want := range map[any]string{"a\rb": "U+000D", nil: "is missing", "\x1b[0m": "U+001B"} {
			if got := b.request("kitchen", "say", params, func() {}); !strings.Contains(got, want) {
				t.Errorf("%q: %s, want %s", params, got, want)
			}
		}
		if got := b.request("kitchen", "say", []int{1}, func() {}); !strings.Contains(got, "give a number") {
			t.Error(got)
		}
	})
}

// writeRaw has the device write bytes.
func (b *bench) writeRaw(text string) {
	b.t.Helper()
	if _, err := b.device.Write([]byte(text)); err != nil {
		b.t.Fatal(err)
	}
}

// readRaw reads so many bytes that the Speaker writes.
func (b *bench) readRaw(n int) string {
	b.t.Helper()
	_ = b.device.SetReadDeadline(time.Now().Add(10 * time.Second))
	buffer := make([]byte, n)
	got := 0
	for got < n {
		m, err := b.device.Read(buffer[got:])
		if err != nil {
			b.t.Fatal(err)
		}
		got += m
	}
	return string(buffer)
}

// TestRequestsInOrder: requests that come together have their turns, some wait, and the port's end ends them all.
func TestRequestsInOrder(t *testing.T) {
	o := options(formats.Number)
	o.Send = []Send{{Request: "ask", Line: "{value}?", Answer: `^=(?P<answer>.*)`, Timeout: time.Minute}}
	newBench(t, o, func(b *bench) {
		var answers []string
		done := make(chan string, 40)
		for range 20 {
			go func() { done <- b.request("kitchen", "ask", "x", func() {}) }()
		}
		synctest.Wait()
		for range maxWaiting - 1 {
			if line := b.read(); line != "x?" {
				t.Errorf("%q", line)
			}
			b.print("=1")
		}
		b.read()
		b.unplug()
		for range 20 {
			answers = append(answers, <-done)
		}
		slices.Sort(answers)
		counts := map[string]int{}
		for _, a := range answers {
			switch {
			case strings.Contains(a, "too many requests"):
				counts["busy"]++
			case strings.Contains(a, "has gone"), strings.Contains(a, "not connected"), strings.Contains(a, "disconnected"):
				counts["gone"]++
			case a == `{"answer":1}`:
				counts["answered"]++
			default:
				t.Error(a)
			}
		}
		if counts["busy"] != 20-maxWaiting || counts["answered"] != maxWaiting-1 || counts["gone"] != 1 {
			t.Errorf("%v %q", counts, answers)
		}
	})
}

// TestAskedByListener: a listener may ask the sender that it hears, and wait for the answer.
func TestAskedByListener(t *testing.T) {
	o := options(formats.Number)
	o.Send = []Send{{Request: "ask", Line: "?", Answer: `^=(?P<answer>.*)`}}
	newBench(t, o, func(b *bench) {
		var got string
		if _, err := b.router.AddListener("kitchen", "value", func(hub.Event) { got = b.request("kitchen", "ask", nil, func() {}) }); err != nil {
			t.Fatal(err)
		}
		b.print("1")
		if line := b.read(); line != "?" {
			t.Errorf("%q", line)
		}
		b.print("=2")
		if got != `{"answer":2}` {
			t.Error(got)
		}
	})
}

// TestEvery: a line is written every so often, and not made up for after a pause.
func TestEvery(t *testing.T) {
	o := options(formats.Number)
	o.Send = []Send{{Line: "?", Every: 10 * time.Second}, {Line: "!", Start: true, Every: time.Hour}}
	newBench(t, o, func(b *bench) {
		begun := time.Now()
		var got []string
		for range 5 {
			line := b.read()
			got = append(got, line+time.Since(begun).Round(time.Second).String())
			if line == "?" {
				b.print("512")
			}
		}
		if want := []string{"!0s", "?0s", "?10s", "?20s", "?30s"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// TestStalled: a device that takes nothing does not stop what it prints.
func TestStalled(t *testing.T) {
	o := options(formats.Number)
	o.Send = []Send{{Line: "?", Every: time.Second}}
	newBench(t, o, func(b *bench) {
		time.Sleep(time.Minute)
		b.print("512")
		b.expect("kitchen #connect value", "kitchen.value = 512")
		if b.log.count("a line cannot be written") == 0 {
			t.Error("nothing is logged")
		}
	})
}

// TestMySensors: each child of a node is a sender, with the name that the node gives it or the configuration; set and req are
// requests, and nodes get answers to what they ask of a controller.
func TestMySensors(t *testing.T) {
	o := options(formats.MySensors)
	o.Sender, o.Names = "radio", map[string]string{"12.7": "garden"}
	newBench(t, o, func(b *bench) {
		want := func(lines ...string) {
			t.Helper()
			for _, line := range lines {
				if got := b.read(); got != line {
					t.Errorf("%q is written, want %q", got, line)
				}
			}
		}
		want("0;255;3;0;2;")
		b.print("0;255;3;0;14;Gateway startup complete.")
		b.print("12;6;1;0;0;36.5", "12;7;1;0;1;55", "12;255;3;0;0;87")
		want("12;255;3;0;19;")
		b.expect("radio.12.6 #connect temp Cel", "radio.12.6.temp = 36.5", "garden #connect hum %RH", "garden.hum = 55", "radio.12 #connect battery %", "radio.12.battery = 87")
		b.print("12;6;0;0;6;Outside", "12;6;1;0;0;36.6", "12;6;1;0;0;36.7", "12;7;0;0;6;Other", "12;7;1;0;1;56")
		b.expect("radio.12.6 #disconnect temp Cel renamed to radio.12.Outside", "radio.12.Outside #connect temp Cel", "radio.12.Outside.temp = 36.6",
			"radio.12.Outside.temp = 36.7", "garden.hum = 56")
		b.print("12;8;0;0;3;Outside", "12;8;1;0;2;0") // the same name twice
		b.expect("radio.12.8 #connect status", "radio.12.8.status = false")

		if got := b.request("radio.12.8", "set", map[string]any{"status": true}, func() {
			want("12;8;1;1;2;1")
			b.print("12;8;1;1;2;1")
		}); got != "null" {
			t.Error(got)
		}
		if got := b.request("radio.12.8", "set", map[string]any{"status": 7}, func() {}); !strings.Contains(got, "neither 0 nor 1") {
			t.Error(got)
		}
		if got := b.request("radio.12.8", "set", nil, func() {}); !strings.Contains(got, "write what to set") {
			t.Error(got)
		}
		if got := b.request("radio.12.Outside", "req", nil, func() {
			want("12;6;2;0;0;")
			b.print("12;6;1;0;0;37")
		}); got != "37" {
			t.Error(got)
		}
		b.expect("radio.12.Outside.temp = 37")
		b.print("12;8;2;0;2;", "12;255;3;0;6;0", "12;255;3;0;1;")
		want("12;8;1;0;2;1", "12;255;3;0;6;M")
		if got := b.read(); !strings.HasPrefix(got, "12;255;3;0;1;") || len(got) < 20 {
			t.Errorf("the time: %q", got)
		}
		b.expect()
	})
}
