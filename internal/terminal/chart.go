package terminal

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Chart returns the lines of a chart of the series, of this width in columns. Its title may be any text. The height of a column is
// the mean of the numbers that were taken in its time; a shade above it reaches up to the maximum.
func (s *Series) Chart(title, unit string, width int, utc bool) []string {
	if s.Empty() {
		return nil
	}
	if unit != "" {
		title += " in " + unit
	}
	y := newAxis(s.all.Min, s.all.Max)
	margin := y.margin()
	width = min(max(width-margin-2, minChart), maxChart)
	columns := s.columns(width)
	lines := []string{title}
	for row := y.rows(); row > 0; row-- {
		mark := "│"
		if row%rowsPerTick == 0 {
			mark = "┤"
		}
		cells := make([]string, width)
		for i, column := range columns {
			cells[i] = y.cell(row, column)
		}
		line := fmt.Sprintf("%*s %s%s", margin, y.label(row), mark, strings.Join(cells, ""))
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return append(lines,
		fmt.Sprintf("%*s └%s", margin, y.label(0), strings.Repeat("─", width)),
		strings.Repeat(" ", margin+2)+timeAxis(s.all.first, s.all.last, width, utc),
		s.summary(unit))
}

// The smallest and the largest width of what is drawn, in columns.
const (
	minChart = 20
	maxChart = 512
)

// summary returns the numbers of the whole series in words.
func (s *Series) summary(unit string) string {
	if unit != "" {
		unit = " " + unit
	}
	text := fmt.Sprintf("min %s%s, mean %s%s, max %s%s, last %s%s; ", Number(s.all.Min), unit, Number(s.all.mean()), unit,
		Number(s.all.Max), unit, Number(s.all.Last), unit)
	if s.all.Count == 1 {
		return text + "1 event"
	}
	return text + fmt.Sprintf("%d events", s.all.Count)
}

// Number returns a number as people read it: with six digits, or with all that it has if they are not many more.
func Number(v float64) string {
	const digits, fewMore = 6, 3
	if v == 0 {
		return "0" // also a negative one
	}
	if exact := strconv.FormatFloat(v, 'f', -1, 64); len(exact) <= digits+fewMore {
		return exact
	}
	return strconv.FormatFloat(v, 'g', digits, 64)
}

// An axis has round numbers at its ticks, and so many rows between two of them.
type axis struct {
	low, step float64
	ticks     int // steps from the lowest to the highest tick
	decimals  int // that a step has
}

const rowsPerTick = 2

// newAxis returns an axis of 3 to 6 steps that has all numbers between least and greatest.
func newAxis(least, greatest float64) axis {
	if least == greatest { // a line in the middle, unless it is 0
		least, greatest = least-math.Abs(least)/8, greatest+math.Abs(greatest)/8
		if least == greatest {
			greatest = least + 1
		}
	}
	const wanted = 4
	const finest = 1e-12 // of a number; 1e-300 is as good as 0
	raw := max((greatest-least)/wanted, math.Abs(least)*finest, math.Abs(greatest)*finest, 1e-300)
	var a axis
	a.step, a.decimals = roundStep(raw)
	first := math.Floor(least/a.step + 1e-9)
	last := math.Ceil(greatest/a.step - 1e-9)
	a.low, a.ticks = first*a.step, max(int(last-first), 1)
	return a
}

// roundStep returns the smallest of 1, 2, 2.5 and 5 times a power of ten that is not smaller, and how many decimals it has.
func roundStep(raw float64) (step float64, decimals int) {
	exponent := math.Floor(math.Log10(raw))
	power := math.Pow(10, exponent)
	decimals = max(-int(exponent), 0)
	for _, factor := range []float64{1, 2, 2.5, 5} {
		if raw <= factor*power*(1+1e-9) {
			if factor == 2.5 && exponent < 1 {
				decimals++
			}
			return factor * power, decimals
		}
	}
	return 10 * power, max(decimals-1, 0)
}

func (a axis) rows() int { return a.ticks * rowsPerTick }

// label returns the number at the upper edge of a row; row 0 is the line below all. Between two ticks there is none.
func (a axis) label(row int) string {
	if row%rowsPerTick != 0 {
		return ""
	}
	v := a.low + float64(row/rowsPerTick)*a.step
	if math.Abs(v) < a.step/1e6 {
		v = 0
	}
	const most = 9 // digits before and after the point, beyond which an exponent is shorter
	if math.Abs(v) < 1e9 && a.decimals <= most {
		return strconv.FormatFloat(v, 'f', a.decimals, 64)
	}
	digits := 3
	if v != 0 { // as many more as the number is larger than a step
		digits += max(int(math.Ceil(math.Log10(math.Abs(v)/a.step))), 0)
	}
	return strconv.FormatFloat(v, 'g', min(digits, 15), 64)
}

func (a axis) margin() (width int) {
	for row := range a.rows() + 1 {
		width = max(width, utf8.RuneCountInString(a.label(row)))
	}
	return width
}

// height returns how high a number is in eighths of a row.
func (a axis) height(v float64) int {
	const eighths = 8
	return int(math.Round((v - a.low) / a.step * rowsPerTick * eighths))
}

// cell returns what a column has in a row, counted from 1 at the bottom. What is there is never invisible.
func (a axis) cell(row int, s *Sample) string {
	if s == nil {
		return " "
	}
	blocks := []rune(" ▁▂▃▄▅▆▇█")
	full := len(blocks) - 1
	below := (row - 1) * full
	switch filled := max(a.height(s.mean()), 1) - below; {
	case filled >= full:
		return string(blocks[full])
	case filled > 0:
		return string(blocks[filled])
	case a.height(s.Max) > below:
		return "░"
	}
	return " "
}

// timeAxis returns the first and the last time, and one in the middle if there is room, as wide as the chart.
func timeAxis(first, last time.Time, width int, utc bool) string {
	if utc {
		first, last = first.UTC(), last.UTC()
	} else {
		first, last = first.Local(), last.Local()
	}
	layout := "2006-01-02 15:04"
	switch span := last.Sub(first); {
	case span > 366*24*time.Hour:
		layout = "2006-01-02"
	case span < 10*time.Second && sameDay(first, last):
		layout = "15:04:05.000"
	case span < 24*time.Hour && sameDay(first, last):
		layout = "15:04:05"
	}
	left, right := first.Format(layout), last.Format(layout)
	if left == right || len(left)+len(right)+1 > width {
		return left
	}
	middle := first.Add(last.Sub(first) / 2).Format(layout)
	if len(left)+len(middle)+len(right)+8 > width {
		return left + strings.Repeat(" ", width-len(left)-len(right)) + right
	}
	left += strings.Repeat(" ", (width-len(middle))/2-len(left)) + middle
	return left + strings.Repeat(" ", width-len(left)-len(right)) + right
}

func sameDay(a, b time.Time) bool {
	return a.Year() == b.Year() && a.YearDay() == b.YearDay()
}
