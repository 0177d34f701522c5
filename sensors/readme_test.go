package sensors

import (
	"os"
	"strings"
	"testing"
)

// TestGuide: the guide's example is the one that is run, to the letter, and is short.
func TestGuide(t *testing.T) {
	guide, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("guide_test.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(guide), "```go\n"+string(example)+"```\n") {
		t.Error("README.md has another example than guide_test.go")
	}
	if n := strings.Count(string(example), "\n"); n >= 60 {
		t.Errorf("the example has %d lines: 59 at the most", n)
	}
}
