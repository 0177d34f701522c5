package secret_test

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"sighub/carrier/serial/port"
	"sighub/cmd/sighub/internal/secret"
)

// TestTerminal: what is typed at a terminal, twice, is read; only the questions are written there.
func TestTerminal(t *testing.T) {
	pty, err := port.NewPTY("")
	if err != nil {
		t.Fatal(err)
	}
	defer pty.Close()
	in, err := os.OpenFile(pty.Path(), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	person, err := pty.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var prompts bytes.Buffer
	screen := secret.Open(in, &prompts)
	if screen == nil {
		t.Fatal("it is no terminal")
	}
	read := make(chan string, 1)
	go func() {
		text, err := secret.Ask(screen, "a password")
		if err != nil {
			t.Error(err)
		}
		read <- text
	}()
	for len(read) == 0 { // what is typed before it is read may be thrown away
		if _, err := person.Write([]byte("correct horse\n")); err != nil {
			t.Fatal(err)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("nothing is read")
		}
	}
	if text := <-read; text != "correct horse" || strings.Contains(prompts.String(), "horse") || !strings.Contains(prompts.String(), "a password: \nthe same again: \n") {
		t.Errorf("%q is read; the terminal shows %q", text, prompts.String())
	}
}
