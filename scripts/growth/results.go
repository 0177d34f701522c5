package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
)

// A point is what was measured at one size.
type point struct {
	Size  float64 `json:"size"`
	Value float64 `json:"value"`
}

// A series is one cost, measured at sizes that grow.
type series struct {
	Part string `json:"part"`
	Name string `json:"name"`
	Unit string `json:"unit"`
	Of   string `json:"of"` // what the size counts
	// Must is the exponent with which the cost has to grow: 0 if it is to be flat, 1 if it is for all of them together.
	Must float64 `json:"must"`
	// Least is what can be told from nothing: smaller values count as this.
	Least  float64 `json:"least"`
	Points []point `json:"points"`
}

// A report is everything that was measured.
type report struct {
	Series []*series `json:"series"`
}

// A kind is what distinguishes one series from others.
type kind struct {
	part, name, unit, of string
	must, least          float64
}

// add adds what was measured at a size.
func (r *report) add(k kind, size int, value float64) {
	p := point{float64(size), value}
	for _, s := range r.Series {
		if s.Part == k.part && s.Name == k.name {
			s.Points = append(s.Points, p)
			return
		}
	}
	r.Series = append(r.Series, &series{k.part, k.name, k.unit, k.of, k.must, k.least, []point{p}})
}

func (s *series) value(i int) float64 { return max(s.Points[i].Value, s.Least) }

// exponent returns the power of the size by which the cost grows from the point before to this one.
func (s *series) exponent(i int) float64 {
	return math.Log(s.value(i)/s.value(i-1)) / math.Log(s.Points[i].Size/s.Points[i-1].Size)
}

// slope returns the exponent at the large end: the line through the logarithms of the last three points that fits best.
func (s *series) slope() float64 {
	from := max(0, len(s.Points)-3)
	n := float64(len(s.Points) - from)
	if n < 2 {
		return 0
	}
	var x, y, xx, xy float64
	for i := from; i < len(s.Points); i++ {
		a, b := math.Log(s.Points[i].Size), math.Log(s.value(i))
		x, y, xx, xy = x+a, y+b, xx+a*a, xy+a*b
	}
	return (n*xy - x*y) / (n*xx - x*x)
}

// Verdicts.
const (
	isFlat     = "flat"
	lessThan   = "less than linear"
	isLinear   = "linear"
	isMore     = "more than linear"
	tooFast    = "grows faster than it must"
	muchFaster = "grows far faster than it must"
)

const (
	tolerated = 0.3 // by how much an exponent may be larger than it must be: measurements of a machine that does other things scatter
	gross     = 0.7 // by how much, before something is wrong for certain
)

// verdict says how the cost grows.
func (s *series) verdict() string {
	switch e := s.slope(); {
	case e > s.Must+gross:
		return muchFaster
	case e > s.Must+tolerated:
		return tooFast
	case e < 0.2:
		return isFlat
	case e < 0.8:
		return lessThan
	case e <= 1.15:
		return isLinear
	default:
		return isMore
	}
}

// print prints a table, and returns false if something grows far faster than it must.
func (r *report) print(out io.Writer) (ok bool) {
	ok = true
	part := ""
	for _, s := range r.Series {
		if s.Part != part {
			part = s.Part
			fmt.Fprintf(out, "\n%s\n", part)
		}
		fmt.Fprintf(out, "  %-58s", s.Name+", "+s.Unit)
		for _, p := range s.Points {
			fmt.Fprintf(out, " %9s", figure(p.Value))
		}
		fmt.Fprintf(out, "   n^%.2f %s\n", s.slope(), s.verdict())
		ok = ok && s.verdict() != muchFaster
	}
	return ok
}

// figure writes a value with three digits.
func figure(v float64) string {
	if v == 0 {
		return "0"
	}
	digits := max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
	return strconv.FormatFloat(v, 'f', min(digits, 3), 64)
}

func (r *report) write(file string) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

func (r *report) read(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, r); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
