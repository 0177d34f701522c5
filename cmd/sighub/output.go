package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"sighub/carrier"
)

// printTable prints rows in columns. The header has a tab between two columns.
func printTable(out io.Writer, header string, rows [][]string) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, header) // Flush returns the error
	for _, cells := range rows {
		for i, cell := range cells {
			cells[i] = printable(cell)
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
		if _, err := out.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return nil
}
