package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/hub"
	"sighub/internal/arguments"
)

// maxLine is the longest line that is sent, in bytes. The largest message of a hub is 1 MiB by default.
const maxLine = 1<<20 - 1024

// A lineSender sends one event for each line of standard input, many at a time. When the connection is lost, those in flight may
// have arrived or not: they count as lost, and are not sent again. The next ones wait until the connection is back.
type lineSender struct {
	router *hub.ClientRouter
	signal *hub.Signal
	at     time.Time // of all events; zero: now
	s      *streams

	sent     int64
	inFlight sync.WaitGroup
	failed   atomic.Int64
	first    atomic.Pointer[error]
	odd      []oddLines // in the order in which they came
}

// oddLines counts the lines with an oddity.
type oddLines struct {
	oddity arguments.Oddity
	count  int
}

func (l *lineSender) send(ctx context.Context) error {
	lines := readLines(ctx, l.s.in)
	for lines.next(ctx) {
		text := lines.text
		if l.sent++; l.sent == 1 {
			text = strings.TrimPrefix(text, "\ufeff")
		}
		data, odd := arguments.ParseData(text)
		l.note(odd)
		l.inFlight.Add(1)
		err := l.trigger(ctx, data)
		if err == nil {
			continue
		}
		l.inFlight.Done()
		if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, carrier.ErrGone) {
			l.fail(err)
			break
		}
		err = fmt.Errorf("standard input, line %d: %w", l.sent, plainError{err})
		l.s.note("%v", err)
		l.fail(err)
	}
	l.inFlight.Wait()
	l.summary()
	if n := l.failed.Load(); n > 0 {
		return fmt.Errorf("%d of %d events were not acknowledged: %w", n, l.sent, *l.first.Load())
	}
	if lines.err != nil {
		return fmt.Errorf("standard input, line %d: %w", l.sent+1, lines.err)
	}
	return nil
}

func (l *lineSender) fail(err error) {
	l.failed.Add(1)
	l.first.CompareAndSwap(nil, &err)
}

// note counts an odd line, and warns of the first of its kind.
func (l *lineSender) note(odd arguments.Oddity) {
	if odd == arguments.Nothing {
		return
	}
	for i := range l.odd {
		if l.odd[i].oddity == odd {
			l.odd[i].count++
			return
		}
	}
	l.odd = append(l.odd, oddLines{odd, 1})
	l.s.note("standard input, line %d: it %s: sent as a text, as are others like it", l.sent, odd)
}

// summary tells how many lines were odd.
func (l *lineSender) summary() {
	if len(l.odd) == 0 {
		return
	}
	var parts []string
	texts := 0
	for _, o := range l.odd {
		texts += o.count
		parts = append(parts, fmt.Sprintf("%d: it %s", o.count, o.oddity))
	}
	l.s.note("%d of %d lines were sent as texts, although something else may have been meant (%s)", texts, l.sent, strings.Join(parts, "; "))
}

// A lineReader reads lines on its own goroutine, because a read of standard input cannot be interrupted. The goroutine ends
// with the input, or with the process.
type lineReader struct {
	in   chan string
	end  chan error
	text string // the current line
	err  error  // why reading ended; nil: at the end of the input
}

func readLines(ctx context.Context, in io.Reader) *lineReader {
	l := &lineReader{in: make(chan string), end: make(chan error, 1)}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
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
			err = fmt.Errorf("it is longer than the %d bytes that fit into an event", maxLine)
		}
		l.end <- err
	}()
	return l
}

// next reads the next line. It returns false at the end of the input, and when ctx is done.
func (l *lineReader) next(ctx context.Context) bool {
	select {
	case l.text = <-l.in:
		return true
	case l.err = <-l.end:
	case <-ctx.Done():
	}
	return false
}

// trigger triggers one event. If the connection is lost, it waits for it first.
func (l *lineSender) trigger(ctx context.Context, data carrier.Value) error {
	done := func(err error) {
		if err != nil {
			l.fail(err)
		}
		l.inFlight.Done()
	}
	for {
		err := l.signal.TriggerAsyncAt(ctx, data, l.at, 0, done)
		if !errors.Is(err, hub.ErrNotConnected) {
			return err
		}
		waiting, cancel := context.WithTimeout(ctx, answerTime)
		err = l.router.WaitConnected(waiting)
		cancel()
		if err != nil {
			return err
		}
	}
}
