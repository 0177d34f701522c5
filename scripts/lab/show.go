package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"sighub/scripts/lab/wire"
)

// show prints what the agent saw, in seconds of the machine's clock. It only counts readings.
func show(out io.Writer, sights []wire.Sight) {
	const most = 150 // lines; of more, it leaves out the middle
	var lines []string
	readings := 0
	sights = slices.Clone(sights)
	slices.SortStableFunc(sights, func(a, b wire.Sight) int { return cmp.Compare(a.At, b.At) })
	for _, s := range sights {
		if s.Kind == wire.Heard && s.Event == countEvent {
			readings++
			continue
		}
		if readings > 0 {
			lines = append(lines, fmt.Sprintf("            (%d readings)", readings))
			readings = 0
		}
		parts := []string{fmt.Sprintf("%11.4f %-6s", float64(s.At)/1e9, s.Kind)}
		for _, part := range []string{s.By, s.Name, s.Sender, s.Event, s.Text, string(s.Data)} {
			if part != "" {
				parts = append(parts, part)
			}
		}
		lines = append(lines, strings.Join(parts, " "))
	}
	if readings > 0 {
		lines = append(lines, fmt.Sprintf("            (%d readings)", readings))
	}
	if len(lines) > most {
		left := fmt.Sprintf("            (%d lines)", len(lines)-most)
		lines = slices.Concat(lines[:most/2], []string{left}, lines[len(lines)-most/2:])
	}
	for _, l := range lines {
		fmt.Fprintf(out, "      %s\n", l)
	}
}
