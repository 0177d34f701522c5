package page

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"

	"sighub/scripts/bench/peers"
	"sighub/scripts/bench/results"
)

// The places in a chart, in its own units.
const (
	chartWidth = 660
	labelsEnd  = 158 // where bars begin
	barsEnd    = 480 // where the axis ends
	rowHeight  = 23
	barHeight  = 13
	headHeight = 26
	axisHeight = 24
)

// A drawing collects the parts of an SVG. All texts are escaped.
type drawing struct{ strings.Builder }

func (d *drawing) add(format string, args ...any) { fmt.Fprintf(d, format, args...) }

func (d *drawing) text(x, y float64, class, text string) {
	d.add(`<text x="%.1f" y="%.1f" class="%s">%s</text>`, x, y, class, template.HTMLEscapeString(text))
}

func (d *drawing) box(x, y, width, height float64, class, title string) {
	d.add(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="1.5" class="%s"><title>%s</title></rect>`,
		x, y, max(width, 1), height, class, template.HTMLEscapeString(title))
}

func (d *drawing) line(x1, y1, x2, y2 float64, class string) {
	d.add(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="%s"/>`, x1, y1, x2, y2, class)
}

func (d *drawing) svg(height float64, about string) template.HTML {
	head := fmt.Sprintf(`<svg viewBox="0 0 %d %.0f" role="img"><title>`, chartWidth, height)
	return template.HTML(head + template.HTMLEscapeString(about) + "</title>" + d.String() + "</svg>") //nolint:gosec // all texts in it are escaped
}

// A scale says where a value is on the axis. What is beyond its end is cut off, and shown as that.
type scale struct{ end float64 }

func (s scale) at(v float64) float64  { return labelsEnd + (barsEnd-labelsEnd)*min(max(v/s.end, 0), 1) }
func (s scale) beyond(v float64) bool { return v > s.end }

// scaleOf returns a scale on which the peers of a row can be compared: one that is far beyond the others, such as the relay, does not
// make all the others' bars vanish.
func scaleOf(values map[string]float64) scale {
	const far = 3
	sorted := slices.Sorted(func(yield func(float64) bool) {
		for _, v := range values {
			if !yield(v) {
				return
			}
		}
	})
	end := sorted[len(sorted)-1]
	for i := len(sorted) - 1; i > 0 && i >= len(sorted)/2; i-- {
		if sorted[i] > far*sorted[i-1] && sorted[i-1] > 0 {
			end = sorted[i-1]
		}
	}
	if hub := values[peers.Hub]; end < hub {
		end = hub
	}
	if end <= 0 {
		end = 1
	}
	return scale{1.12 * end}
}

// steps returns some round values on the axis.
func (s scale) steps() (steps []float64) {
	step := math.Pow(10, math.Floor(math.Log10(s.end)))
	for _, f := range []float64{0.1, 0.2, 0.25, 0.5, 1, 2} {
		if s.end/(f*step) <= 5 {
			step *= f
			break
		}
	}
	for i := 0.0; i*step <= s.end; i++ {
		steps = append(steps, i*step)
	}
	return steps
}

func (s scale) axis(d *drawing, rows int) {
	bottom := float64(headHeight + rows*rowHeight)
	for _, v := range s.steps() {
		d.line(s.at(v), headHeight-4, s.at(v), bottom, "grid")
		d.text(s.at(v), bottom+15, "tick", results.Short(v))
	}
}

// cut marks a bar that goes on beyond the axis.
func (d *drawing) cut(y float64) {
	d.add(`<path d="M%d %.1fl4 %.1fl-4 %.1fl4 %.1f" class="cut"/>`, barsEnd-7, y-2, float64(barHeight+4)/3, float64(barHeight+4)/3, float64(barHeight+4)/3)
}

// family is the class of a peer's bars.
func family(peer string) string {
	name, _, _ := strings.Cut(peer, "-")
	if peer == peers.Hub {
		return "sighub own"
	}
	return name
}

