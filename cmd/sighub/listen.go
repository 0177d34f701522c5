package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sighub/hub"
	"sighub/internal/arguments"
	"sighub/internal/terminal"
)

type listenCommand struct {
	hubFlags
	Sender  string        `arg:"" optional:"" help:"The sender to listen to; * stands for any text, and ? for any letter. Default: any sender."`
	Event   string        `arg:"" optional:"" help:"The event to listen to, with * and ? as well. Default: any event."`
	Output  string        `short:"o" enum:"text,json" default:"text" help:"text, or json: one object a line, {time, sender, event, data}."`
	Count   int           `short:"n" placeholder:"N" help:"End after N events."`
	Policy  hub.Policy    `enum:",block,latest,disconnect" default:"" help:"What the hub does when this listener cannot keep up: block (delay the sender for a while), latest (keep only the newest value of each event) or disconnect. A #gap event counts what is lost. Default: the policy of the hub's configuration."`
	Timeout time.Duration `placeholder:"D" help:"Fail when there is no event for this long, as in 5s."`
	Pattern []string      `short:"p" sep:"none" placeholder:"P" help:"Listen to this, too: SENDER or SENDER:EVENT. May be repeated."`
	UTC     bool          `name:"utc" help:"Print times in UTC. JSON always has them so."`
	Date    bool          `help:"Print the date before the time."`
}

// Help implements kong.HelpProvider.
func (*listenCommand) Help() string {
	return `It prints events until it is interrupted. If the connection to the hub is lost, it connects again.

Examples:

    sighub listen
    sighub listen light lux
    sighub listen 'kitchen.*' temp --utc --date
    sighub listen --pattern light --pattern 'kitchen.*:temp' --pattern '*:#alarm'
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
	in, err := arguments.NewInterests(c.Sender, c.Event, c.Pattern)
	if err != nil {
		return usageError{fmt.Errorf("--pattern %w", err)}
	}
	return c.with(ctx, s, "sighub listen", func(ctx context.Context, r *hub.ClientRouter) error {
		return c.listen(ctx, s, r, in)
	})
}

func (c *listenCommand) listen(ctx context.Context, s *streams, r *hub.ClientRouter, in *arguments.Interests) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	h := &hearing{command: c, in: in, s: s, printer: terminal.NewPrinter(s.out, c.Output), end: end}
	h.printer.UTC, h.printer.Date = c.UTC, c.Date
	if c.Timeout > 0 {
		h.silence = time.AfterFunc(c.Timeout, func() { end(lateError{fmt.Errorf("no event within %s", c.Timeout)}) })
		defer h.silence.Stop()
	}
	for i, sub := range in.Subscriptions {
		_, err := r.AddRemoteListenerWith(ctx, sub.Sender, sub.Event, hub.ListenerOptions{Policy: c.Policy}, func(ev hub.Event) {
			if in.Wants(i, ev.Sender, ev.Name) || in.Wants(i, ev.Sender, concerned(ev, sub.Event)) {
				h.hear(ctx, ev)
			}
		})
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	tellIfAwaited(ctx, s, r, in.Subscriptions)
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

// concerned returns the name of the event that an event is about: of a gap, this is the event that was lost.
func concerned(ev hub.Event, subscribed string) string {
	var l hub.Loss
	switch {
	case ev.Name != hub.Gap:
		return ev.Name
	case ev.Data.Decode(&l) == nil && l.Event != "":
		return l.Event
	default:
		return subscribed
	}
}

// A hearing is what the callbacks of one command share.
type hearing struct {
	command *listenCommand
	in      *arguments.Interests
	s       *streams
	printer *terminal.Printer
	silence *time.Timer // nil if there is no --timeout
	end     context.CancelCauseFunc

	mu    sync.Mutex // of what follows, and the printer
	heard int
}

func (h *hearing) hear(ctx context.Context, ev hub.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	if h.silence != nil {
		h.silence.Reset(h.command.Timeout)
	}
	switch err := h.printer.Print(ev); {
	case errors.Is(err, terminal.ErrNoJSON):
		h.s.note("%s", err)
		return
	case err != nil:
		h.end(err)
		return
	}
	if h.heard++; h.heard == h.command.Count {
		h.end(errHeardAll)
	}
}

// tellIfAwaited tells the user which senders are not connected: their names may be mistyped.
func tellIfAwaited(ctx context.Context, s *streams, r *hub.ClientRouter, subscriptions []arguments.Subscription) {
	wanted := make(map[string]bool)
	for _, sub := range subscriptions {
		if sub.Sender != "" {
			wanted[sub.Sender] = true
		}
	}
	if len(wanted) == 0 {
		return
	}
	list, err := r.RemoteSenders(ctx)
	if err != nil {
		return // the hint is not worth an error
	}
	for _, info := range list {
		if wanted[info.Name] && !info.Connected {
			s.note("%s is not connected: waiting for it (`sighub senders` lists the senders)", info.Name)
		}
	}
}
