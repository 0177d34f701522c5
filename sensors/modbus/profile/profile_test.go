package profile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sighub/sensors/modbus/frame"
)

// TestEmbedded: each profile says what it is for and where it comes from, and all its registers are read.
func TestEmbedded(t *testing.T) {
	names, list := Library{}.All()
	if len(list) != len(Names()) || len(list) < 6 {
		t.Fatal(names)
	}
	for i, p := range list {
		if p.Name == "" || p.Source == "" || p.ID == 0 || p.Baud == 0 {
			t.Errorf("%s: %+v", names[i], p)
		}
		n := 0
		for _, b := range Plan(p.Registers, p.Most, p.Gap) {
			if err := b.Request.Check(); err != nil {
				t.Error(err)
			}
			n += len(b.Registers)
		}
		if n != len(p.Registers) {
			t.Errorf("%s: %d of %d registers are read", names[i], n, len(p.Registers))
		}
	}
}

// parse parses the registers of a profile.
func parse(t testing.TB, registers string) *Profile {
	t.Helper()
	p, err := Parse("x.yaml", []byte("registers:\n"+registers))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestValues: what words mean.
func TestValues(t *testing.T) {
	for _, test := range []struct {
		register string
		words    []byte
		want     string
	}{
		{"{read: input, address: 0}", []byte{0x01, 0x31}, "305"},
		{"{read: input, address: 0, type: i16, scale: 0.1}", []byte{0xff, 0x33}, "-20.5"},
		{"{read: input, address: 0, type: u16, scale: 0.1, offset: -40}", []byte{0x02, 0x22}, "14.6"},
		{"{read: input, address: 0, type: u16, order: BADC}", []byte{0x34, 0x12}, "4660"},
		{"{read: input, address: 0, type: u32}", []byte{0x12, 0x34, 0x56, 0x78}, "305419896"},
		{"{read: input, address: 0, type: u32, order: CDAB}", []byte{0x56, 0x78, 0x12, 0x34}, "305419896"},
		{"{read: input, address: 0, type: u32, order: BADC}", []byte{0x34, 0x12, 0x78, 0x56}, "305419896"},
		{"{read: input, address: 0, type: u32, order: dcba}", []byte{0x78, 0x56, 0x34, 0x12}, "305419896"},
		{"{read: input, address: 0, type: i32}", []byte{0xff, 0xff, 0xff, 0xfe}, "-2"},
		{"{read: input, address: 0, type: f32}", []byte{0x43, 0x66, 0x1a, 0x40}, "230.1025"},
		{"{read: input, address: 0, type: f32}", []byte{0x43, 0x66, 0x19, 0x9a}, "230.1"},
		{"{read: input, address: 0, type: f32, order: CDAB}", []byte{0x19, 0x9a, 0x43, 0x66}, "230.1"},
		{"{read: input, address: 0, type: f32, scale: 0.001}", []byte{0x43, 0x66, 0x19, 0x9a}, "0.2301"},
		{"{read: input, address: 0, type: f32}", []byte{0x7f, 0xc0, 0, 0}, "no reading"},
		{"{read: input, address: 0, type: f32}", []byte{0xff, 0x80, 0, 0}, "out of range"},
		{"{read: input, address: 0, type: f32}", []byte{0x80, 0, 0, 0}, "0"},
		{"{read: input, address: 0, type: f64}", []byte{0x40, 0x09, 0x21, 0xfb, 0x54, 0x44, 0x2d, 0x18}, "3.141592653589793"},
		{"{read: input, address: 0, type: u64}", []byte{0, 0, 0, 0, 0, 0, 1, 0}, "256"},
		{"{read: input, address: 0, type: u64}", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, "18446744073709551615"},
		{"{read: input, address: 0, type: u64, order: CDAB}", []byte{0, 1, 0, 2, 0, 3, 0, 4}, "1125912791875585"},
		{"{read: input, address: 0, type: i64}", []byte{0x80, 0, 0, 0, 0, 0, 0, 0}, "-9223372036854775808"},
		{"{read: input, address: 0, type: i64, scale: 10}", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfd}, "-30"},
		{"{read: input, address: 0, bits: 3}", []byte{0, 8}, "true"},
		{"{read: input, address: 0, bits: 3}", []byte{0xff, 0xf7}, "false"},
		{"{read: input, address: 0, bits: 4-7}", []byte{0x12, 0xa4}, "10"},
		{"{read: input, address: 0, type: u32, bits: 16-31}", []byte{0x12, 0xa4, 0, 0}, "4772"},
		{"{read: input, address: 0, none: 0xffff}", []byte{0xff, 0xff}, "no reading"},
		{"{read: input, address: 0, type: i16, none: [-32768, 32767]}", []byte{0x80, 0}, "no reading"},
		{"{read: input, address: 0, type: i16, none: 0x8000}", []byte{0x80, 0}, "no reading"},
		{"{read: input, address: 0, type: i32, none: -1, order: CDAB}", []byte{0xff, 0xff, 0xff, 0xff}, "no reading"},
		{"{read: input, address: 0, type: i16, scale: 0.1, none: -2}", []byte{0xff, 0xfe}, "no reading"},
		{"{read: input, address: 0, type: i32, order: CDAB, none: -2}", []byte{0xff, 0xfe, 0xff, 0xff}, "no reading"},
		{"{read: input, address: 0, type: f32, none: -999.0}", []byte{0xc4, 0x79, 0xc0, 0}, "no reading"},
		{"{read: input, address: 0, min: 5}", []byte{0, 4}, "it is 4, but can only be 5 or more"},
		{"{read: input, address: 0, max: 5, unit: V}", []byte{0, 6}, "it is 6 V, but can only be 5 V or less"},
		{"{read: input, address: 0, min: 1, max: 5, unit: V}", []byte{0, 6}, "can only be 1 to 5 V"},
	} {
		r := parse(t, "  v: "+test.register+"\n").Find("v")
		value, err := r.Value(test.words)
		got := fmt.Sprint(value)
		if f, ok := value.(float64); ok {
			got = text(f, "")
			if f == 3.141592653589793 {
				got = fmt.Sprint(f)
			}
			if f == float64(int64(f)) {
				got = fmt.Sprint(int64(f))
			}
		}
		if err != nil {
			if got = err.Error(); !errors.Is(err, ErrNone) && !errors.Is(err, ErrRange) {
				t.Error(err)
			}
		}
		if got != test.want && (err == nil || !strings.Contains(got, test.want)) {
			t.Errorf("%s: % x is %s, want %s", test.register, test.words, got, test.want)
		}
	}
}

