package config

import (
	"strings"
	"testing"
)

func TestSuits(t *testing.T) {
	for _, test := range []struct{ port, goos, want string }{
		{"COM3", "linux", "COM3 is a port of Windows, and this is Linux: write one such as /dev/ttyUSB0, or auto"},
		{"com12", "linux", "is a port of Windows"}, {`\\.\COM3`, "linux", "is a port of Windows"}, {"COM3", "darwin", "this is macOS"}, {"COM3", "windows", ""},
		{"COMx", "linux", ""}, {"/dev/ttyUSB0", "linux", ""}, {"/dev/ttyUSB0", "windows", "is not a port of Windows: write one such as COM3"},
		{"/dev/x?opener=tarm", "darwin", "the opener tarm works on Linux and Windows only"},
		{"/dev/x?opener=tarm&baud=115201", "linux", "the opener tarm cannot set baud 115201"},
		{"/dev/x?opener=tarm&baud=250000", "linux", "the opener tarm cannot set baud 250000"},
		{"/dev/x?opener=tarm&baud=115200", "linux", ""}, {"/dev/x?opener=tarm", "linux", ""}, {"/dev/x?baud=115201", "linux", ""},
	} {
		p := Port{Port: test.port}
		if port, query, ok := strings.Cut(test.port, "?"); ok {
			p.Port = port
			for pair := range strings.SplitSeq(query, "&") {
				key, value, _ := strings.Cut(pair, "=")
				if err := p.set(key, value); err != nil {
					t.Fatal(err)
				}
			}
		}
		err := p.suits(test.goos)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s on %s: %v", test.port, test.goos, err)
		}
	}
	for baud, want := range map[int]string{0: "", 115200: "", 250000: "", 115201: "did you mean 115200?", 9601: "did you mean 9600?", 123456: "is not a usual rate"} {
		if got := (&Port{Baud: baud}).doubts(); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%d: %q", baud, got)
		}
	}
}

func TestWatched(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"renamed": {"thresholds: [{sender: k, event: temp, above: 1, report: hot}]\nsensors: [{driver: bme280, bus: sim, sender: k, events: {temp: warmth}}]",
			"x:1:14: k has no event temp, only warmth: write event: warmth"},
		"not measured": {"sensors: [{driver: bh1750, bus: sim}]\nthresholds: [{sender: bh1750, event: temp, above: 1, report: hot}]",
			"x:2:14: bh1750 has no event temp, only lux: write event: lux"},
		"a pin":            {"pins: [{pin: A, sender: door, event: open}]\nthresholds: [{sender: door, event: level, above: 0, report: x}]", "door has no event level, only open"},
		"another":          {"thresholds: [{sender: a, event: b, above: 0, report: x}, {sender: a.x, event: y, above: 0, report: z}]", "a.x has no event y, only x"},
		"right":            {"sensors: [{driver: bh1750, bus: sim}]\nthresholds: [{sender: bh1750, event: lux, above: 1, report: hot}]", ""},
		"renamed, right":   {"sensors: [{driver: bh1750, bus: sim, events: {lux: {event: x}}}]\nthresholds: [{sender: bh1750, event: x, above: 1, report: hot}]", ""},
		"a device":         {"thresholds: [{sender: far, event: lux, above: 1, report: hot}]", ""},
		"a kernel sensor":  {"sensors: [{kernel: cpu}]\nthresholds: [{sender: cpu, event: temp, above: 1, report: hot}]", ""},
		"a kernel's event": {"sensors: [{kernel: cpu, events: {temp: t}}]\nthresholds: [{sender: cpu, event: temp, above: 1, report: hot}]", "cpu has no event temp, only t"},
	} {
		_, err := Parse("x", []byte(test.text))
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWarnings(t *testing.T) {
	c, err := Parse("x", []byte("state: /a\nserial:\n  - {port: /dev/x, baud: 115201}\nlisten: [tcp://10.0.0.1:5]\n"))
	if err != nil || len(c.Warnings()) != 1 || !strings.HasPrefix(c.Warnings()[0].Error(), "x:3:5: baud 115201 is not a usual rate") {
		t.Errorf("%v, %v", c.Warnings(), err)
	}
	for place, want := range map[string]string{
		StatePlace: "x:1:1: a", PortPlace("/dev/x"): "x:3:1: a", AddressPlace("tcp://10.0.0.1:5"): "x:4:1: a", "nowhere": "x: a",
	} {
		if got := c.Warn(place, "a").Error(); !strings.HasPrefix(got, want[:3]) {
			t.Errorf("%s: %s, want %s", place, got, want)
		}
	}
	if keys := Default().Changes(c); strings.Join(keys, " ") != "listen serial state" {
		t.Error(keys)
	}
}

// TestMessageLargerThanMemory: a message that the hub would never take, whoever sends it, is told.
func TestMessageLargerThanMemory(t *testing.T) {
	for text, want := range map[string]int{"limits: {memory: 2MiB}": 1, "limits: {memory: 4MiB}": 0, "limits: {message_size: 16MiB}": 1} {
		c, err := Parse("x", []byte(text))
		if err != nil || len(c.Warnings()) != want {
			t.Errorf("%s: %v, %v", text, c.Warnings(), err)
		}
	}
}
