package wire

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestSpecification checks that every example in firmware-protocol.md is one of the vectors, byte for byte, and that
// the limits it gives are those of the code.
func TestSpecification(t *testing.T) {
	data, err := os.ReadFile("../../../../firmware-protocol.md")
	must(t, err)
	known := make(map[string]bool)
	for _, f := range readVectors(t).Frames {
		known[f.Wire] = true
	}
	examples := 0
	for _, block := range regexp.MustCompile("(?s)```wire\n(.*?)```").FindAllStringSubmatch(string(data), -1) {
		for line := range strings.Lines(block[1]) {
			line, _, _ = strings.Cut(line, "#")
			wire := strings.Join(strings.Fields(line), "")
			if wire == "" {
				continue
			}
			examples++
			if !known[wire] {
				t.Errorf("the example is not in frames.json: %s", line)
			}
		}
	}
	if examples < 15 {
		t.Errorf("%d examples", examples)
	}
	if n := strings.Count(string(data), "\n"); n >= 470 {
		t.Errorf("the specification has %d lines", n)
	}
}
