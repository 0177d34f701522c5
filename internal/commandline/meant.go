package commandline

import (
	"fmt"
	"strings"
)

// meant suggests the name that is nearest to what was written, if one is near.
func meant(written string, names []string) string {
	best, least := "", 3
	for _, name := range names {
		if d := distance(written, name); d < least && d < len(name) {
			best, least = name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(": did you mean %s?", best)
}

// meantFlag suggests the flag of the command that is nearest to what was written.
func (c *Command) meantFlag(written string) string {
	if !strings.HasPrefix(written, "--") {
		return ""
	}
	var names []string
	for _, f := range c.Flags {
		names = append(names, "--"+f.Name)
	}
	return meant(written, names)
}

// distance returns how many bytes must be inserted, removed or changed to turn a into b (V. Levenshtein, 1966). Long texts are far
// from everything.
func distance(a, b string) int {
	const long = 64
	if len(a) > long {
		return long
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
