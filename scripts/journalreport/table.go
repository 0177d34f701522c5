//go:build linux

package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A table prints rows as soon as they are measured, as Markdown.
type table struct {
	out          io.Writer
	rows, broken int
}

func newTable(out io.Writer) *table {
	t := &table{out: out}
	t.line("what", "measured", "promised", "")
	t.line("---", "---", "---", "---")
	return t
}

func (t *table) line(cells ...string) { fmt.Fprintf(t.out, "| %s |\n", strings.Join(cells, " | ")) }

// row prints a measurement, and whether it is at most what is promised.
func (t *table) row(what string, measured float64, unit string, most float64) {
	t.rows++
	word := "kept"
	if !(measured <= most) { // and so a number that is none
		word = "broken"
		t.broken++
	}
	t.line(what, short(measured)+" "+unit, "≤ "+short(most)+" "+unit, word)
}

// least prints a measurement, and whether it is at least what is promised.
func (t *table) least(what string, measured float64, unit string, least float64) {
	t.rows++
	word := "kept"
	if !(measured >= least) {
		word = "broken"
		t.broken++
	}
	t.line(what, short(measured)+" "+unit, "≥ "+short(least)+" "+unit, word)
}

// note prints a measurement of which nothing is promised.
func (t *table) note(what, measured string) { t.line(what, measured, "", "") }

// failed prints that something could not be measured. What is not measured is not kept.
func (t *table) failed(what string, err error) {
	t.rows++
	t.broken++
	t.line(what, "not measured: "+strings.ReplaceAll(err.Error(), "\n", "; "), "", "broken")
}

// verdict returns an error unless all promises are kept.
func (t *table) verdict() error {
	if t.broken > 0 {
		return fmt.Errorf("%d of %d promises are broken, or not measured", t.broken, t.rows)
	}
	return nil
}

// short formats a number with three significant digits, or all those before the point.
func short(v float64) string {
	digits := 0
	switch {
	case v != v || v >= 100 || v <= -100 || v == float64(int64(v)):
	case v >= 10 || v <= -10:
		digits = 1
	default:
		digits = 2
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}
