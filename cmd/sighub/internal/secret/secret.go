// Package secret reads what nobody else is to see: from a terminal, which does not show it, from a file, or from a pipe. It is never an
// argument of a command, where every user of the machine could read it.
package secret

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// most is how long a secret may be, in bytes. Whoever takes it may want a shorter one.
const most = 4096

// A Terminal is where somebody types.
type Terminal interface {
	// Read asks for a line, which is not shown. The error is [io.EOF] if the person ends it.
	Read(prompt string) (string, error)
}

// Open returns the terminal that a command reads from, or nil if in is none.
func Open(in io.Reader, out io.Writer) Terminal {
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return screen{f, out}
	}
	return nil
}

type screen struct {
	in  *os.File
	out io.Writer
}

// Read implements [Terminal].
func (s screen) Read(prompt string) (string, error) {
	before, err := term.GetState(int(s.in.Fd()))
	if err != nil {
		return "", err
	}
	defer func() { _ = term.Restore(int(s.in.Fd()), before) }() // it is as it was, or has gone
	if _, err := fmt.Fprint(s.out, prompt); err != nil {
		return "", err
	}
	line, err := term.ReadPassword(int(s.in.Fd()))
	_, _ = fmt.Fprintln(s.out) // what was typed ended with a line break that was not shown
	return string(line), err
}

// Ask asks twice for a new secret.
func Ask(t Terminal, what string) (string, error) {
	first, err := t.Read(what + ": ")
	if err == nil && first == "" {
		err = errors.New("nothing was typed")
	}
	if err != nil {
		return "", unread(err)
	}
	second, err := t.Read("the same again: ")
	switch {
	case err != nil:
		return "", unread(err)
	case first != second:
		return "", errors.New("these are two different ones: try again")
	}
	return first, nil
}

// Read reads the first line of a file or a pipe, which may have no more than that.
func Read(r io.Reader) (string, error) {
	b := bufio.NewReader(io.LimitReader(r, most+1))
	line, err := b.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", unread(err)
	}
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	rest, _ := io.ReadAll(b) // an error after the line does not matter
	switch {
	case len(line) > most:
		return "", fmt.Errorf("there are more than %d bytes: give a file with nothing else in it", most)
	case strings.TrimSpace(string(rest)) != "":
		return "", errors.New("there is more than one line: give a file with nothing else in it")
	case line == "":
		return "", errors.New("there is nothing to read")
	}
	return line, nil
}

func unread(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("nothing was typed")
	}
	return err
}
