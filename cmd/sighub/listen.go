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
	Sender  string        `arg:"" optional:"" help:"The sender to listen to. Default, or *: any sender."`
	Event   string        `arg:"" optional:"" help:"The event to listen to. Default, or *: any event."`
	Output  string        `short:"o" enum:"text,json" default:"text" help:"text, or json: one object a line, {time, sender, event, data}."`
	Count   int           `short:"n" placeholder:"N" help:"End after N events."`
	Policy  hub.Policy    `enum:",block,latest,disconnect" default:"" help:"What the hub does when this listener cannot keep up: block (delay the sender for a while), latest (keep only the newest value of each event) or disconnect. A #gap event counts what is lost. Default: the policy of the hub's configuration."`
	Timeout time.Duration `placeholder:"D" help:"Fail when there is no event for this long, as in 5s."`
}

// Help implements kong.HelpProvider.
func (*listenCommand) Help() string {
	return `It prints events until it is interrupted. If the connection to the hub is lost, it connects again.

Examples:

    sighub listen
    sighub listen light lux
    sighub listen '*' '#disconnect'
    sighub listen --output json --count 1 --timeout 5s light | jq .data`
}

// errHeardAll ends listening. It is a cause of the context, not an error.
var errHeardAll = errors.New("all events were heard")

// Run prints events until there are enough, the user interrupts it, or no event comes in time.
func (c *listenCommand) Run(ctx context.Context, s *streams) error {
	if c.Count < 0 || c.Timeout < 0 {
		return usageError{errors.New("--count and --timeout must not be negative: leave them out to listen without end")}
	}
	return c.with(ctx, s, "sighub listen", func(ctx context.Context, r *hub.ClientRouter) error {
		return c.listen(ctx, s, r)
	})
}

func (c *listenCommand) listen(ctx context.Context, s *streams, r *hub.ClientRouter) error {
	sender, event := anyAsEmpty(c.Sender), anyAsEmpty(c.Event)
	filter := ""
	if sender == "" && event != "" && !strings.HasPrefix(event, "#") {
		// The hub has no such subscription: to hear one event of any sender, it must be a channel.
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
		return fmt.Errorf("%w before %d events were heard", errInterrupted, c.Count)
	default:
		return nil // it was asked to listen until then
	}
}

// tellIfAwaited tells the user if the sender is not connected: its name may be mistyped.
func tellIfAwaited(ctx context.Context, s *streams, r *hub.ClientRouter, sender string) {
	list, err := r.RemoteSenders(ctx)
	if err != nil {
		return // the hint is not worth an error
	}
	for _, info := range list {
		if info.Name == sender && !info.Connected {
			s.note("%s is not connected: waiting for it (`sighub senders` lists the senders)", sender)
		}
	}
}

func anyAsEmpty(name string) string {
	if name == "*" {
		return ""
	}
	return name
}
