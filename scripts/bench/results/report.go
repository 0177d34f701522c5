package results

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"sighub/scripts/bench/peers"
)

// A Report is the JSON file.
type Report struct {
	Time     string            `json:"time"`
	Machine  string            `json:"machine"`
	Versions map[string]string `json:"versions"`
	Settings map[string]string `json:"settings"`
	Rows     []*Row            `json:"rows"`
	Promises []Verdict         `json:"promises"`
	Failures []string          `json:"failures"`
}

// Write writes the file.
func (r *Report) Write(file string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}

// Measured reports whether there is a figure of a peer.
func (r *Report) Measured(peer string) bool {
	return slices.ContainsFunc(r.Rows, func(row *Row) bool { return row.Peers[peer] != nil })
}

// Read reads the file.
func Read(file string) (*Report, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := new(Report)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}

// Print prints the table.
func (r *Report) Print(w io.Writer) {
	fmt.Fprintf(w, "%s, %s\n", r.Machine, r.Time)
	for _, peer := range append(peers.Names(), "rounds", "disk", "counts") {
		if slices.Contains(peers.Names(), peer) && !r.Measured(peer) {
			continue
		}
		if s := strings.TrimSpace(r.Versions[peer] + "  " + r.Settings[peer]); s != "" {
			fmt.Fprintf(w, "  %-16s %s\n", peer, s)
		}
	}
	versus := []string{peers.Mosquitto, peers.NATS, peers.Relay}
	head := append([]string{"case", "figure"}, peers.Names()...)
	for _, v := range versus {
		head = append(head, "÷ "+v)
	}
	table := [][]string{head}
	before := ""
	for _, row := range r.Rows {
		line := []string{row.Case, row.Figure}
		if row.Case == before {
			line[0] = ""
		}
		before = row.Case
		for _, peer := range peers.Names() {
			cell := ""
			if m := row.Peers[peer]; m != nil {
				cell = Short(m.Median)
			}
			line = append(line, cell)
		}
		for _, v := range versus {
			cell := ""
			if ratio, ok := row.Ratios[v]; ok {
				cell = Short(ratio)
			}
			line = append(line, cell)
		}
		table = append(table, line)
	}
	fmt.Fprintln(w)
	printTable(w, withoutEmpty(table), 2)
	if len(r.Promises) > 0 {
		table = [][]string{{"promise", "measured", ""}}
		for _, v := range r.Promises {
			word := "missed"
			if v.Kept {
				word = "kept"
			}
			table = append(table, []string{v.Promise, Short(v.Measured), word})
		}
		fmt.Fprintln(w)
		printTable(w, table, 1)
	}
	for _, f := range r.Failures {
		fmt.Fprintln(w, "FAILED", f)
	}
}

// withoutEmpty returns a table without the columns that have nothing but a head.
func withoutEmpty(table [][]string) [][]string {
	less := make([][]string, len(table))
	for i := range table[0] {
		if !slices.ContainsFunc(table[1:], func(line []string) bool { return line[i] != "" }) {
			continue
		}
		for n, line := range table {
			less[n] = append(less[n], line[i])
		}
	}
	return less
}

// printTable aligns columns; the first few to the left, the others to the right.
func printTable(w io.Writer, table [][]string, left int) {
	widths := make([]int, len(table[0]))
	for _, line := range table {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, line := range table {
		var b strings.Builder
		for i, cell := range line {
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i < left {
				cell += space
			} else {
				cell = space + cell
			}
			b.WriteString(cell + "  ")
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}

// Short formats a number with three significant digits.
func Short(v float64) string {
	unit := ""
	switch a := math.Abs(v); {
	case a >= 999_500:
		v, unit = v/1e6, "M"
	case a >= 9_995:
		v, unit = v/1e3, "k"
	case a >= 999.5:
		return strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	}
	digits := 2
	switch a := math.Abs(v); {
	case v == math.Trunc(v), a >= 99.95:
		digits = 0
	case a >= 9.995:
		digits = 1
	case a < 0.0995:
		digits = 4
	}
	return strconv.FormatFloat(v, 'f', digits, 64) + unit
}