// TestWrites: what is written for a value, and that it reads back.
func TestWrites(t *testing.T) {
	for _, test := range []struct {
		register string
		value    any
		want     string
	}{
		{"{read: coil, address: 5, write: true}", true, "{5 5 1 [1]}"},
		{"{read: coil, address: 5, write: true}", 0.0, "{5 5 1 [0]}"},
		{"{read: coil, address: 5, write: multiple}", false, "{15 5 1 [0]}"},
		{"{read: coil, address: 5, write: true}", 2.0, "it is a bit: write true or false"},
		{"{read: coil, address: 5, write: true}", "on", "it is a bit"},
		{"{read: holding, address: 5, write: true, scale: 0.1, offset: -40}", 21.5, "{6 5 1 [2 103]}"},
		{"{read: holding, address: 5, write: multiple}", uint64(7), "{16 5 1 [0 7]}"},
		{"{read: holding, address: 5, type: i16, write: true}", int64(-2), "{6 5 1 [255 254]}"},
		{"{read: holding, address: 5, type: i16, write: true}", 40000.0, "does not fit into a i16"},
		{"{read: holding, address: 5, write: true}", -1.0, "does not fit into a u16"},
		{"{read: holding, address: 5, type: u32, order: CDAB, write: true}", 305419896.0, "{16 5 2 [86 120 18 52]}"},
		{"{read: holding, address: 5, type: f32, write: true}", 230.5, "{16 5 2 [67 102 128 0]}"},
		{"{read: holding, address: 5, type: f32, write: true}", 1e300, "too large for a f32"},
		{"{read: holding, address: 5, write: true, max: 10}", 11.0, "can only be 10 or less"},
		{"{read: holding, address: 5, write: true}", "7", "it is a number"},
		{"{read: holding, address: 5, write: true}", nil, "it is a number"},
		{"{read: holding, address: 5}", 7.0, "it cannot be written"},
	} {
		r := parse(t, "  v: "+test.register+"\n").Find("v")
		q, err := r.WriteRequest(test.value)
		if err != nil {
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s %v: %v, want %s", test.register, test.value, err, test.want)
			}
			continue
		}
		if got := fmt.Sprint(q); got != test.want || q.Check() != nil {
			t.Errorf("%s %v: %s, want %s; %v", test.register, test.value, got, test.want, q.Check())
		}
	}
}

