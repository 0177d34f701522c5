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
	countReadings := func() {
		if readings > 0 {
			lines = append(lines, fmt.Sprintf("            (%d readings)", readings))
			readings = 0
		}
	}
	byTime := func(a, b wire.Sight) int { return cmp.Compare(a.At, b.At) }
	for _, s := range slices.SortedStableFunc(slices.Values(sights), byTime) {
		if s.Kind == wire.Heard && s.Event == countEvent {
			readings++
			continue
		}
		countReadings()
		parts := []string{fmt.Sprintf("%11.4f %-6s", float64(s.At)/1e9, s.Kind), s.By, s.Name, s.Sender, s.Event, s.Text, string(s.Data)}
		parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
		lines = append(lines, strings.Join(parts, " "))
	}
	countReadings()
	if len(lines) > most {
		left := fmt.Sprintf("            (%d lines)", len(lines)-most)
		lines = slices.Concat(lines[:most/2], []string{left}, lines[len(lines)-most/2:])
	}
	for _, l := range lines {
		fmt.Fprintf(out, "      %s\n", l)
	}
}
