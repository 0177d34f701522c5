package secret_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"sighub/cmd/sighub/internal/secret"
)

// typed is what somebody types, line by line.
type typed struct{ lines []string }

func (t *typed) Read(string) (string, error) {
	if len(t.lines) == 0 {
		return "", io.EOF
	}
	line := t.lines[0]
	t.lines = t.lines[1:]
	return line, nil
}

func TestAsk(t *testing.T) {
	for lines, want := range map[string]string{
		"correct horse|correct horse": "correct horse", " a  b |  a  b": "!two different", " a |": "!two different",
		"a|b": "!two different", "": "!nothing was typed", "a": "!nothing was typed",
	} {
		var list []string
		if lines != "" {
			list = strings.Split(lines, "|")
		}
		got, err := secret.Ask(&typed{list}, "a password")
		check(t, lines, got, err, want)
	}
}

func TestRead(t *testing.T) {
	for text, want := range map[string]string{
		"correct horse": "correct horse", "correct horse\n": "correct horse", "correct horse\r\n\n": "correct horse", " x \n": " x ",
		"": "!nothing to read", "\n": "!nothing to read", "one\ntwo\n": "!more than one line",
		strings.Repeat("x", 4097): "!more than 4096 bytes", strings.Repeat("x", 1e5): "!more than 4096 bytes",
	} {
		got, err := secret.Read(strings.NewReader(text))
		check(t, text, got, err, want)
	}
	broken := errors.New("broken")
	if _, err := secret.Read(io.MultiReader(strings.NewReader("x"), failing{broken})); !errors.Is(err, broken) {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func check(t *testing.T, what, got string, err error, want string) {
	t.Helper()
	part, fails := strings.CutPrefix(want, "!")
	switch {
	case fails && (err == nil || !strings.Contains(err.Error(), part) || got != ""):
		t.Errorf("%.20q: %q, %v, want %s", what, got, err, part)
	case !fails && (err != nil || got != want):
		t.Errorf("%.20q: %q, %v", what, got, err)
	case err != nil && len(what) > 3 && strings.Contains(err.Error(), what):
		t.Errorf("the error says the secret: %v", err)
	}
}

// TestOpen: a pipe is no terminal.
func TestOpen(t *testing.T) {
	if secret.Open(strings.NewReader("x"), io.Discard) != nil {
		t.Error("a text is a terminal")
	}
}
