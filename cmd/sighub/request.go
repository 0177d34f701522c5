package main

import (
	"context"
	"fmt"
	"time"

	"sighub/carrier"
	"sighub/hub"
	"sighub/hub/verb"
	"sighub/internal/arguments"
	"sighub/internal/terminal"
)

type requestCommand struct {
	hubFlags
	Sender  string        `arg:"" help:"The sender to ask."`
	Method  string        `arg:"" help:"The method of the sender."`
	Params  string        `arg:"" optional:"" help:"The parameters: JSON, or else a string. Default: null."`
	Timeout time.Duration `default:"15s" placeholder:"D" help:"How long to wait for the answer, from the start on. The hub itself waits for a sender for 10s, unless it is configured otherwise."`
}

// Help is what --help says in full.
func (*requestCommand) Help() string {
	return `It prints the answer as one line of JSON.

Examples:

    sighub request light read
    sighub request pump set '{"on": true}'`
}

// Run sends the request and prints the answer.
func (c *requestCommand) Run(ctx context.Context, s *streams) error {
	if c.Timeout <= 0 {
		return usageError{fmt.Errorf("--timeout must be positive, not %s: give one such as 5s", c.Timeout)}
	}
	var params carrier.Value
	if c.Params != "" {
		var err error
		if params, err = arguments.Data(c.Params); err != nil {
			return usageError{err}
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.Timeout, lateError{fmt.Errorf("no answer from %s within %s", c.Sender, c.Timeout)})
	defer cancel()
	c.wants = wanted(verb.Request, c.Sender, c.Method)
	return c.with(ctx, s, "sighub request", func(ctx context.Context, r *hub.ClientRouter) error {
		response, err := r.RemoteRequest(ctx, c.Sender, c.Method, params)
		switch {
		case err != nil && ctx.Err() != nil:
			return becauseOf(ctx, nil)
		case err != nil:
			return err
		}
		line, err := response.AppendTo(nil, carrier.JSON)
		if err != nil {
			return fmt.Errorf("the answer cannot be written as JSON: %w", err)
		}
		return terminal.JSONLine(s.out, line)
	})
}
