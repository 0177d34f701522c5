package main

import (
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"os"
	"strings"
)

//go:embed page.html
var pageText string

// A pagePart is what the page shows of one part.
type pagePart struct {
	Name   string
	Series []pageSeries
}

type pageSeries struct {
	*series
	Plot    template.HTML
	Slope   string
	Verdict string
	Bad     bool
	Rows    []pageRow
}

type pageRow struct{ Size, Value, Exponent string }

// writePage writes a page that needs nothing else.
func (r *report) writePage(file string) error {
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return err
	}
	var text strings.Builder
	if err := t.Execute(&text, r.parts()); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(text.String()), 0o644)
}

func (r *report) parts() (parts []pagePart) {
	for _, s := range r.Series {
		if len(parts) == 0 || parts[len(parts)-1].Name != s.Part {
			parts = append(parts, pagePart{Name: s.Part})
		}
		v := s.verdict()
		p := pageSeries{series: s, Plot: s.plot(), Slope: fmt.Sprintf("%.2f", s.slope()), Verdict: v, Bad: v == tooFast || v == muchFaster}
		for i, at := range s.Points {
			row := pageRow{Size: count(at.Size), Value: figure(at.Value)}
			if i > 0 {
				row.Exponent = fmt.Sprintf("%.2f", s.exponent(i))
			}
			p.Rows = append(p.Rows, row)
		}
		last := &parts[len(parts)-1]
		last.Series = append(last.Series, p)
	}
	return parts
}

// count writes a size with commas.
func count(n float64) string {
	text := fmt.Sprintf("%.0f", n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// The size of a plot, and of the margin in which its axes are labelled.
const (
	plotWidth, plotHeight = 340.0, 180.0
	plotLeft, plotBottom  = 46.0, 22.0
	plotTop, plotRight    = 8.0, 26.0
)

// plot draws the points on logarithmic axes, and in grey the line that the cost must not exceed by much: from the first point on, with
// the exponent that it must have.
func (s *series) plot() template.HTML {
	x0, x1 := decades(s.Points[0].Size, s.Points[len(s.Points)-1].Size)
	low, high := math.Inf(1), math.Inf(-1)
	for i := range s.Points {
		low, high = min(low, s.value(i)), max(high, s.value(i))
	}
	y0, y1 := decades(low, high)
	x := func(v float64) float64 { return plotLeft + (math.Log10(v)-x0)/(x1-x0)*(plotWidth-plotLeft-plotRight) }
	y := func(v float64) float64 {
		return plotHeight - plotBottom - (math.Log10(v)-y0)/(y1-y0)*(plotHeight-plotBottom-plotTop)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, plotWidth, plotHeight, template.HTMLEscapeString(s.Name))
	for e := y0; e <= y1; e++ {
		at := y(math.Pow(10, e))
		fmt.Fprintf(&b, `<line class="grid" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/><text x="%g" y="%.1f" text-anchor="end">%s</text>`,
			plotLeft, plotWidth-plotRight, at, at, plotLeft-5, at+4, power(e))
	}
	for e := x0; e <= x1; e++ {
		at := x(math.Pow(10, e))
		fmt.Fprintf(&b, `<line class="grid" x1="%.1f" x2="%.1f" y1="%g" y2="%g"/><text x="%.1f" y="%g" text-anchor="middle">%s</text>`,
			at, at, plotTop, plotHeight-plotBottom, at, plotHeight-6, power(e))
	}
	first, last := s.Points[0].Size, s.Points[len(s.Points)-1].Size
	end := s.value(0) * math.Pow(last/first, s.Must)
	fmt.Fprintf(&b, `<svg x="0" y="%g" width="%g" height="%g" viewBox="0 %g %g %g"><line class="must" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/></svg>`,
		plotTop, plotWidth, plotHeight-plotBottom-plotTop, plotTop, plotWidth, plotHeight-plotBottom-plotTop, x(first), y(s.value(0)), x(last), y(end))
	var line []string
	for i, p := range s.Points {
		line = append(line, fmt.Sprintf("%.1f,%.1f", x(p.Size), y(s.value(i))))
	}
	fmt.Fprintf(&b, `<polyline points="%s"/>`, strings.Join(line, " "))
	for i, p := range s.Points {
		fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3"><title>%s: %s %s</title></circle>`, x(p.Size), y(s.value(i)), count(p.Size), figure(p.Value), s.Unit)
	}
	b.WriteString("</svg>")
	return template.HTML(b.String()) //nolint:gosec // it is made of numbers; the name is escaped
}

// decades returns the powers of ten around a range, one apart at least.
func decades(low, high float64) (from, to float64) {
	from, to = math.Floor(math.Log10(low)), math.Ceil(math.Log10(high))
	if to <= from {
		to = from + 1
	}
	return from, to
}

func power(e float64) string {
	if e >= 0 {
		return count(math.Pow(10, e))
	}
	return fmt.Sprint(math.Pow(10, e))
}
