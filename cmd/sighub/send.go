package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sighub/carrier"
	"sighub/hub"
	"sighub/internal/arguments"
)

type sendCommand struct {
	hubFlags
	Sender string `arg:"" help:"The name of the sender. It is registered while this command runs."`
	Event  string `arg:"" help:"The name of the event."`
	Data   string `arg:"" optional:"" help:"The data: JSON, or else a string. Default: null. With - it sends one event for each line of standard input."`

	Timeout time.Duration `placeholder:"D" help:"Give up after this long, as in 5s. Default: 15s for each answer of the hub."`
	Time    string        `placeholder:"TIME" help:"When it happened: RFC 3339, as in 2026-06-21T10:30:05Z, or seconds, milliseconds, microseconds or nanoseconds since 1970. Default: now."`
}

// Help implements kong.HelpProvider.
func (*sendCommand) Help() string {
	return `It exits with 0 once the hub has acknowledged every event. If a line cannot be sent, it reports that line and sends the
others.

A text that is no JSON is sent as a string. .5, +5 and 5. are numbers. An argument that begins like JSON and is not, or a number
such as 21,5 or 007, is an error: put a text in quotes, '"007"'. A line of standard input is then sent as a string, and a warning
says so, once for each kind. A byte order mark and CR at the ends of lines are left out.

Examples:

    sighub send door opened
    sighub send boiler temperature 71.5
    sighub send boiler state '{"pump": true}'
    sighub send boiler temperature 71.5 --time 2026-06-21T10:30:05Z
    vmstat -n 5 | sighub send host vmstat -`
}

// Run sends one event, or one for each line.
func (c *sendCommand) Run(ctx context.Context, s *streams) error {
	if c.Timeout < 0 {
		return usageError{errors.New("--timeout must not be negative: leave it out to wait as long as usual")}
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
	return c.with(ctx, s, "sighub send", func(ctx context.Context, r *hub.ClientRouter) error {
		sender, err := r.AddRemoteSender(ctx, c.Sender, hub.SenderOptions{Events: []string{c.Event}})
		if err != nil {
			return becauseOf(ctx, err)
		}
		signal, err := sender.Signal(c.Event)
		switch {
		case err != nil:
		case c.Data == "-":
			err = (&lineSender{router: r, signal: signal, at: at, s: s}).send(ctx)
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
