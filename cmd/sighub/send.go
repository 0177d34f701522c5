package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sighub/carrier"
	"sighub/hub"
	"sighub/hub/verb"
	"sighub/internal/arguments"
	"sighub/internal/pipe"
)

type sendCommand struct {
	hubFlags
	Sender string `arg:"" help:"The name of the sender. It is registered while this command runs."`
	Event  string `arg:"" help:"The name of the event."`
	Data   string `arg:"" optional:"" help:"The data: JSON, or else a string. Default: null. With - it sends one event for each line of standard input."`

	ID      string        `name:"id" placeholder:"NAME" help:"Each line of standard input becomes one event, once, however often the input is given again from its beginning. The hub remembers by this name how far it came."`
	Timeout time.Duration `placeholder:"D" help:"Give up after this long, as in 5s. Default: 15s for each answer of the hub."`
	Time    string        `placeholder:"TIME" help:"When it happened: RFC 3339, as in 2026-06-21T10:30:05Z, or seconds, milliseconds, microseconds or nanoseconds since 1970. Default: now."`
}

// Help is what --help says in full.
func (*sendCommand) Help() string {
	return `It exits with 0 once the hub has acknowledged every event. If a line cannot be sent, it reports that line and sends the
others.

A text that is no JSON is sent as a string. .5, +5 and 5. are numbers. An argument that begins like JSON and is not, or a number
such as 21,5 or 007, is an error: put a text in quotes, '"007"'. A line of standard input is then sent as a string, and a warning
says so, once for each kind. A byte order mark and CR at the ends of lines are left out.

With --id, a pipe may be interrupted and started again, and the hub too: lines that the hub has on record are skipped, and what it
has not acknowledged is sent again when the hub is back. The input must begin with the same lines each time: cat FILE, or
tail -n +1 -F FILE for one that grows. Another input is an error, and needs another NAME. The hub must keep a journal.

Examples:

    sighub send door opened
    sighub send boiler temperature 71.5
    sighub send boiler state '{"pump": true}'
    sighub send boiler temperature 71.5 --time 2026-06-21T10:30:05Z
    vmstat -n 5 | sighub send host vmstat -
    tail -n +1 -F app.log | sighub send --id app.log app log -`
}

// Run sends one event, or one for each line.
func (c *sendCommand) Run(ctx context.Context, s *streams) error {
	if c.Timeout < 0 {
		return usageError{errors.New("--timeout must not be negative: leave it out to wait as long as usual")}
	}
	if c.ID != "" && c.Data != "-" {
		return usageError{errors.New("--id is for the lines of standard input: write - for the data")}
	}
	at, err := arguments.ParseTime(c.Time)
	if err != nil {
		return usageError{fmt.Errorf("--time %w", err)}
	}
	var data carrier.Value
	if c.Data != "" && c.Data != "-" {
		if data, err = arguments.Data(c.Data); err != nil {
			return usageError{err}
		}
	}
	if c.Timeout > 0 {
		late := lateError{fmt.Errorf("not done within %s", c.Timeout)}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.Timeout, late)
		defer cancel()
	}
	c.wants = wanted(verb.Trigger, c.Sender, c.Event)
	return c.with(ctx, s, "sighub send", func(ctx context.Context, r *hub.ClientRouter) error {
		register := r.AddRemoteSender
		if c.ID != "" {
			register = func(ctx context.Context, name string, o hub.SenderOptions) (*hub.Sender, error) {
				return pipe.Register(ctx, r, name, o)
			}
		}
		sender, err := register(ctx, c.Sender, hub.SenderOptions{Events: []string{c.Event}, Producer: c.ID})
		if err != nil {
			if errors.Is(err, carrier.ErrDenied) && strings.Contains(err.Error(), " may not add ") {
				c.wants = wanted(verb.Add, c.Sender)
			}
			return becauseOf(ctx, err)
		}
		signal, err := sender.Signal(c.Event)
		switch {
		case err != nil:
		case c.ID != "":
			err = pipe.SendNumbered(ctx, pipe.Options{In: s.in, Note: s.note, Signal: signal, Time: at}, sender, c.ID)
			if errors.Is(err, pipe.ErrOtherInput) {
				err = usageError{err}
			}
		case c.Data == "-":
			err = pipe.Send(ctx, pipe.Options{In: s.in, Note: s.note, Router: r, Signal: signal, Time: at, Wait: answerTime})
		default:
			err = signal.TriggerAt(ctx, data, at, 0)
		}
		if ctx.Err() != nil {
			return becauseOf(ctx, err)
		}
		if removed := r.RemoveRemoteSender(ctx, sender); err == nil {
			err = removed
		}
		return err
	})
}