// bars draws one figure of all peers, side by side: to the median, with a line from the lowest to the highest round and a thicker one
// for the half of the rounds in the middle. The relay's is marked across all of them, as the limit.
func bars(row *results.Row) template.HTML {
	names := namesOf(row)
	values := make(map[string]float64)
	for _, name := range names {
		values[name] = row.Peers[name].Median
	}
	s, d := scaleOf(values), new(drawing)
	s.axis(d, len(names))
	for i, name := range names {
		m := row.Peers[name]
		y := float64(headHeight + i*rowHeight)
		low, high := m.Range()
		title := fmt.Sprintf("%s: %s; rounds from %s to %s", name, results.Short(m.Median), results.Short(low), results.Short(high))
		d.text(labelsEnd-8, y+11, "label"+bold(name), name)
		d.box(labelsEnd, y, s.at(m.Median)-labelsEnd, barHeight, "bar "+family(name), title)
		if s.beyond(m.Median) {
			d.cut(y)
		} else {
			middle := y + barHeight/2.0
			quarter, third := m.Middle()
			d.line(s.at(low), middle, s.at(high), middle, "range")
			d.line(s.at(quarter), middle, s.at(third), middle, "middle")
		}
		d.text(barsEnd+10, y+11, "value"+bold(name), results.Short(m.Median))
		d.text(barsEnd+64, y+11, "span", results.Short(low)+" – "+results.Short(high))
	}
	bottom := float64(headHeight + len(names)*rowHeight)
	if relay, ok := values[peers.Relay]; ok {
		said := "limit: the relay, " + results.Short(relay)
		if s.beyond(relay) {
			d.text(barsEnd, 14, "limit-text end", said+", is beyond →")
		} else {
			x := s.at(relay)
			d.line(x, headHeight-6, x, bottom, "limit")
			class := "limit-text"
			if x > (labelsEnd+barsEnd)/2 {
				class += " end"
			}
			d.text(x, 14, class, said)
		}
	}
	return d.svg(bottom+axisHeight, row.Case+": "+row.Figure)
}

// stacks draws what an event costs each of the processes, on top of each other.
func stacks(rows []*results.Row) template.HTML {
	var names []string
	sums := make(map[string]float64)
	for _, name := range peers.Names() {
		for _, row := range rows {
			if m := row.Peers[name]; m != nil {
				sums[name] += m.Median
			}
		}
		if _, ok := sums[name]; ok {
			names = append(names, name)
		}
	}
	s, d := scaleOf(sums), new(drawing)
	s.axis(d, len(names))
	x := float64(labelsEnd)
	for i, row := range rows {
		who, _, _ := strings.Cut(row.Figure, " ")
		who = strings.TrimSuffix(who, "'s")
		d.box(x, 4, 10, 10, fmt.Sprintf("part p%d", i), who)
		d.text(x+15, 13, "legend", who)
		x += 30 + 7*float64(len(who))
	}
	for i, name := range names {
		y, from := float64(headHeight+i*rowHeight), 0.0
		d.text(labelsEnd-8, y+11, "label"+bold(name), name)
		for k, row := range rows {
			m := row.Peers[name]
			if m == nil {
				continue
			}
			d.box(s.at(from), y, s.at(from+m.Median)-s.at(from), barHeight, fmt.Sprintf("part p%d", k),
				fmt.Sprintf("%s, %s: %s", name, row.Figure, results.Short(m.Median)))
			from += m.Median
		}
		if s.beyond(from) {
			d.cut(y)
		}
		d.text(barsEnd+10, y+11, "value"+bold(name), results.Short(from))
	}
	if relay, ok := sums[peers.Relay]; ok && !s.beyond(relay) {
		d.line(s.at(relay), headHeight-6, s.at(relay), float64(headHeight+len(names)*rowHeight), "limit")
	}
	return d.svg(float64(headHeight+len(names)*rowHeight+axisHeight), rows[0].Case+": "+rows[0].Figure)
}

func bold(name string) string {
	if name == peers.Hub {
		return " own"
	}
	return ""
}

// namesOf returns the peers that have a row's figure, in the order of the table.
func namesOf(row *results.Row) (names []string) {
	for _, name := range peers.Names() {
		if row.Peers[name] != nil {
			names = append(names, name)
		}
	}
	return names
}
