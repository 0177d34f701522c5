package commandline

import (
	"fmt"
	"strings"

	"sighub/internal/plain"
)

// meant suggests the name that is nearest to what was written, if one is near.
func meant(written string, names []string) string {
	best, least := "", 3
	for _, name := range names {
		if d := plain.Distance(written, name); d < least && d < len(name) {
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
