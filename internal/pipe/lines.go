package pipe

import (
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
	"sighub/internal/plain"
)

// MaxLine is the longest line that is sent, in bytes. The largest message of a hub is 1 MiB by default.
const MaxLine = 1<<20 - 1024

// Options say what is sent, and how.
type Options struct {
	In     io.Reader
	Note   func(format string, args ...any) // tells the user something
	Router *hub.ClientRouter
	Signal *hub.Signal
	Time   time.Time     // of all events; zero: when they arrive
	Wait   time.Duration // for a connection that was lost
}

// Send sends one event for each line, many at a time. When the connection is lost, those in flight may have arrived or not: they
// count as lost, and are not sent again. The next ones wait until the connection is back.
func Send(ctx context.Context, o Options) error {
	return (&sender{lines: lines{o: o}}).send(ctx)
}

type sender struct {
	lines
	inFlight sync.WaitGroup
}

func (l *sender) send(ctx context.Context) error {
	in := readLines(ctx, l.o.In)
	for in.next(ctx) {
		data := l.parse(in.text)
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
		l.refuse(l.read, err)
	}
	l.inFlight.Wait()
	return l.end(in.err)
}

// trigger triggers one event. If the connection is lost, it waits for it first.
func (l *sender) trigger(ctx context.Context, data carrier.Value) error {
	done := func(err error) {
		if err != nil {
			l.fail(err)
		}
		l.inFlight.Done()
	}
	for {
		err := l.o.Signal.TriggerAsyncAt(ctx, data, l.o.Time, 0, done)
		if !errors.Is(err, hub.ErrNotConnected) {
			return err
		}
		waiting, cancel := context.WithTimeout(ctx, l.o.Wait)
		err = l.o.Router.WaitConnected(waiting)
		cancel()
		if err != nil {
			return err
		}
	}
}

// lines counts lines, and what becomes of them.
type lines struct {
	o      Options
	read   int64
	failed atomic.Int64
	first  atomic.Pointer[error]
	odd    []oddLines // in the order in which they came
}

// oddLines counts the lines with an oddity.
type oddLines struct {
	oddity arguments.Oddity
	count  int
}

// parse returns the data of the next line.
func (l *lines) parse(text string) carrier.Value {
	if l.read++; l.read == 1 {
		text = strings.TrimPrefix(text, "\ufeff")
	}
	data, odd := arguments.ParseData(text)
	l.note(odd)
	return data
}

// refuse tells of a line that cannot be sent.
func (l *lines) refuse(line int64, err error) {
	err = fmt.Errorf("standard input, line %d: %w", line, plain.Error(err))
	l.o.Note("%v", err)
	l.fail(err)
}

func (l *lines) fail(err error) {
	l.failed.Add(1)
	l.first.CompareAndSwap(nil, &err)
}

// note counts an odd line, and warns of the first of its kind.
func (l *lines) note(odd arguments.Oddity) {
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
	l.o.Note("standard input, line %d: it %s: sent as a text, as are others like it", l.read, odd)
}

// end tells how many lines were odd, and returns what went wrong; reading may have.
func (l *lines) end(reading error) error {
	if len(l.odd) > 0 {
		var parts []string
		texts := 0
		for _, o := range l.odd {
			texts += o.count
			parts = append(parts, fmt.Sprintf("%d: it %s", o.count, o.oddity))
		}
		l.o.Note("%d of %d lines were sent as texts, although something else may have been meant (%s)", texts, l.read, strings.Join(parts, "; "))
	}
	if n := l.failed.Load(); n > 0 {
		return fmt.Errorf("%d of %d events were not acknowledged: %w", n, l.read, *l.first.Load())
	}
	if reading != nil {
		return fmt.Errorf("standard input, line %d: %w", l.read+1, reading)
	}
	return nil
}
