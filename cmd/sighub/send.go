package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"sighub/carrier"
	"sighub/hub"
)

type sendCommand struct {
	hubFlags
	Sender string `arg:"" help:"The name of the sender. It is registered while this command runs."`
	Event  string `arg:"" help:"The name of the event."`
	Data   string `arg:"" optional:"" help:"The data: JSON, or else a string. Default: null. With - it sends one event for each line of standard input."`
}

// Help implements kong.HelpProvider.
func (*sendCommand) Help() string {
	return `It exits with 0 once the hub has acknowledged every event. If a line cannot be sent, it reports that line and sends the
others.

Examples:

    sighub send door opened
    sighub send boiler temperature 71.5
    sighub send boiler state '{"pump": true}'
    vmstat -n 5 | sighub send host vmstat -`
}

// Run sends one event, or one for each line.
func (c *sendCommand) Run(ctx context.Context, s *streams) error {
	return c.with(ctx, s, "sighub send", func(ctx context.Context, r *hub.ClientRouter) error {
		sender, err := r.AddRemoteSender(ctx, c.Sender, hub.SenderOptions{Events: []string{c.Event}})
		if err != nil {
			return err
		}
		signal, err := sender.Signal(c.Event)
		switch {
		case err != nil:
		case c.Data == "-":
			err = sendLines(ctx, r, signal, s)
		case c.Data == "":
			err = signal.Trigger(ctx, nil)
		default:
			err = signal.Trigger(ctx, dataOf(c.Data))
		}
		if ctx.Err() != nil {
			return errors.Join(err, errInterrupted)
		}
		if removed := r.RemoveRemoteSender(ctx, sender); err == nil {
			err = removed
		}
		return err
	})
}

// maxLine is the longest line that is sent, in bytes. The largest message of a hub is 1 MiB by default.
const maxLine = 1<<20 - 1024

// sendLines sends one event for each line, many at a time. When the connection is lost, those in flight may have arrived
// or not: they count as lost, and are not sent again. The next ones wait until the connection is back.
func sendLines(ctx context.Context, r *hub.ClientRouter, signal *hub.Signal, s *streams) error {
	var (
		inFlight sync.WaitGroup
		failed   atomic.Int64
		first    atomic.Pointer[error]
		sent     int64
	)
	fail := func(err error) {
		failed.Add(1)
		first.CompareAndSwap(nil, &err)
	}
	lines := readLines(ctx, s.in)
	for lines.next(ctx) {
		sent++
		inFlight.Add(1)
		err := trigger(ctx, r, signal, lines.text, func(err error) {
			if err != nil {
				fail(err)
			}
			inFlight.Done()
		})
		if err == nil {
			continue
		}
		inFlight.Done()
		if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, carrier.ErrGone) {
			fail(err)
			break
		}
		err = fmt.Errorf("standard input, line %d: %w", sent, err)
		s.note("%v", err)
		fail(err)
	}
	inFlight.Wait()
	if n := failed.Load(); n > 0 {
		return fmt.Errorf("%d of %d events were not acknowledged: %w", n, sent, *first.Load())
	}
	if lines.err != nil {
		return fmt.Errorf("standard input, line %d: %w", sent+1, lines.err)
	}
	return nil
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
func trigger(ctx context.Context, r *hub.ClientRouter, signal *hub.Signal, line string, done func(error)) error {
	for {
		err := signal.TriggerAsync(ctx, dataOf(line), done)
		if !errors.Is(err, hub.ErrNotConnected) {
			return err
		}
		waiting, cancel := context.WithTimeout(ctx, answerTime)
		err = r.WaitConnected(waiting)
		cancel()
		if err != nil {
			return err
		}
	}
}
