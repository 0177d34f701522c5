package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"sighub/hub"
)

type sendCommand struct {
	hubFlags
	Sender string `arg:"" help:"The sender's name. It is registered for as long as this takes."`
	Event  string `arg:"" help:"The event's name."`
	Data   string `arg:"" optional:"" help:"The event's data: JSON, else a string. Nothing: null. -: one event for each line of standard input."`
}

// Help implements kong.HelpProvider.
func (*sendCommand) Help() string {
	return `It exits with 0 once the hub has acknowledged every event.

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
			err = sendLines(ctx, r, signal, s.in)
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

// maxLine is the longest line that is sent, in bytes: a hub takes messages of 1 MiB unless it is told otherwise.
const maxLine = 1<<20 - 1024

// sendLines sends one event for each line, many at a time. Those in flight when the hub is lost may have arrived or
// not, so they are counted as lost and not sent again; the next ones wait until it is back.
func sendLines(ctx context.Context, r *hub.ClientRouter, signal *hub.Signal, in io.Reader) error {
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
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for ctx.Err() == nil && lines.Scan() {
		sent++
		inFlight.Add(1)
		err := trigger(ctx, r, signal, lines.Text(), func(err error) {
			if err != nil {
				fail(err)
			}
			inFlight.Done()
		})
		if err != nil {
			fail(err)
			inFlight.Done()
			break
		}
	}
	inFlight.Wait()
	if n := failed.Load(); n > 0 {
		return fmt.Errorf("%d of %d events were not acknowledged: %w", n, sent, *first.Load())
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("standard input, line %d: %w", sent+1, err)
	}
	return nil
}

// trigger triggers one event, waiting for the hub if it was lost.
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
