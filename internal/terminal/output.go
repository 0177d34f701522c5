package terminal

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/creack/pty"

	"sighub/carrier"
	"sighub/internal/safetext"
)

// Line prints one line of text.
func Line(out io.Writer, format string, args ...any) error {
	_, err := io.WriteString(out, safetext.Line(fmt.Sprintf(format, args...))+"\n")
	return err
}

// Own prints text of the program itself, as it is, such as a page of its documentation. Nothing of a stranger's may be in it.
func Own(out io.Writer, text string) error {
	_, err := io.WriteString(out, text)
	return err
}

// maxCell is how much of a cell is shown, in bytes: one that is longer would move all columns out of sight. Names are shorter.
const maxCell = 320

// Table prints rows in columns. The header has a tab between two columns.
func Table(out io.Writer, header string, rows [][]string) error {
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

// JSON prints each value as one line of JSON.
func JSON[T any](out io.Writer, list []T) error {
	for _, v := range list {
		line, err := carrier.JSON.Append(nil, v)
		if err != nil {
			return err
		}
		if err := JSONLine(out, line); err != nil {
			return err
		}
	}
	return nil
}

// JSONLine prints what is JSON already.
func JSONLine(out io.Writer, line []byte) error {
	_, err := out.Write(append(safetext.JSON(line), '\n'))
	return err
}

// CSV prints a row of comma-separated values (RFC 4180, with LF at its end). A cell that a spreadsheet would compute has an
// apostrophe in front, which shows that it is text.
func CSV(out io.Writer, cells ...string) error {
	for i, cell := range cells {
		if cell != "" && strings.ContainsRune("=+-@", rune(cell[0])) && !isNumber(cell) {
			cell = "'" + cell
		}
		cells[i] = safetext.Whole(cell)
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	err := w.Write(cells)
	if w.Flush(); err != nil {
		return err
	}
	_, err = out.Write(b.Bytes())
	return err
}

func isNumber(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	return err == nil
}

// Drawing prints lines that this package has drawn, as they are.
func Drawing(out io.Writer, lines []string) error {
	_, err := io.WriteString(out, strings.Join(lines, "\n")+"\n")
	return err
}

// AtOnce prints everything with a single call of Write, so that a screen does not flicker. If screen is true, it clears the
// screen first.
func AtOnce(out io.Writer, screen bool, content func(io.Writer) error) error {
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

// IsTerminal reports whether somebody looks at what is written to w.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// usualWidth is the width of a terminal that does not tell it, in columns.
const usualWidth = 80

// Width returns the width of the terminal that w is, in columns.
func Width(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if _, columns, err := pty.Getsize(f); err == nil && columns > 0 {
			return columns
		}
	}
	if columns, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && columns > 0 {
		return columns
	}
	return usualWidth
}

// Size returns a number of bytes as people read it: 512 bytes, 1.5 MiB.
func Size(bytes int64) string {
	const step = 1024
	if bytes < step {
		return fmt.Sprintf("%d bytes", bytes)
	}
	size, unit := float64(bytes), ""
	for _, unit = range []string{"KiB", "MiB", "GiB", "TiB"} {
		if size /= step; size < step-0.05 {
			break
		}
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", size), ".0") + " " + unit
}
