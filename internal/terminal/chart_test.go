package terminal_test

import (
	"flag"
	"math"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"sighub/internal/terminal"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestCharts compares charts with testdata/charts.
func TestCharts(t *testing.T) {
	begin := time.Date(2026, 6, 21, 6, 0, 0, 0, time.UTC)
	sun := func(i int) float64 {
		return math.Round(80000*max(0, math.Sin(float64(i-360)/1440*2*math.Pi))) / 100
	}
	var b strings.Builder
	for _, test := range []struct {
		what  string
		n     int
		every time.Duration
		value func(int) float64 // NaN: there is none
		unit  string
		width int
	}{
		{"a day with a hole", 1440, time.Minute, func(i int) float64 {
			if 200 < i && i < 300 {
				return math.NaN()
			}
			return sun(i)
		}, "lx", 72},
		{"always the same", 100, time.Second, func(int) float64 { return 21.5 }, "Cel", 50},
		{"always 0", 2, 500 * time.Millisecond, func(int) float64 { return 0 }, "", 40},
		{"one", 1, 0, func(int) float64 { return -7 }, "", 40},
		{"a peak among many", 4000, time.Hour, func(i int) float64 {
			if i == 1000 {
				return 40
			}
			return float64(i % 3)
		}, "A", 60},
		{"from below 0, in a narrow terminal", 30, time.Minute, func(i int) float64 { return float64(i) - 9.5 }, "", 10},
		{"small steps of a large number", 9, 24 * time.Hour, func(i int) float64 { return 1013.25 + float64(i)/100 }, "hPa", 64},
		{"enormous", 5, time.Second, func(i int) float64 { return float64(i) * 1e300 }, "", 40},
		{"tiny", 5, time.Second, func(i int) float64 { return float64(i) * -5e-324 }, "", 40},
		{"years", 100, 30 * 24 * time.Hour, func(i int) float64 { return float64(i) }, "m", 64},
	} {
		var s terminal.Series
		for i := range test.n {
			s.Add(begin.Add(time.Duration(i)*test.every), terminal.One(test.value(i)))
		}
		b.WriteString(strings.Join(s.Chart(test.what, test.unit, test.width, true), "\n") + "\n\n")
	}
	const golden = "testdata/charts"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestSeries(t *testing.T) {
	var s terminal.Series
	if s.Chart("nothing", "", 80, true) != nil || !s.Empty() {
		t.Error("nothing has a chart")
	}
	inf := math.Inf(1)
	for _, v := range []terminal.Sample{
		{}, terminal.One(math.NaN()), terminal.One(inf), {Min: -math.MaxFloat64, Max: math.MaxFloat64, Count: 2}, {Min: 1, Max: 2, Sum: inf, Count: 9},
	} {
		if s.Add(time.Now(), v); !s.Empty() {
			t.Errorf("%+v is taken", v)
		}
	}
	// Whatever the order, the last is that of the latest time, and a bucket is as good as its numbers.
	at := time.Unix(1_000_000, 0)
	s.Add(at.Add(time.Minute), terminal.One(5))
	s.Add(at, terminal.Sample{Min: 1, Max: 9, Sum: 12, Last: 2, Count: 3})
	lines := s.Chart("x", "m", 80, true)
	if want := "min 1 m, mean 4.25 m, max 9 m, last 5 m; 4 events"; lines[len(lines)-1] != want {
		t.Errorf("%s, want %s", lines[len(lines)-1], want)
	}
}

// FuzzChart: a chart is bounded and has no gap of its own, whatever the numbers are.
func FuzzChart(f *testing.F) {
	f.Add(1.0, 2.0, -3.5, int64(1), int64(60e9), uint16(80))
	f.Add(1e308, 1e308, 0.0, int64(0), int64(-1), uint16(0))
	f.Add(5e-324, 0.0, 1e-320, int64(1)<<62, int64(0), uint16(65535))
	f.Add(1.0, math.Nextafter(1, 2), 1.0, int64(5), int64(6), uint16(81))
	f.Fuzz(func(t *testing.T, a, b, c float64, t1, t2 int64, width uint16) {
		var s terminal.Series
		taken := false
		for i, v := range []float64{a, b, c} {
			s.Add(time.Unix(0, []int64{0, t1 & math.MaxInt64, t2 & math.MaxInt64}[i]), terminal.One(v))
			taken = taken || !math.IsNaN(v) && !math.IsInf(v, 0)
		}
		lines := s.Chart("x", "u", int(width), true)
		if s.Empty() == taken || (lines == nil) == taken {
			t.Fatalf("empty is %t", s.Empty())
		}
		if len(lines) > 32 {
			t.Errorf("%d lines", len(lines))
		}
		for _, line := range lines[:max(len(lines)-1, 0)] {
			if n := utf8.RuneCountInString(line); n > max(int(width), 60) {
				t.Errorf("%d columns: %q", n, line)
			}
		}
		if taken && !strings.ContainsAny(strings.Join(lines, ""), "▁▂▃▄▅▆▇█") {
			t.Errorf("nothing is drawn:\n%s", strings.Join(lines, "\n"))
		}
	})
}
