package config

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"sighub/carrier"
	"sighub/internal/address"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden reads each testdata/*.yaml; the .want beside it holds the configuration, or the errors.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no test data", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := outcome(t, filepath.Base(file), data)
			golden := strings.TrimSuffix(file, ".yaml") + ".want"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func outcome(t *testing.T, file string, data []byte) string {
	c, err := Parse(file, data)
	if err != nil {
		return err.Error() + "\n"
	}
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return c.Summary() + "\n" + string(text) + "\n"
}

func TestLoad(t *testing.T) {
	if _, err := Load(t.Context(), "testdata/full.yaml", nil); err != nil {
		t.Error(err)
	}
	_, err := Load(t.Context(), "testdata/nothing.yaml", nil)
	if err == nil || !strings.Contains(err.Error(), "no such file: check the path") {
		t.Error(err)
	}
	_, err = Load(t.Context(), "testdata", nil)
	if err == nil {
		t.Error("a folder was read")
	}
	big := filepath.Join(t.TempDir(), "big.yaml")
	if err := os.WriteFile(big, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = Load(t.Context(), big, nil); err == nil || !strings.Contains(err.Error(), "beyond its first 262144 bytes") {
		t.Error(err)
	}
	_, err = Load(t.Context(), "testdata/sizes.yaml", nil)
	var fault *Error
	if !errors.As(err, &fault) || fault.Line != 2 || fault.File != "testdata/sizes.yaml" {
		t.Error(err)
	}
}

func TestAdd(t *testing.T) {
	for _, test := range []struct {
		name           string
		listen, serial []string
		want           string // in the error; empty: none
		addresses      string
		ports          int
	}{
		{"nothing", nil, nil, "", "tcp://127.0.0.1:3000 unix:///run/sighub/hub.sock unix:///run/sighub/all.sock unix:///run/sighub/own.sock", 2},
		{"addresses replace", []string{"[::1]:7"}, nil, "", "tcp://[::1]:7", 2},
		{"ports are added", nil, []string{"/dev/x?baud=9600&name=a+b%26c&naming={device}/{sender}&opener=tarm"}, "", "", 3},
		{"bad address", []string{"x"}, nil, "--listen x: the port is missing: write x:3000", "", 0},
		{"twice", []string{"a:1", "tcp://a:1"}, nil, "--listen tcp://a:1: tcp://a:1 is given twice", "", 0},
		{"two free ports", []string{"a:0", "a:0"}, nil, "", "tcp://a:0 tcp://a:0", 2},
		{"port twice", nil, []string{"/dev/ttyUSB0"}, "/dev/ttyUSB0 is given twice, in the file or on the command line", "", 0},
		{"no path", nil, []string{"?baud=1"}, "the port is missing", "", 0},
		{"bad baud", nil, []string{"/dev/x?baud=1"}, "--serial /dev/x?baud=1: baud 1 is out of range", "", 0},
		{"no number", nil, []string{"/dev/x?baud=fast"}, `baud "fast" is not a whole number`, "", 0},
		{"unknown key", nil, []string{"/dev/x?speed=1"}, `"speed" is not known: write baud, opener, name, naming, dtr, rts, may, data,`, "", 0},
		{"patterns", nil, []string{"/dev/ttyUSB?", "/dev/ttyACM??dtr=off", "0403:6001:A1?rts=off", "auto"}, "", "", 6},
		{"malformed pattern", nil, []string{"/dev/tty[A"}, "/dev/tty[A is malformed", "", 0},
		{"no port at all", nil, []string{"none"}, "", "", 0},
		{"none and one", nil, []string{"none", "/dev/x"}, "none means no port at all", "", 0},
		{"bad line", nil, []string{"/dev/x?dtr=up"}, `dtr "up" is not known: write on or off`, "", 0},
		{"bad escape", nil, []string{"/dev/x?name=%zz"}, "invalid URL escape", "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := Load(t.Context(), "testdata/full.yaml", nil)
			if err != nil {
				t.Fatal(err)
			}
			err = c.Add(test.listen, test.serial)
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Fatalf("error %v, want %s", err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var addresses []string
			for _, a := range c.Listen {
				addresses = append(addresses, a.String())
			}
			if got := strings.Join(addresses, " "); test.addresses != "" && got != test.addresses {
				t.Errorf("addresses %s, want %s", got, test.addresses)
			}
			if len(c.Serial) != test.ports {
				t.Errorf("%d ports, want %d", len(c.Serial), test.ports)
			}
		})
	}
	p, err := ParsePort("/dev/x?baud=9600&name=a+b%26c&naming={device}/{sender}&opener=tarm")
	if want := (Port{Port: "/dev/x", Baud: 9600, Opener: "tarm", Name: "a+b&c", Naming: "{device}/{sender}"}); err != nil || p != want {
		t.Error(p, err)
	}
	if p, err := ParsePort("/dev/ttyACM??dtr=off&rts=on"); err != nil || p.Port != "/dev/ttyACM?" || !p.DTROff || p.RTSOff {
		t.Error(p, err)
	}
	if p, err := ParsePort("/dev/x?may=Listen,request"); err != nil || p.May != carrier.RightListen|carrier.RightRequest {
		t.Error(p, err)
	}
	for _, bad := range []string{"/dev/x?may=", "/dev/x?may=listen,admin"} {
		if p, err := ParsePort(bad); err == nil || !strings.Contains(err.Error(), "write listen, request, list or all") {
			t.Error(bad, p, err)
		}
	}
	if p, err := ParsePort("/dev/x?baud=auto"); err != nil || p.Baud != DefaultBaud {
		t.Error(p, err)
	}
}

func TestDefault(t *testing.T) {
	c := Default()
	if len(c.Listen) != 1 || c.Listen[0].String() != "tcp://127.0.0.1:3000" || c.Limits.Clients != 10_000 {
		t.Errorf("%+v", c)
	}
	if got := c.Summary(); got != "1 address, serial ports: auto" {
		t.Error(got)
	}
	if err := c.Add(nil, []string{"/dev/ttyUSB0"}); err != nil || len(c.Serial) != 1 || c.Serial[0].Port != "/dev/ttyUSB0" {
		t.Errorf("a port that was given is added to those that are found: %+v, %v", c.Serial, err)
	}
	if err := c.Add(nil, []string{"none"}); err != nil || len(c.Serial) != 0 || c.Summary() != "1 address, serial ports: none" {
		t.Errorf("%+v, %v", c.Serial, err)
	}
}

func TestLocal(t *testing.T) {
	for text, want := range map[string]bool{
		"tcp://127.0.0.1:1": true, "tcp://[::1]:1": true, "localhost:1": true, "unix:///x": true,
		":3000": false, "0.0.0.0:1": false, "tcp://hub.example:1": false, "192.168.1.1:2": false,
	} {
		a, err := address.Parse(text)
		if err != nil || a.Local() != want {
			t.Errorf("%s: %v %v", text, a.Local(), err)
		}
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.yaml")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("{? [a]: b, <<: *x}"))
	f.Add([]byte("serial: [{port: a, ? b}]"))
	for _, text := range []string{"[[[", "- - -", "? ? ", "&a *a", "a: |\n  x", "{a: {b: [c", "!a !b c", "'\n", "\"\\x41", "---\n...\n", "<<: {}", "%TAG\n"} {
		f.Add([]byte(strings.Repeat(text, 500)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c, err := Parse("x.yaml", data)
		runtime.ReadMemStats(&after)
		if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 150<<20 {
			t.Fatalf("%d bytes took %d MiB", len(data), allocated>>20)
		}
		switch {
		case err == nil:
			if len(c.Listen) == 0 || c.Limits.MessageSize < minMessage {
				t.Errorf("%+v", c)
			}
			for _, a := range c.Listen {
				if again, err := address.Parse(a.String()); err != nil || !again.Same(a) {
					t.Errorf("%s: read again, it is %s, %v", a, again, err)
				}
			}
		case !strings.HasPrefix(err.Error(), "x.yaml:"):
			t.Errorf("an error without the file's name: %v", err)
		}
	})
}

func FuzzParseBus(f *testing.F) {
	for _, text := range []string{"I2C1", "/dev/i2c-10", "OneWire0", "sim", "sim?day=1m&unplugged=/tmp/a%20b", "sim?x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b, err := ParseBus(text)
		if err != nil {
			return
		}
		if again, err := ParseBus(b.String()); err != nil || again != b {
			t.Errorf("%q is %+v; written and read again %+v, %v", text, b, again, err)
		}
	})
}

func FuzzParsePort(f *testing.F) {
	f.Add("/dev/ttyUSB0?baud=115200&naming={device}.{sender}")
	f.Add("?=&&%")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePort(text)
		if err == nil && (p.Port == "" || p.Baud != DefaultBaud && checkBaud(p.Baud) != nil || checkNaming(p.Naming) != nil) {
			t.Errorf("%+v", p)
		}
	})
}