// TestPlan: registers are read together where that is possible, and each is found in the answer.
func TestPlan(t *testing.T) {
	p := parse(t, `  a: {read: holding, address: 10}
  b: {read: holding, address: 11, type: u32}
  low: {read: holding, address: 11, bits: 0}
  c: {read: holding, address: 14}
  d: {read: holding, address: 20}
  e: {read: input, address: 15}
  f: {read: holding, address: 15, interval: 1s}
  g: {read: coil, address: 0}
  h: {read: coil, address: 9}
`)
	for _, test := range []struct {
		most, gap int
		want      string
	}{
		{0, 0, "[{3 15 1 []} {1 0 1 []} {1 9 1 []} {3 10 3 []} {3 14 1 []} {3 20 1 []} {4 15 1 []}]"},
		{0, 1, "[{3 15 1 []} {1 0 1 []} {1 9 1 []} {3 10 5 []} {3 20 1 []} {4 15 1 []}]"},
		{0, 8, "[{3 15 1 []} {1 0 10 []} {3 10 11 []} {4 15 1 []}]"},
		{2, 8, "[{3 15 1 []} {1 0 1 []} {1 9 1 []} {3 10 1 []} {3 11 2 []} {3 14 1 []} {3 20 1 []} {4 15 1 []}]"},
	} {
		var got []frame.Request
		for _, b := range Plan(p.Registers, test.most, test.gap) {
			got = append(got, b.Request)
		}
		if fmt.Sprint(got) != test.want {
			t.Errorf("most %d, gap %d: %v", test.most, test.gap, got)
		}
	}
	for _, b := range Plan(p.Registers, 0, 8) {
		data := make([]byte, 2*int(b.Request.Count))
		for i := range data {
			data[i] = byte(i%2) * byte(int(b.Request.Address)+i/2) // each word is its address
		}
		if b.Request.Function.Bits() {
			data = []byte{1, 2}
		}
		b.Values(data, func(r *Register, value any, err error) {
			want := map[string]any{"a": 10.0, "b": 11.0*65536 + 12, "low": true, "c": 14.0, "d": 20.0, "e": 15.0, "f": 15.0, "g": true, "h": true}[r.Event]
			if r.Event == "low" {
				want = true // 11 is odd
			}
			if value != want || err != nil {
				t.Errorf("%s is %v, %v, want %v", r.Event, value, err, want)
			}
		})
		n := 0
		for _, part := range b.Split() {
			n += len(part.Registers)
		}
		if n != len(b.Registers) {
			t.Errorf("%v is split into %d registers", b.Request, n)
		}
	}
}

