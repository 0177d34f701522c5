package web

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestDocumentation: each line of docs/http.md that begins with curl does what it says.
func TestDocumentation(t *testing.T) {
	page, err := os.ReadFile("../docs/http.md")
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, true, Options{Metrics: func(w http.ResponseWriter, _ bool) { _, _ = w.Write([]byte("# EOF\n")) }})
	ran := 0
	for line := range strings.Lines(string(page)) {
		if !strings.HasPrefix(line, "curl ") {
			continue
		}
		ran++
		line = strings.ReplaceAll(strings.TrimSpace(line), "http://127.0.0.1:3000", h.url)
		c := exec.Command("sh", "-c", strings.Replace(line, "curl ", "curl -sS --fail-with-body --max-time 3 ", 1))
		c.Dir = t.TempDir()
		out, err := c.CombinedOutput()
		var exit *exec.ExitError
		switch stream := strings.Contains(line, " -N "); {
		case stream && errors.As(err, &exit) && exit.ExitCode() == 28 && strings.Contains(string(out), "data: {"): // its time is over
		case stream, err != nil:
			t.Errorf("%s: %v (is curl installed?)\n%s", line, err, out)
		}
	}
	if ran < 10 {
		t.Errorf("%d lines", ran)
	}
}
