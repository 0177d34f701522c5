package formats

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sighub/carrier"
)

var update = flag.Bool("update", false, "write the golden files anew")

// meterPattern is the pattern of the corpus.
const meterPattern = `^1-0:1\.8\.0\((?P<energy>[0-9.nax]+)\*kWh\)`

// corpora are the options by the name of the file in testdata.
var corpora = map[string]Options{
	"json": {Format: JSON}, "pairs": {Format: Pairs}, "pairs-comma": {Format: Pairs, Comma: true}, "csv": {Format: CSV},
	"csv-columns": {Format: CSV, Columns: []string{"temp", "hum", "-", "n"}, Comma: true}, "number": {Format: Number, Event: "level"},
	"nmea": {Format: NMEA}, "mysensors": {Format: MySensors}, "dsmr": {Format: DSMR}, "dsmr-off": {Format: DSMR, Unchecked: true},
	"pattern": {Format: Pattern, Pattern: meterPattern},
}

// corpusTime is when the lines of the corpora come: shortly after the meters' clocks.
var corpusTime = time.Date(2026, 3, 23, 12, 6, 0, 0, time.UTC)

func newParser(t testing.TB, o Options) Parser {
	t.Helper()
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestGolden reads each testdata/*.bin, byte for byte as it would come from a device; the .want beside it has what each line becomes.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bin")
	if err != nil || len(files) != len(corpora) {
		t.Fatal(files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".bin")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p := newParser(t, corpora[name])
			var got strings.Builder
			var s Splitter
			s.Feed(data, corpusTime, func(line []byte, at time.Time) {
				list, err := p.Parse(nil, string(line), at)
				tell(&got, string(line), list, err)
			})
			golden := strings.TrimSuffix(file, ".bin") + ".want"
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
				t.Errorf("got\n%s\nwant\n%s", got.String(), want)
			}
		})
	}
}

// tell tells what became of a line.
func tell(w *strings.Builder, line string, list []Event, err error) {
	fmt.Fprintf(w, "%q\n", line)
	for _, e := range list {
		fmt.Fprintf(w, "\t%s%s = %#v %s", strings.TrimPrefix(e.Of+" ", " "), e.Name, e.Value, e.Unit)
		if !e.At.IsZero() {
			fmt.Fprintf(w, " at %s", e.At.Format(time.RFC3339))
		}
		w.WriteByte('\n')
	}
	if err != nil {
		fmt.Fprintf(w, "\t%s: %s\n", carrier.Cause(err), err)
	}
}

// checkEvents: whatever a line is, what comes of it is harmless.
func checkEvents(t *testing.T, list []Event, err error) {
	t.Helper()
	if err != nil && carrier.Cause(err) == carrier.CauseOther {
		t.Errorf("%v has no cause", err)
	}
	if len(list) > maxValues {
		t.Errorf("%d events", len(list))
	}
	for _, e := range list {
		if err := CheckName(e.Name); err != nil {
			t.Errorf("%q: %v", e.Name, err)
		}
		switch v := e.Value.(type) {
		case float64:
			if !finite(v) {
				t.Errorf("%s is %v", e.Name, v)
			}
		case string:
			if len(v) > maxText {
				t.Errorf("%s has %d bytes", e.Name, len(v))
			}
		case Position:
			if math.Abs(v.Lat) > 90 || math.Abs(v.Lon) > 180 {
				t.Errorf("%+v", v)
			}
		case bool:
		default:
			t.Errorf("%s is %#v", e.Name, e.Value)
		}
	}
}

func fuzz(f *testing.F, names ...string) {
	for _, name := range names {
		data, err := os.ReadFile("testdata/" + name + ".bin")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		for _, line := range Lines(string(data)) {
			f.Add([]byte(line + "\n"))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, name := range names {
			p := newParser(t, corpora[name])
			var s Splitter
			s.Feed(data, corpusTime, func(line []byte, at time.Time) {
				list, err := p.Parse(nil, string(line), at)
				checkEvents(t, list, err)
			})
		}
	})
}

func FuzzJSON(f *testing.F)      { fuzz(f, "json") }
func FuzzPairs(f *testing.F)     { fuzz(f, "pairs", "pairs-comma") }
func FuzzCSV(f *testing.F)       { fuzz(f, "csv", "csv-columns") }
func FuzzNumber(f *testing.F)    { fuzz(f, "number") }
func FuzzNMEA(f *testing.F)      { fuzz(f, "nmea") }
func FuzzMySensors(f *testing.F) { fuzz(f, "mysensors") }
func FuzzDSMR(f *testing.F)      { fuzz(f, "dsmr", "dsmr-off") }
func FuzzPattern(f *testing.F)   { fuzz(f, "pattern") }

// FuzzLooks: whatever a device prints can be looked at.
func FuzzLooks(f *testing.F) {
	f.Add("temp:21.5\nhum:40\n")
	f.Add("1,2,3\n4,5,6")
	f.Fuzz(func(t *testing.T, text string) {
		look, ok := Looks(Lines(text))
		if ok && !slices.Contains(Names(), look.Format) {
			t.Errorf("%+v", look)
		}
	})
}

// FuzzSplitter: lines are the same however the bytes arrive.
func FuzzSplitter(f *testing.F) {
	f.Add([]byte("a\r\nb\rc\n\nd"), uint8(2), uint8(16))
	f.Add([]byte("aaaaaaaaaaaaaaaaaaaaaaaaaaaaa\rb\r\n"), uint8(3), uint8(8))
	f.Fuzz(func(t *testing.T, data []byte, step, most uint8) {
		whole, parts := Splitter{Max: int(most) + 1}, Splitter{Max: int(most) + 1}
		var want, got []string
		whole.Feed(data, corpusTime, func(line []byte, _ time.Time) { want = append(want, string(line)) })
		for rest := data; len(rest) > 0; {
			n := min(len(rest), int(step)+1)
			parts.Feed(rest[:n], corpusTime, func(line []byte, _ time.Time) { got = append(got, string(line)) })
			rest = rest[n:]
		}
		if !slices.Equal(got, want) || whole.Long != parts.Long {
			t.Errorf("%q in steps of %d: %q, %d long; at once %q, %d long", data, step+1, got, parts.Long, want, whole.Long)
		}
		for _, line := range got {
			if len(line) > int(most)+1 || strings.ContainsAny(line, "\r\n") {
				t.Errorf("a line %q", line)
			}
		}
	})
}

// TestSplitter: a line has the time of its first byte; one that is too long is counted and skipped, and the next one is not.
func TestSplitter(t *testing.T) {
	s := Splitter{Max: 8}
	at := func(ms int) time.Time { return corpusTime.Add(time.Duration(ms) * time.Millisecond) }
	var got []string
	feed := func(ms int, text string) {
		s.Feed([]byte(text), at(ms), func(line []byte, begun time.Time) {
			got = append(got, fmt.Sprintf("%s@%d", line, begun.Sub(corpusTime).Milliseconds()))
		})
	}
	feed(1, "te")
	feed(2, "mp\r")
	feed(3, "\nhum")
	feed(4, "\n\nlonger than")
	feed(5, " it may be")
	feed(6, ", still\rshort\r\n12345678\n123456789\n")
	want := []string{"temp@1", "hum@3", "@4", "short@6", "12345678@6"}
	if !slices.Equal(got, want) || s.Long != 2 || s.Pending() {
		t.Errorf("%q, %d long, want %q", got, s.Long, want)
	}
	got, s = nil, Splitter{End: CR}
	feed(7, "a\nb\rc\r")
	if want := []string{"a\nb@7", "c@7"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestCRC: the check value of CRC-16/ARC in the catalogue of CRC algorithms.
func TestCRC(t *testing.T) {
	if crc := crc16(0, "123456789"); crc != 0xbb3d {
		t.Errorf("%04x", crc)
	}
}

func TestOptions(t *testing.T) {
	for _, test := range []struct {
		o    Options
		want string
	}{
		{Options{}, "the format is missing: write one of json, pairs"},
		{Options{Format: "xml"}, `there is no format "xml"`},
		{Options{Format: JSON, Comma: true}, "always have a point"},
		{Options{Format: CSV, Columns: []string{"a", "a"}}, "given twice"},
		{Options{Format: CSV, Columns: []string{"#a"}}, "begins with #"},
		{Options{Format: Number, Event: "#a"}, "begins with #"},
		{Options{Format: Pattern}, "the pattern is missing"},
		{Options{Format: Pattern, Pattern: "("}, "no regular expression"},
		{Options{Format: Pattern, Pattern: "a(b)"}, "no named group"},
		{Options{Format: Pattern, Pattern: "(?P<a>b)"}, ""},
	} {
		err := test.o.Check()
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %s", test.o, err, test.want)
		}
	}
}

// TestPayload: what goes to a node is what MySensors can carry.
func TestPayload(t *testing.T) {
	for _, test := range []struct {
		event string
		value any
		want  string
	}{
		{"status", true, "2:1"}, {"V_STATUS", 0.0, "2:0"}, {"percentage", int64(40), "3:40"}, {"temp", 21.5, "0:21.5"}, {"47", "Hello; you", "47:Hello; you"},
		{"status", 2.0, "!neither 0 nor 1"}, {"percentage", 101.0, "!is not from"}, {"nothing", 1.0, "!no variable nothing"},
		{"text", "a\nb", "!U+000A"}, {"text", strings.Repeat("x", 26), "!26 bytes"}, {"text", []int{1}, "!cannot be sent"}, {"temp", math.Inf(1), "!no value"},
	} {
		kind, payload, err := Payload(test.event, test.value)
		got := fmt.Sprintf("%d:%s", kind, payload)
		if want, fails := strings.CutPrefix(test.want, "!"); fails != (err != nil) || err != nil && !strings.Contains(err.Error(), want) || !fails && got != want {
			t.Errorf("%s %v: %s, %v, want %s", test.event, test.value, got, err, test.want)
		}
	}
}

func TestLooks(t *testing.T) {
	for name, want := range map[string]string{
		"temp:21.5 hum:40": "pairs temp,hum", "5 hum:4\ntemp:21.5 hum:40\ntemp:21.6": "pairs temp,hum",
		"512\n513": "number value", "21.5,40\n22,41": "csv 2", "21,5;40\n22,5;41": "csv 2 comma", "a,b\n1,2": "csv a,b", "1.5,40\n21.5,40,3\n22.5,41,4": "csv 3",
		`{"temp":1}`: "json temp", "12;6;1;0;0;36.5": "mysensors 12.6", "hello\nworld": "", "": "", "one thing\nand another\nis not\nlike\ntemp:1": "", "Booting ...\ntemp:21.5\ntemp:22\ntemp:23": "pairs temp",
		"\xff\xfe\x80": "", "1-0:1.8.1(000001.000*kWh)\n1-0:1.8.2(000001.000*kWh)\n1-0:1.7.0(01.000*kW)\n!": "dsmr ",
	} {
		if got := lookText(Looks(Lines(name))); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	for file, want := range map[string]string{"nmea": "nmea fix", "dsmr-off": "dsmr import_1"} {
		data, err := os.ReadFile("testdata/" + file + ".bin")
		if err != nil {
			t.Fatal(err)
		}
		lines := Lines(string(data))
		if got := lookText(Looks(lines[:20])); !strings.Contains(got, strings.Fields(want)[1]) || !strings.HasPrefix(got, strings.Fields(want)[0]) {
			t.Errorf("%s: %q", file, got)
		}
	}
}

func lookText(l Look, ok bool) string {
	if !ok {
		return ""
	}
	s := l.Format + " " + strings.Join(l.Events, ",")
	if l.Columns > 0 {
		s += fmt.Sprint(l.Columns)
	}
	if l.Comma {
		s += " comma"
	}
	return s
}

// TestText: noise is no text, Latin-1 is.
func TestText(t *testing.T) {
	for line, want := range map[string]string{
		"a\xb0C": "a°C", "\x00a": "a", "a\x00\x00": "a", "  a\t": "a", "K\xfcche hat": "Küche hat", "ü": "ü", "": "!", "a\x01": "!", "\x85abcdefgh": "!", "\xfc\xfc\xfc": "!", "\ufeffa": "a",
		"\x1b[0;32mtemp:1\x1b[0m": "temp:1", "\x1b[2Ja": "!", "\x1b[": "!", "a\x1b[1": "!", "\x1b[m": "!",
	} {
		got, err := Text(line)
		if (err != nil) != (want == "!") || err == nil && got != want || err != nil && !errors.Is(err, ErrNoise) {
			t.Errorf("%q: %q, %v", line, got, err)
		}
	}
}
