package pipe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
)

// A reader reads lines on its own goroutine, because a read of standard input cannot be interrupted. The goroutine ends with the
// input, or with the process.
type reader struct {
	in   chan string
	end  chan error
	text string // the current line
	err  error  // why reading ended; nil: at the end of the input
}

func readLines(ctx context.Context, in io.Reader) *reader {
	l := &reader{in: make(chan string), end: make(chan error, 1)}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, MaxLine)
	go func() {
		for lines.Scan() {
			select {
			case l.in <- lines.Text():
			case <-ctx.Done():
				return
			}
		}
		err := lines.Err()
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("it is longer than the %d bytes that fit into an event", MaxLine)
		}
		l.end <- err
	}()
	return l
}

// next reads the next line. It returns false at the end of the input, and when ctx is done.
func (l *reader) next(ctx context.Context) bool {
	select {
	case l.text = <-l.in:
		return true
	case l.err = <-l.end:
	case <-ctx.Done():
	}
	return false
}
