package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sighub/carrier"
	"sighub/hub"
	"sighub/hub/verb"
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
	Pattern []string      `short:"p" placeholder:"P" help:"Listen to this, too: SENDER or SENDER:EVENT. May be repeated."`
	Cursor  string        `placeholder:"NAME" help:"Go on where the listener of that name has come to, and let the hub remember how far this one comes: an event counts when it is printed."`
	From    string        `placeholder:"WHEN" help:"Tell what was before, too: start, how long ago (2h, 7d), a time, or behind a position (3/4711). With --cursor, only if the cursor is new."`
	Last    bool          `help:"Tell the last event of each kind first, marked as such."`
	UTC     bool          `name:"utc" help:"Print times in UTC. JSON always has them so."`
	Date    bool          `help:"Print the date before the time."`
}

// Help is what --help says in full.
func (*listenCommand) Help() string {
	return `It prints events until it is interrupted. If the connection to the hub is lost, it connects again, and tells what it missed
meanwhile, if the hub keeps a journal. What is not there any more is told as #gap.

With --cursor, events are told when they are on the hub's disk, each with its position in JSON. The hub remembers the position of the
last one that was printed. After a crash of either, some may come again, with the same positions: see docs/journal.md.
` + "`sighub cursors`" + ` lists cursors, and removes them.

Examples:

    sighub listen
    sighub listen light lux
    sighub listen 'kitchen.*' temp --utc --date
    sighub listen --pattern light --pattern 'kitchen.*:temp' --pattern '*:#alarm'
    sighub listen '*' '#disconnect'
    sighub listen --from 2h light
    sighub listen --cursor archive --from start --output json >>archive
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
	from, err := arguments.ParseMoment(c.From, time.Now())
	if err != nil {
		return usageError{fmt.Errorf("--from %w", err)}
	}
	o := hub.ListenerOptions{
		Policy: c.Policy, Cursor: c.Cursor, Manual: c.Cursor != "", From: from.Text, Last: c.Last,
		After: hub.Position{Epoch: from.Epoch, Sequence: from.Sequence},
	}
	if c.Cursor != "" || c.From != "" {
		in.Unite() // what is told from the journal has one order, and a cursor has one listener
	}
	c.lingers = c.Cursor != "" // what was printed is acknowledged
	c.wants = wanted(verb.Listen, c.Sender, c.Event)
	return c.with(ctx, s, "sighub listen", func(ctx context.Context, r *hub.ClientRouter) error {
		return c.listen(ctx, s, r, in, o)
	})
}

func (c *listenCommand) listen(ctx context.Context, s *streams, r *hub.ClientRouter, in *arguments.Interests, o hub.ListenerOptions) error {
	if c.legacy && (c.Cursor != "" || c.From != "" || c.Last) {
		return fmt.Errorf("the server at %s cannot do this: it is not a sighub hub: leave out --cursor, --from and --last", c.Hub)
	}
	calling := ctx
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	h := &hearing{command: c, in: in, s: s, printer: terminal.NewPrinter(s.out, c.Output), end: end, further: make(chan struct{}, 1)}
	h.printer.UTC, h.printer.Date = c.UTC, c.Date
	if c.Timeout > 0 {
		h.silence = time.AfterFunc(c.Timeout, func() { end(lateError{fmt.Errorf("no event within %s", c.Timeout)}) })
		defer h.silence.Stop()
	}
	for i, sub := range in.Subscriptions {
		err := addListener(ctx, r, sub, o, func(ev hub.Event) {
			h.hear(ctx, ev, in.Wants(i, ev.Sender, ev.Name) || in.Wants(i, ev.Sender, concerned(ev, sub.Event)))
		})
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	tellIfAwaited(ctx, s, r, in.Subscriptions)
	if c.Cursor != "" {
		defer h.acknowledging(ctx, calling, r)()
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

// cursorLeft is how long the hub may take to notice that the former owner of a cursor has gone. It looks when another one wants the
// cursor: see carrier.Prober.
const cursorLeft = 10 * time.Second

// addListener adds a listener; one with a cursor as soon as its former owner has gone.
func addListener(ctx context.Context, r *hub.ClientRouter, sub arguments.Subscription, o hub.ListenerOptions, fn func(hub.Event)) error {
	patience, cancel := context.WithTimeout(ctx, cursorLeft)
	defer cancel()
	var pause carrier.Backoff
	for {
		_, err := r.AddRemoteListenerWith(ctx, sub.Sender, sub.Event, o, fn)
		if !errors.Is(err, hub.ErrCursor) || pause.Wait(patience) != nil {
			return err
		}
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

	mu      sync.Mutex // of what follows, and the printer
	heard   int
	dealt   hub.Position  // of the last event that was printed, or that is not wanted
	further chan struct{} // has room for one; dealt has changed
}

// hear prints an event, if it is wanted.
func (h *hearing) hear(ctx context.Context, ev hub.Event, wanted bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil || wanted && !h.print(ev) {
		return
	}
	if !ev.Position.IsZero() && !ev.Last {
		h.dealt = ev.Position
		select {
		case h.further <- struct{}{}:
		default:
		}
	}
}

// print prints an event, and reports whether the event is dealt with.
func (h *hearing) print(ev hub.Event) bool {
	if h.silence != nil {
		h.silence.Reset(h.command.Timeout)
	}
	switch err := h.printer.Print(ev); {
	case errors.Is(err, terminal.ErrNoJSON):
		h.s.note("%s", err)
		return true
	case err != nil:
		h.end(err)
		return false
	}
	if h.heard++; h.heard == h.command.Count {
		h.end(errHeardAll)
	}
	return true
}

// acknowledging has the hub remember what was dealt with, until the returned function is called: it waits until the hub has
// everything. Many events take one message while the hub answers the one before.
func (h *hearing) acknowledging(ctx, calling context.Context, r *hub.ClientRouter) (finish func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			select {
			case <-h.further:
				h.acknowledge(calling, r)
			case <-ctx.Done():
			}
		}
	}()
	return func() {
		<-done
		h.acknowledge(calling, r)
	}
}

// acknowledgeTime bounds the wait for the last acknowledgement.
const acknowledgeTime = 5 * time.Second

func (h *hearing) acknowledge(ctx context.Context, r *hub.ClientRouter) {
	h.mu.Lock()
	at := h.dealt
	h.mu.Unlock()
	if at.IsZero() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), acknowledgeTime)
	defer cancel()
	// An error is no harm: a later position is acknowledged, or what follows is told again.
	_ = r.Acknowledge(ctx, h.command.Cursor, at)
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
