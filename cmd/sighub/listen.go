package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sighub/hub"
)

type listenCommand struct {
	hubFlags
	Sender  string        `arg:"" optional:"" help:"Whom to listen to. * or nothing: any sender."`
	Event   string        `arg:"" optional:"" help:"Which of its events. * or nothing: any event."`
	Output  string        `short:"o" enum:"text,json" default:"text" help:"text, or json: one object a line, {time, sender, event, data}."`
	Count   int           `short:"n" placeholder:"N" help:"End after N events."`
	Policy  hub.Policy    `placeholder:"POLICY" help:"What the hub does when this listener cannot keep up: block (slow the sender down for a while), latest (keep the newest of each event) or disconnect. What is missed is told as #gap. Default: as the hub is configured."`
	Timeout time.Duration `placeholder:"D" help:"Fail when there is no event for this long, as in 5s."`
}

// Help implements kong.HelpProvider.
func (*listenCommand) Help() string {
	return `It prints until it is interrupted, and reaches a hub that was lost again by itself.

Examples:

    sighub listen
    sighub listen light lux
    sighub listen '*' '#disconnect'
    sighub listen --output json --count 1 --timeout 5s light | jq .data`
}

// What ends listening; errors to context.WithCancelCause alone.
var errHeardAll = errors.New("all events were heard")

// Run prints events until there were enough, the user has enough, or none came in time.
func (c *listenCommand) Run(ctx context.Context, s *streams) error {
	if c.Count < 0 || c.Timeout < 0 {
		return usageError{errors.New("--count and --timeout cannot be negative: leave them out to listen for ever")}
	}
	return c.with(ctx, s, "sighub listen", func(ctx context.Context, r *hub.ClientRouter) error {
		return c.listen(ctx, s, r)
	})
}

func (c *listenCommand) listen(ctx context.Context, s *streams, r *hub.ClientRouter) error {
	sender, event := anyAsEmpty(c.Sender), anyAsEmpty(c.Event)
	filter := ""
	if sender == "" && event != "" && !strings.HasPrefix(event, "#") {
		// The hub knows no such subscription: an event of any sender is one only if it is a channel.
		filter, event = event, ""
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	p := newPrinter(s.out, c.Output)
	heard := 0
	var silence *time.Timer
	if c.Timeout > 0 {
		silence = time.AfterFunc(c.Timeout, func() { end(fmt.Errorf("no event within %s", c.Timeout)) })
		defer silence.Stop()
	}
	_, err := r.AddRemoteListenerWith(ctx, sender, event, hub.ListenerOptions{Policy: c.Policy}, func(ev hub.Event) {
		if filter != "" && ev.Name != filter || ctx.Err() != nil {
			return
		}
		if silence != nil {
			silence.Reset(c.Timeout)
		}
		switch err := p.print(ev); {
		case errors.Is(err, errNoJSON):
			s.note("%s", err)
			return
		case err != nil:
			end(err)
			return
		}
		if heard++; heard == c.Count {
			end(errHeardAll)
		}
	})
	if err != nil && ctx.Err() == nil {
		return err
	}
	if sender != "" {
		tellIfAwaited(ctx, s, r, sender)
	}
	<-ctx.Done()
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errHeardAll):
		return nil
	case !errors.Is(cause, context.Canceled):
		return cause
	case c.Count > 0:
		return fmt.Errorf("%w before there were %d events", errInterrupted, c.Count)
	default:
		return nil // it was to go on until somebody ends it
	}
}

// tellIfAwaited tells a user who may have mistyped a sender's name that it is not there.
func tellIfAwaited(ctx context.Context, s *streams, r *hub.ClientRouter, sender string) {
	list, err := r.RemoteSenders(ctx)
	if err != nil {
		return // whatever it is, listening goes on
	}
	for _, info := range list {
		if info.Name == sender && !info.Connected {
			s.note("%s is not connected: waiting for it (`sighub senders` lists who is)", sender)
		}
	}
}

func anyAsEmpty(name string) string {
	if name == "*" {
		return ""
	}
	return name
}
