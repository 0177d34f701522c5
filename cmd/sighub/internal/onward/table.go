package onward

import (
	"fmt"
	"io"
	"time"

	"sighub/bridge"
	"sighub/internal/terminal"
)

// Table prints bridges, and what is wrong with them below. age formats a time that has passed.
func Table(out io.Writer, list []bridge.Status, now time.Time, age func(time.Duration) string) error {
	var rows [][]string
	for _, b := range list {
		state, oldest, left := "connected", "-", "-"
		if !b.Connected {
			state = "not connected"
		}
		if b.Oldest != nil {
			oldest = age(now.Sub(*b.Oldest))
		}
		if b.Left != nil {
			left = hours(*b.Left)
		}
		rows = append(rows, []string{
			b.Name, b.Where, state, age(now.Sub(b.Since)), fmt.Sprint(b.Sent), fmt.Sprint(b.Lag), oldest, left, fmt.Sprint(b.Refused), fmt.Sprint(b.Lost),
		})
	}
	if err := terminal.Table(out, "BRIDGE\tWHERE\tSTATE\tSINCE\tSENT\tWAITING\tOLDEST\tROOM FOR\tREFUSED\tLOST", rows); err != nil {
		return err
	}
	for _, b := range list {
		if b.Error == "" {
			continue
		}
		at := ""
		if b.ErrorAt != nil {
			at = ", " + age(now.Sub(*b.ErrorAt)) + " ago"
		}
		if err := terminal.Line(out, "%s%s: %s: %s", b.Name, at, b.Error, b.Remedy); err != nil {
			return err
		}
	}
	return nil
}

// hours formats hours: 5h, 12d.
func hours(h float64) string {
	if h >= 72 {
		return fmt.Sprintf("%.0fd", h/24)
	}
	return fmt.Sprintf("%.1fh", h)
}
