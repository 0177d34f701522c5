package kernel

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"go.uber.org/goleak"

	"sighub/sensors"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tree makes the tree of a txtar file and returns its root, whose name has in it what means something to a pattern.
func tree(t testing.TB, name string) string {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(t.TempDir(), `sys [*]`)
	for _, f := range archive.Files {
		name, target, link := strings.Cut(f.Name, " -> ")
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if link {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, f.Data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// write changes a file of a tree.
func write(t *testing.T, root, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// read opens what was found, reads it once and closes it.
func read(ctx context.Context, f Found) ([]float64, error) {
	s, err := f.Open(ctx)
	if err != nil {
		return nil, err
	}
	values := make([]float64, len(s.Quantities()))
	err = s.Read(ctx, values)
	if closing := s.Close(); err == nil {
		err = closing
	}
	return values, err
}

// TestTrees: what is found in recorded trees, and what it reads.
func TestTrees(t *testing.T) {
	for _, name := range []string{"pi", "pc", "kinds", "malformed"} {
		t.Run(name, func(t *testing.T) {
			var got strings.Builder
			root := tree(t, name+".txtar")
			var names []string
			for _, f := range Scan(Options{Root: root, Logger: slog.New(slog.DiscardHandler)}) {
				names = append(names, f.Name)
				bus := f.Bus
				if bus == "" {
					bus = "-"
				}
				fmt.Fprintf(&got, "%s (%s, bus %s)\n", f.Name, f.Kind, bus)
				values, err := read(t.Context(), f)
				partial, some := errors.AsType[sensors.PartialError](err)
				if err != nil && !some {
					fmt.Fprintf(&got, "  %s\n", strings.ReplaceAll(err.Error(), f.Path, "…"))
					continue
				}
				events := make(map[string]bool)
				for i, q := range f.Quantities {
					r := sensors.Reading{Value: math.Round(values[i]*1e9) / 1e9, Unit: q.Unit}
					if some && partial[i] != nil {
						fmt.Fprintf(&got, "  %s: %s\n", q.Name, strings.ReplaceAll(partial[i].Error(), f.Path, "…"))
					} else if err := q.Check(r.Value); err != nil && !math.IsNaN(r.Value) {
						fmt.Fprintf(&got, "  %s\n", err)
					} else {
						fmt.Fprintf(&got, "  %s %s\n", q.Name, r)
					}
					if events[q.Name] {
						t.Errorf("%s has two events %s", f.Name, q.Name)
					}
					events[q.Name] = true
				}
			}
			for i := range names[1:] {
				if names[i] >= names[i+1] {
					t.Errorf("%s is before %s", names[i], names[i+1])
				}
			}
			golden := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != string(want) {
				t.Errorf("found\n%s\nwant\n%s", got.String(), want)
			}
		})
	}
}

// TestLeftovers: what is there and not understood is told, whether the rest of its device is or not.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	var got []string
	root := tree(t, "kinds.txtar")
	write(t, root, "devices/platform/soc/0000:0000/iio:device17/in_rot_from_north_true_mean_raw", "90")
	for _, l := range Leftovers(Options{Root: root}) {
		got = append(got, fmt.Sprint(l.Kind, " ", l.Name, " ", l.Values, " ", filepath.Base(l.Path)))
	}
	want := []string{"iio rotation-alone [in_rot_from_north_true] iio:device17", "iio dev_rotation [in_rot_quaternion in_velocity_sqrt(x^2+y^2+z^2)] iio:device16"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
}

// found returns what was found by that name.
func found(t *testing.T, root, name string) Found {
	t.Helper()
	var names []string
	for _, f := range Scan(Options{Root: root}) {
		if f.Name == name {
			return f
		}
		names = append(names, f.Name)
	}
	t.Fatalf("no sensor %s, only %v", name, names)
	return Found{}
}

// TestChanges: an open sensor reads what its files say by then.
func TestChanges(t *testing.T) {
	root := tree(t, "pi.txtar")
	f := found(t, root, "cpu")
	s, err := f.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	values := make([]float64, 1)
	for text, want := range map[string]float64{"48686\n": 48.686, "-1": -0.001, "0\n": 0, "105000": 105} {
		write(t, root, "devices/virtual/thermal/thermal_zone0/temp", text)
		if err := s.Read(t.Context(), values); err != nil || math.Abs(values[0]-want) > 1e-9 {
			t.Errorf("%q is read as %v, %v", text, values, err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errNumber)
	if err := s.Read(ctx, values); err == nil {
		t.Error("it reads although it is to end")
	}
	if err := s.Read(t.Context(), nil); err == nil {
		t.Error("it reads without room for its value")
	}
}

// TestComesBack: a disk that was pulled and put back has another number, and is found again.
func TestComesBack(t *testing.T) {
	root := tree(t, "pc.txtar")
	f := found(t, root, "nvme-0000-00-06-0")
	disk := filepath.Join(root, "devices/pci0000:00/0000:00:06.0/nvme/nvme1")
	link := filepath.Join(root, "class/hwmon/hwmon2")
	for _, err := range []error{os.Remove(link), os.RemoveAll(disk)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Open(t.Context()); err == nil || !strings.Contains(err.Error(), "nvme at 0000:00:06.0 is gone") {
		t.Errorf("opening what is not there: %v", err)
	}
	if got := found(t, root, "nvme").Path; !strings.Contains(got, "nvme0") {
		t.Errorf("the disk that is left is at %s", got)
	}
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Join(disk, "hwmon9"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(disk, "hwmon9", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("name", "nvme\n")
	write("temp1_input", "20850\n")
	for old, link := range map[string]string{
		"../../nvme1":                 filepath.Join(disk, "hwmon9", "device"),
		filepath.Join(disk, "hwmon9"): filepath.Join(root, "class/hwmon/hwmon9"),
	} {
		if err := os.Symlink(old, link); err != nil {
			t.Fatal(err)
		}
	}
	if values, err := read(t.Context(), f); err != nil || len(values) != 1 || values[0] != 20.85 {
		t.Errorf("after it came back: %v, %v", values, err)
	}
}

// TestSeparate: the inputs of a monitoring chip are measured apart, those of a chip for weather are not; all have a range.
func TestSeparate(t *testing.T) {
	for name, separate := range map[string]bool{"nct6798": true, "als": false, "x86-pkg-temp": false} {
		for _, q := range found(t, tree(t, "pc.txtar"), name).Quantities {
			if q.Separate != separate || !(q.Min < q.Max) {
				t.Errorf("%s: %+v", name, q)
			}
		}
	}
}

// TestOneOfSeveral: an input that cannot be read, or has become empty, is told alone, and the others are still read; a device
// with nothing else fails.
func TestOneOfSeveral(t *testing.T) {
	root := files(t, map[string]string{
		"class/hwmon/hwmon0/name": "board\n", "class/hwmon/hwmon0/temp1_input": "41000\n", "class/hwmon/hwmon0/temp2_input/x": "",
		"class/hwmon/hwmon0/temp3_input": "43000\n", "class/thermal/thermal_zone0/type": "zone\n",
		"class/thermal/thermal_zone0/temp/x": "",
	})
	f := found(t, root, "board")
	s, err := f.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	write(t, root, "class/hwmon/hwmon0/temp3_input", "")
	values := make([]float64, 3)
	err = s.Read(t.Context(), values)
	partial, ok := errors.AsType[sensors.PartialError](err)
	if !ok || values[0] != 41 || !math.IsNaN(values[1]) || !math.IsNaN(values[2]) || partial[0] != nil || partial[1] == nil ||
		!errors.Is(partial[2], errNumber) || !strings.Contains(err.Error(), "hwmon board") {
		t.Errorf("%v, %v", values, err)
	}
	write(t, root, "class/hwmon/hwmon0/temp1_input", "garbage")
	if err := s.Read(t.Context(), values); err == nil || errors.As(err, &partial) {
		t.Errorf("nothing can be read: %v", err)
	}
	if values, err := read(t.Context(), found(t, root, "zone")); err == nil {
		t.Errorf("a directory reads %v", values)
	}
}

// TestNames: what a sensor is called does not depend on the numbers that the kernel gives, nor on their order.
func TestNames(t *testing.T) {
	at := func(kind, name, place string) *device { return &device{kind: kind, name: name, place: place} }
	for _, test := range []struct {
		devices []*device
		want    string
	}{
		{[]*device{at(Hwmon, "k10temp", "0000:00:18.3"), at(Thermal, "acpitz", "thermal_zone0")}, "[cpu acpitz]"},
		{[]*device{at(Hwmon, "coretemp", "coretemp.0"), at(Thermal, "x86_pkg_temp", "thermal_zone1")}, "[cpu x86-pkg-temp]"},
		{[]*device{at(Thermal, "cpu-thermal", "thermal_zone0")}, "[cpu]"},
		{[]*device{at(Hwmon, "cpu", "a"), at(Thermal, "cpu_thermal", "thermal_zone0")}, "[cpu-a cpu]"},
		{[]*device{at(Hwmon, "nvme", "nvme0")}, "[nvme]"},
		{[]*device{at(IIO, "bme280", "1-0076"), at(IIO, "bme280", "1-0077")}, "[bme280-1-0076 bme280-1-0077]"},
		{[]*device{at(IIO, "als", "a"), at(IIO, "als", "a"), at(IIO, "als", "a")}, "[als-a-1 als-a-2 als-a-3]"},
		{[]*device{at(Hwmon, "", ""), at(Hwmon, "…", "")}, "[hwmon-1 hwmon-2]"},
		{[]*device{at(Hwmon, strings.Repeat("x", 300), "")}, "[" + strings.Repeat("x", 60) + "]"},
	} {
		if got := fmt.Sprint(names(test.devices)); got != test.want {
			t.Errorf("%s, want %s", got, test.want)
		}
	}
}

// TestNoAllocation: a reading does not allocate.
func TestNoAllocation(t *testing.T) {
	root := tree(t, "pc.txtar")
	for _, f := range append(Scan(Options{Root: root}), Scan(Options{Root: tree(t, "pi.txtar")})...) {
		s, err := f.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		values := make([]float64, len(s.Quantities()))
		if s.Read(t.Context(), values) != nil {
			continue // what fails may allocate
		}
		if n := testing.AllocsPerRun(20, func() { err = s.Read(t.Context(), values) }); n != 0 || err != nil {
			t.Errorf("%s: a reading allocates %v times, %v", f.Name, n, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestThisMachine: whatever this machine has is found, and can be read or says why not.
func TestThisMachine(t *testing.T) {
	for _, f := range Scan(Options{}) {
		values, err := read(t.Context(), f)
		t.Log(f.Name, f.Kind, f.Path, values, err)
		for _, v := range values {
			if err == nil && math.IsInf(v, 0) {
				t.Errorf("%s reads %v", f.Name, values)
			}
		}
	}
	if all := Scan(Options{Root: filepath.Join(t.TempDir(), "none")}); len(all) > 0 {
		t.Errorf("found %v where nothing is", all)
	}
}

// FuzzNumber: a number of the kernel's is one that is written again as it was, or it is refused.
func FuzzNumber(f *testing.F) {
	for _, seed := range []string{"48686\n", "-1250", "0.000244140", "25.500000000\n", "+3", "1e-3", "nan", "0x1p-2", "inf", "1_000",
		"", "-", "1e999", "  5", "5 dB", "1.2.3", "\x00", strings.Repeat("9", 70)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		n, err := parseNumber(text)
		if err != nil {
			return
		}
		if math.IsNaN(n) || math.IsInf(n, 0) {
			t.Fatalf("%q is %v", text, n)
		}
		if again, err := parseNumber(fmt.Appendf(nil, "%v\n", n)); err != nil || again != n {
			t.Errorf("%q is %v, and that is %v, %v", text, n, again, err)
		}
		if strings.ContainsAny(strings.TrimRight(string(text), " \t\r\n\x00"), " xXpPnN_") {
			t.Errorf("%q is taken for %v", text, n)
		}
	})
}

// FuzzOneWire: a w1_slave gives a number that stands in it, and only with a right checksum.
func FuzzOneWire(f *testing.F) {
	f.Add([]byte("72 01 4b 46 7f ff 0e 10 57 : crc=57 YES\n72 01 4b 46 7f ff 0e 10 57 t=23125\n"))
	f.Add([]byte("50 05 4b 46 7f ff 0c 10 1c : crc=1c YES\n50 05 4b 46 7f ff 0c 10 1c t=85000\n"))
	f.Add([]byte("50 05 4b 46 7f ff 10 10 1c : crc=1c YES\n50 05 4b 46 7f ff 10 10 1c t=85000\n"))
	f.Add([]byte("00 00 : crc=00 NO\n00 t=0\n"))
	f.Add([]byte(" YES\nt="))
	f.Add([]byte("00 00 00 00 00 00 00 00 00 : crc=00 YES\n00 00 00 00 00 00 00 00 00 t=0\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		n, err := parseOneWire(text)
		if err == nil && (math.IsNaN(n) || math.IsInf(n, 0) || !strings.Contains(string(text), " YES") ||
			!strings.Contains(string(text), "t=")) {
			t.Errorf("%q is taken for %v", text, n)
		}
		if err == nil && bytes.HasPrefix(text, []byte("00 00 00 00 00 00 00 00 00 ")) {
			t.Errorf("%q is taken for %v", text, n)
		}
	})
}

// FuzzTree: files of any content never make a scan or a reading panic.
func FuzzTree(f *testing.F) {
	f.Add("name", "bme280", "in_temp_raw", "21", "in_temp_scale", "10")
	f.Add("name", "k10temp", "temp1_input", "45000", "temp1_label", "Tctl")
	f.Add("type", "cpu-thermal", "temp", "45000", "w1_slave", "YES\nt=1")
	f.Add("name", "", "power1_average", "\xff", "fan1_input", "-")
	f.Fuzz(func(t *testing.T, a, aText, b, bText, c, cText string) {
		root := t.TempDir()
		for _, dir := range []string{"class/hwmon/hwmon0", "class/thermal/thermal_zone0", "bus/iio/devices/iio:device0",
			"bus/w1/devices/28-000000000001"} {
			if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
				t.Fatal(err)
			}
			for name, text := range map[string]string{a: aText, b: bText, c: cText} {
				if filepath.IsLocal(name) && !strings.ContainsAny(name, "/\x00") {
					_ = os.WriteFile(filepath.Join(root, dir, name), []byte(text), 0o644) // a name may be too long
				}
			}
		}
		for _, found := range Scan(Options{Root: root}) {
			if found.Name == "" || len(found.Quantities) == 0 {
				t.Errorf("found %+v", found)
			}
			_, _ = read(t.Context(), found) // it may fail
		}
	})
}
