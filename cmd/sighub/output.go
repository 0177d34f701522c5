package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"sighub/carrier"
	"sighub/internal/safetext"
)

// All that the commands print passes one of the functions of this file, because any text in it may be a stranger's: the name of
// a sender, the data of an event, an exception. A test keeps it so.

// printLine prints one line of text.
func printLine(out io.Writer, format string, args ...any) error {
	_, err := io.WriteString(out, safetext.Line(fmt.Sprintf(format, args...))+"\n")
	return err
}

// maxCell is how much of a cell is shown, in bytes: one that is longer would move all columns out of sight. Names are shorter.
const maxCell = 320

// printTable prints rows in columns. The header has a tab between two columns.
func printTable(out io.Writer, header string, rows [][]string) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, header) // Flush returns the error
	for _, cells := range rows {
		for i, cell := range cells {
			cells[i] = safetext.Short(cell, maxCell)
		}
		_, _ = fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	return w.Flush()
}

// printJSON prints each value as one line of JSON.
func printJSON[T any](out io.Writer, list []T) error {
	for _, v := range list {
		line, err := carrier.JSON.Append(nil, v)
		if err != nil {
			return err
		}
		if err := printJSONLine(out, line); err != nil {
			return err
		}
	}
	return nil
}

// printJSONLine prints what is JSON already.
func printJSONLine(out io.Writer, line []byte) error {
	_, err := out.Write(append(safetext.JSON(line), '\n'))
	return err
}

// printAtOnce prints everything with a single call of Write, so that a screen does not flicker. If screen is true, it clears the
// screen first.
func printAtOnce(out io.Writer, screen bool, content func(io.Writer) error) error {
	var b bytes.Buffer
	if screen {
		b.WriteString("\x1b[H\x1b[2J") // move to the upper left, and clear
	}
	if err := content(&b); err != nil {
		return err
	}
	_, err := out.Write(b.Bytes())
	return err
}
