package terminal

import (
	"io"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// TestSecret: a secret is a line, without its end.
func TestSecret(t *testing.T) {
	for text, want := range map[string]string{"correct horse\n": "correct horse", " a b \r\nrest": " a b ", "last": "last", "\n": "", "": ""} {
		got, err := Secret(strings.NewReader(text), io.Discard, "password")
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

// TestSecretTyped: on a terminal, it is not shown, and has to be typed twice.
func TestSecretTyped(t *testing.T) {
	for _, c := range []struct {
		again string
		ok    bool
	}{{"correct horse", true}, {"correct hose", false}} {
		keys, terminal, err := pty.Open()
		if err != nil {
			t.Fatal(err)
		}
		reading := make(chan struct{})
		go func() {
			defer close(reading)
			_, _ = io.Copy(io.Discard, keys) // ends with EIO when the other end is closed
		}()
		prompts, prompt := io.Pipe()
		go func() {
			b := make([]byte, 100)
			for _, text := range []string{"correct horse", c.again} {
				for { // until it is asked for, so that it is not shown
					n, err := prompts.Read(b)
					if err != nil || strings.HasSuffix(string(b[:n]), ": ") {
						break
					}
				}
				_, _ = io.WriteString(keys, text+"\n")
			}
			_, _ = io.Copy(io.Discard, prompts)
		}()
		got, err := Secret(terminal, prompt, "password")
		_ = prompt.Close()
		_ = terminal.Close()
		<-reading
		_ = keys.Close()
		if (err == nil) != c.ok || c.ok && got != "correct horse" {
			t.Errorf("%q, %v", got, err)
		}
	}
}