// TestLibrary: profiles of one's own come first, by name or by path, and say where they are wrong.
func TestLibrary(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "modbus")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"modbus/sdm120.yaml": "name: mine\nregisters: {v: {read: input, address: 1}}\n",
		"modbus/bad.yaml":    "registers: {v: {read: input, address: x}}\n",
		"other.yaml":         "name: other\ninterval: 5s\nregisters: {v: {read: input, address: 1}, w: {read: input, address: 2, interval: 1s}}\n",
		"modbus/empty.yaml":  "",
		"modbus/none.yaml":   "name: x\nidentify: [v]\n",
		"modbus/big.yaml":    "#" + strings.Repeat("x", 300_000),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := Library{Folder: folder}
	for name, want := range map[string]string{
		"sdm120": "mine", "xy-md02": "XY-MD02, thermometer", "other.yaml": "other", "./other.yaml": "other", filepath.Join(dir, "other.yaml"): "other",
		"bad": `bad.yaml:1:39: address must be a whole number, not "x"`, "nobody": "there is no profile \"nobody\", nor is there a ", "x.yaml": "cannot be read",
		"empty": "the file is empty", "none": "no registers", "big": "beyond its first", "./modbus": "is no file",
	} {
		p, err := l.Find(name)
		got := fmt.Sprint(err)
		if err == nil {
			got = p.Name
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	other, err := l.Find("other.yaml")
	if err != nil {
		t.Fatal(err)
	}
	own := parse(t, "  w: {read: input, address: 7}\n  x: {read: input, address: 8}\n")
	own.Interval = 0
	all, err := other.With(own, []string{"w", "v"})
	if err != nil || len(all.Registers) != 2 || all.Find("w").Address != 7 || all.Find("w").Interval != 5*time.Second || all.Find("v").Interval != 5*time.Second {
		t.Errorf("%+v, %v", all, err)
	}
	if other.Find("w").Address != 2 || other.Find("w").Interval != time.Second {
		t.Error("the profile itself has changed")
	}
	if _, err := other.With(new(Profile), []string{"z"}); err == nil {
		t.Error("an event that is not there is taken")
	}
	if names, _ := l.All(); !slices.Contains(names, "sdm120") || slices.Contains(names, "bad") {
		t.Error(names)
	}
}

// FuzzProfile: no text makes a profile that panics, or whose requests are not possible; and what is written reads back.
func FuzzProfile(f *testing.F) {
	for _, name := range Names() {
		data, _ := embedded.ReadFile("files/" + name + ending)
		f.Add(data, []byte{1, 2, 3, 4, 5, 6, 7, 8}, 21.5)
	}
	f.Add([]byte("most: 3\ngap: 2\nregisters: {a: {read: holding, address: 65535, bits: 3-9, none: [0, -1]}, b: {read: coil, address: 7, write: multiple}}"), []byte{0xff}, -1.0)
	f.Add([]byte("registers: {a: {read: holding, address: 1, type: u64, scale: 1e300, offset: -1e300, order: DCBA, write: true}}"), []byte{0xff}, 1e308)
	f.Fuzz(func(t *testing.T, text, data []byte, value float64) {
		p, err := Parse("x", text)
		if err != nil {
			return
		}
		for _, b := range Plan(p.Registers, p.Most, p.Gap) {
			if err := b.Request.Check(); err != nil {
				t.Fatalf("%+v: %v", b.Request, err)
			}
			answer := make([]byte, b.Request.AnswerSize()-2)
			copy(answer, data)
			b.Values(answer, func(r *Register, v any, err error) {
				if f, ok := v.(float64); ok && !finite(f) {
					t.Fatalf("%+v is %v", r, v)
				}
			})
			for _, part := range b.Split() {
				if err := part.Request.Check(); err != nil {
					t.Fatal(err)
				}
			}
		}
		for i := range p.Registers {
			r := &p.Registers[i]
			if err := r.Check(); err != nil {
				t.Fatal(err)
			}
			if q, err := r.WriteRequest(value); err == nil && q.Check() != nil {
				t.Fatalf("%+v of %v: %v", q, value, q.Check())
			}
		}
	})
}
