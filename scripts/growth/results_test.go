package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// seriesOf returns a series whose values follow from the size.
func seriesOf(must, least float64, value func(n float64) float64) *series {
	s := &series{Part: "part", Name: "a cost, <b> & more", Unit: "ms", Of: "things", Must: must, Least: least}
	for n := 1.0; n <= 1e5; n *= 10 {
		s.Points = append(s.Points, point{n, value(n)})
	}
	return s
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		what        string
		must, least float64
		value       func(n float64) float64
		want        string
		slope       float64
	}{
		{"the same", 0, 0.001, func(float64) float64 { return 5 }, isFlat, 0},
		{"a logarithm", 0, 0.001, func(n float64) float64 { return 5 + math.Log2(n) }, isFlat, 0.13},
		{"each costs the same", 1, 0.001, func(n float64) float64 { return 3 * n }, isLinear, 1},
		{"a constant first", 1, 0.001, func(n float64) float64 { return 1e5 + n }, isFlat, 0.13},
		{"a root", 1, 0.001, math.Sqrt, lessThan, 0.5},
		{"sorted", 1, 0.001, func(n float64) float64 { return n * math.Log(n+1) }, isLinear, 1.09},
		{"linear that must be flat", 0, 0.001, func(n float64) float64 { return n }, muchFaster, 1},
		{"a root that must be flat", 0, 0.001, math.Sqrt, tooFast, 0.5},
		{"quadratic", 1, 0.001, func(n float64) float64 { return n * n / 1000 }, muchFaster, 2},
		{"below what can be told", 0, 1e6, func(n float64) float64 { return n }, isFlat, 0},
		{"nothing", 0, 1, func(float64) float64 { return 0 }, isFlat, 0},
	} {
		s := seriesOf(c.must, c.least, c.value)
		if got := s.verdict(); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
		if got := s.slope(); math.Abs(got-c.slope) > 0.15 {
			t.Errorf("%s: the exponent is %.2f, want %.2f", c.what, got, c.slope)
		}
	}
	one := &series{Least: 1, Points: []point{{1, 5}}}
	if one.slope() != 0 || one.verdict() != isFlat {
		t.Error("one size says how a cost grows")
	}
}

// TestReport: what is written is read, and printed; only what grows far too fast is a failure.
func TestReport(t *testing.T) {
	var r report
	for _, n := range []int{1, 10, 100} {
		r.add(kind{"part", "flat", "µs", "things", 0, 1}, n, 7)
		r.add(kind{"part", "root", "µs", "things", 0, 0.001}, n, math.Sqrt(float64(n)))
	}
	file := filepath.Join(t.TempDir(), "growth.json")
	if err := r.write(file); err != nil {
		t.Fatal(err)
	}
	var again report
	if err := again.read(file); err != nil || len(again.Series) != 2 || len(again.Series[1].Points) != 3 {
		t.Errorf("read again: %v, %d series", err, len(again.Series))
	}
	var out bytes.Buffer
	if !again.print(&out) || !strings.Contains(out.String(), tooFast) {
		t.Errorf("printed as\n%s", &out)
	}
	again.add(kind{"part", "worse", "µs", "things", 0, 1}, 1, 1)
	again.add(kind{"part", "worse", "µs", "things", 0, 1}, 10, 30)
	if again.print(io.Discard) {
		t.Error("what grows far faster than it must is no failure")
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := again.read(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a damaged file: %v", err)
	}
}

// TestPage: the page needs nothing from elsewhere, its plots are well formed, and names are text.
func TestPage(t *testing.T) {
	r := report{Series: []*series{
		seriesOf(1, 0.001, func(n float64) float64 { return n * n }), seriesOf(0, 1, func(float64) float64 { return 0 }),
		{Part: "one", Name: "size", Least: 0.5, Points: []point{{1, 0.01}}},
	}}
	file := filepath.Join(t.TempDir(), "growth.html")
	if err := r.writePage(file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, outside := range []string{"http:", "https:", "<script", "url(", "<b>", "NaN", "Inf"} {
		if strings.Contains(page, outside) {
			t.Errorf("the page has %q", outside)
		}
	}
	for _, want := range []string{muchFaster, "100,000", "n<sup>2.00</sup>", "a cost, &lt;b&gt; &amp; more"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	plots := 0
	for rest := page; ; plots++ {
		_, after, found := strings.Cut(rest, `<svg viewBox`)
		if !found {
			break
		}
		plot, after, _ := strings.Cut(after, "</svg>\n")
		rest = after
		d := xml.NewDecoder(strings.NewReader(`<svg viewBox` + plot + "</svg>"))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("a plot is not well formed: %v", err)
			}
		}
	}
	if plots != len(r.Series) {
		t.Errorf("%d plots of %d series", plots, len(r.Series))
	}
}

func TestFigure(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 1234.5: "1234", 12.345: "12.3", 1.2345: "1.23", 0.01234: "0.012", -3.3: "-3.30"} {
		if got := figure(v); got != want {
			t.Errorf("%g is written as %s, not %s", v, got, want)
		}
	}
	for v, want := range map[float64]string{1: "1", 999: "999", 1000: "1,000", 1e7: "10,000,000"} {
		if got := count(v); got != want {
			t.Errorf("%g is written as %s, not %s", v, got, want)
		}
	}
}
