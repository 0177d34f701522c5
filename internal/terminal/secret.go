package terminal

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"sighub/internal/safetext"
)

// mostSecret is how many bytes a line with a secret may have.
const mostSecret = 4096

// Secret reads a line that nobody else is to see: from a terminal without showing it, twice, after a prompt on out.
func Secret(in io.Reader, out io.Writer, prompt string) (string, error) {
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		first, err := typed(f, out, prompt+": ")
		if err != nil {
			return "", err
		}
		again, err := typed(f, out, "the same again: ")
		if err == nil && first != again {
			err = errors.New("the two are not the same: nothing is changed")
		}
		return first, err
	}
	line, err := bufio.NewReader(io.LimitReader(in, mostSecret)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", errors.New("nothing is said on standard input: write it there, in a line")
	}
	return line, nil
}

func typed(f *os.File, out io.Writer, prompt string) (string, error) {
	if err := Own(out, safetext.Line(prompt)); err != nil {
		return "", err
	}
	b, err := term.ReadPassword(int(f.Fd()))
	_ = Own(out, "\n") // what was typed has shown no end of the line
	return string(b), err
}
