package fault

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	all := Harm{Flip: 1e-4, Lose: 0.001, Double: 0.002, Insert: 0.003, Drop: 0.01, Repeat: 0.5,
		Delay: Range{2 * time.Millisecond, 20 * time.Millisecond}, Baud: 115200}
	for text, want := range map[string]Options{
		"": {},
		"flip=1e-4,drop=1%,lose=0.1%,double=.002,insert=3e-3,repeat=50%,delay=2ms..20ms,cut=30s,away=5s,baud=115200,boot=esp32,seed=7": {
			Seed: 7, ToHub: all, ToDevice: all, Cut: 30 * time.Second, Away: 5 * time.Second, Boot: ESP32()},
		"seed=18446744073709551615": {Seed: math.MaxUint64},
		"delay=5ms":                 {ToHub: Harm{Delay: Range{5e6, 5e6}}, ToDevice: Harm{Delay: Range{5e6, 5e6}}},
		"to-hub.drop=1,to-device.drop=0.5,to-device.baud=9600": {ToHub: Harm{Drop: 1}, ToDevice: Harm{Drop: 0.5, Baud: 9600}},
		`boot="a, \"b\"=\r\n",seed=1`:                          {Seed: 1, Boot: "a, \"b\"=\r\n"},
	} {
		got, err := Parse(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if again, err := Parse(got.String()); err != nil || again != got {
			t.Errorf("%s becomes %s: %+v, %v", text, got, again, err)
		}
	}
}

func TestString(t *testing.T) {
	for _, text := range []string{
		"", "flip=0.0001,delay=0s..5ms,baud=115200,cut=30s,away=5s,boot=esp32,seed=7",
		"to-hub.flip=0.1,to-device.flip=0.2,to-device.delay=5ms", `boot="x\x00,"`,
	} {
		o, err := Parse(text)
		if err != nil || o.String() != text {
			t.Errorf("%s becomes %s, %v", text, o, err)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"flip":                    "insert, drop, repeat, delay, baud, cut, away, boot, seed, as in flip=1e-4,",
		"flop=1":                  `there is no "flop": write one or more of flip, `,
		"to-hub.cut=1s":           `there is no "to-hub.cut"`,
		"flip=2":                  "flip must be a chance from 0 to 1",
		"drop=101%":               "must be a chance",
		"lose=-1":                 "must be a chance",
		"lose=NaN":                "must be a chance",
		"drop=much":               "drop=much is not understood: write it as in drop=1%",
		"delay=5":                 "write it as in delay=2ms..20ms",
		"delay=5ms..":             "write it as in delay=2ms..20ms",
		"delay=5ms..1ms":          "the shorter one first",
		"delay=-5ms..1ms":         "out of range",
		"delay=1h":                "out of range",
		"baud=fast":               "write it as in baud=115200",
		"baud=49":                 "give 50 to",
		"cut=1ns":                 "give 1ms or more",
		"cut=-1s":                 "give 1ms or more",
		"away=1us":                "give 1ms or more",
		"seed=-1":                 "write it as in seed=7",
		"boot=arduino":            "write it as in boot=esp32",
		`boot="x`:                 "not quoted as it should be",
		`boot="x"y,seed=1`:        "not quoted as it should be",
		"seed=1,seed=2":           "seed is given twice",
		"drop=1%,to-hub.drop=2%":  "to-hub.drop is given twice",
		`boot="` + longText + `"`: "longer than 4096",
	} {
		if o, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "fault: ") || o != (Options{}) {
			t.Errorf("%s: %v\nand not: %s", text, err, want)
		}
	}
}

var longText = strings.Repeat("x", maxBoot+1)

// TestOptions: who writes Go is told the same.
func TestOptions(t *testing.T) {
	for _, o := range []Options{
		{ToHub: Harm{Flip: 1.5}}, {ToDevice: Harm{Drop: math.NaN()}}, {ToDevice: Harm{Baud: -1}},
		{ToHub: Harm{Delay: Range{Min: time.Second}}}, {Cut: -1}, {Away: -1}, {Boot: longText},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("flip=1e-4,drop=1%,lose=0.1%,double=.5,insert=0,delay=2ms..20ms,cut=30s,away=5s,baud=115200,boot=esp32,seed=7")
	f.Add(`to-hub.flip=1,to-device.flip=0.5,to-hub.delay=5ms,boot="a,\x00\"b"`)
	f.Add("delay=..,boot=\"")
	f.Fuzz(func(t *testing.T, text string) {
		o, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(o.String())
		if err != nil || again != o {
			t.Fatalf("%q becomes %q: %+v instead of %+v, %v", text, o, again, o, err)
		}
		if _, err := New(o); err != nil {
			t.Fatal(err)
		}
	})
}
