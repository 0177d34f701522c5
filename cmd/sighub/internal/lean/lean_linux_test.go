package lean

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// resident returns how much of the files of this process is in its memory, in kB.
func resident(t *testing.T) (kb int) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "RssFile:")
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		t.Fatal(err)
	}
	return kb
}

// TestGiveBack: the program needs less memory, and works on.
func TestGiveBack(t *testing.T) {
	before := resident(t)
	GiveBack()
	if after := resident(t); after >= before {
		t.Errorf("%d kB are resident after %d kB", after, before)
	}
}
