//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

const line = "%-34s %6s %5s %14s %6s %14s %5s %8s\n"

func printHead(out io.Writer) {
	fmt.Fprintf(out, line, "what lost its power", "cuts", "runs", "writes lost", "torn", "acknowledged", "wrong", "time")
}

// print prints a series of cuts, and what was wrong.
func (c *cuts) print(out io.Writer) {
	fmt.Fprintf(out, line, c.name, grouped(c.cuts), grouped(c.runs), grouped(c.dropped)+"/"+grouped(c.loose), grouped(c.torn), grouped(c.acked),
		grouped(len(c.bad)), round(c.took))
	const shown = 3
	for i, err := range c.bad {
		if i == shown {
			fmt.Fprintf(out, "      … and %d more; --verbose shows all\n", len(c.bad)-shown)
			break
		}
		fmt.Fprintln(out, "      "+strings.ReplaceAll(err.Error(), "\n", "\n      "))
	}
}

func round(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s" }

// grouped writes a number with commas between thousands.
func grouped(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// A total is the sum of several series.
type total struct {
	cuts, bad int
	took      time.Duration
}

func (t *total) add(c *cuts) {
	t.cuts += c.cuts
	t.bad += len(c.bad)
	t.took += c.took
}

// result is the last line, or an error.
func (t *total) result(out io.Writer) error {
	if t.bad > 0 {
		return fmt.Errorf("%s of %s cuts left something wrong", grouped(t.bad), grouped(t.cuts))
	}
	if t.cuts == 0 {
		return errors.New("nothing was cut")
	}
	fmt.Fprintf(out, "%s cuts in %s: everything that was acknowledged was there, once and in order, and the hub always started\n", grouped(t.cuts), round(t.took))
	return nil
}
