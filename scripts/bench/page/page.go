// Package page makes one HTML page of what the benchmark has measured: with plots, light and dark, and nothing from elsewhere.
package page

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"sighub/scripts/bench/peers"
	"sighub/scripts/bench/results"
)

//go:embed page.html
var source string

// A view is what the page shows.
type view struct {
	*results.Report
	Kept    int
	Cases   []caseView
	Peers   []peerView
	Rounds  string
	Remarks []string
}

type peerView struct{ Name, Version, Settings string }

// A caseView is one case.
type caseView struct {
	Name, About string
	Charts      []chartView
	Head        []string
	Lines       []lineView
}

type chartView struct {
	Title, Better string
	Drawing       template.HTML
}

type lineView struct {
	Name  string
	Own   bool
	Cells []cellView
}

// A cellView is one figure of one peer.
type cellView struct {
	Median, Range string
	Versus        string // the relay, and sighub
}

// Write writes the page of a report. about says what each case measures.
func Write(w io.Writer, r *results.Report, about func(name string) string) error {
	t, err := template.New("page").Parse(source)
	if err != nil {
		return err
	}
	v := view{Report: r, Rounds: r.Settings["rounds"]}
	for _, name := range []string{"disk", "counts"} {
		if s := r.Settings[name]; s != "" {
			v.Remarks = append(v.Remarks, s)
		}
	}
	for _, p := range r.Promises {
		if p.Kept {
			v.Kept++
		}
	}
	for _, name := range peers.Names() {
		if r.Measured(name) {
			v.Peers = append(v.Peers, peerView{name, r.Versions[name], r.Settings[name]})
		}
	}
	for rows := r.Rows; len(rows) > 0; {
		n := 1
		for n < len(rows) && rows[n].Case == rows[0].Case {
			n++
		}
		v.Cases = append(v.Cases, newCase(rows[:n], about(rows[0].Case)))
		rows = rows[n:]
	}
	return t.Execute(w, v)
}

// The costs of processes have figures that end so, before the thing that they are for.
var costs = []struct{ mark, title string }{
	{" CPU, µs/", "processor time, µs"},
	{" system calls/", "system calls"},
	{" switches/", "context switches"},
}

// costOf returns which of the costs a figure is, or -1 if it is not a cost.
func costOf(figure string) int {
	for i, c := range costs {
		if strings.Contains(figure, "'s"+c.mark) {
			return i
		}
	}
	return -1
}

func newCase(rows []*results.Row, about string) caseView {
	v := caseView{Name: rows[0].Case, About: about}
	stacked := make([][]*results.Row, len(costs))
	for _, row := range rows {
		if i := costOf(row.Figure); i >= 0 {
			stacked[i] = append(stacked[i], row)
		} else if len(row.Peers) > 1 && !zero(row) {
			better := "less is better"
			if results.MoreIsBetter(row.Figure) {
				better = "more is better"
			}
			v.Charts = append(v.Charts, chartView{row.Figure, better, bars(row)})
		}
		v.Head = append(v.Head, row.Figure)
	}
	for i, rows := range stacked {
		if len(rows) > 0 && len(rows[0].Peers) > 1 {
			_, thing, _ := strings.Cut(rows[0].Figure, costs[i].mark)
			v.Charts = append(v.Charts, chartView{costs[i].title + " for each " + thing, "less is better", stacks(rows)})
		}
	}
	for _, name := range peers.Names() {
		line := lineView{Name: name, Own: name == peers.Hub}
		found := false
		for _, row := range rows {
			cell := newCell(row, name)
			found = found || cell.Median != ""
			line.Cells = append(line.Cells, cell)
		}
		if found {
			v.Lines = append(v.Lines, line)
		}
	}
	return v
}

// zero reports whether there is nothing to be seen.
func zero(row *results.Row) bool {
	for _, m := range row.Peers {
		if m.Median != 0 {
			return false
		}
	}
	return true
}

func newCell(row *results.Row, name string) cellView {
	m := row.Peers[name]
	if m == nil {
		return cellView{}
	}
	low, high := m.Range()
	c := cellView{Median: results.Short(m.Median), Range: results.Short(low) + " – " + results.Short(high)}
	if ratio, ok := row.Ratios[name]; ok && costOf(row.Figure) < 0 {
		c.Versus = fmt.Sprintf("sighub: %s ×", results.Short(ratio))
	}
	return c
}
