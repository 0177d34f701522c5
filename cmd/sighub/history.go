package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"sighub/carrier"
	"sighub/hub"
	"sighub/hub/verb"
	"sighub/internal/arguments"
	"sighub/internal/terminal"
)

type historyCommand struct {
	hubFlags
	Sender  string        `arg:"" help:"The sender whose events are told."`
	Event   string        `arg:"" optional:"" help:"The event. Default: all of the sender's."`
	From    string        `default:"start" placeholder:"WHEN" help:"Where to begin: start (the default), how long ago (2h, 7d), a time, or behind a position (3/4711)."`
	To      string        `placeholder:"WHEN" help:"Where to end: how long ago, or a time. Default: now."`
	Every   string        `placeholder:"D" help:"Sum up the numbers of the event: one line for each minute (1m), hour (1h), day (1d) or other whole number of minutes."`
	Output  string        `short:"o" enum:"text,csv,json" default:"text" help:"text, csv, or json: one object a line."`
	Chart   string        `enum:"auto,always,never" default:"auto" help:"Draw the numbers of an event below a text: on a terminal (auto), always or never."`
	Timeout time.Duration `placeholder:"D" help:"Give up after this long, as in 30s. Default: 15s for each answer of the hub."`
	UTC     bool          `name:"utc" help:"Print times in UTC. JSON and CSV always have them so."`
}

// Help is what --help says in full.
func (*historyCommand) Help() string {
	return `It prints what the hub has on record of a sender, oldest first. What it has lost is told as #gap. Sums of numbers are kept longer than
the events themselves.

Examples:

    sighub history light
    sighub history light lux --from 2h
    sighub history light lux --from 30d --every 1h
    sighub history light lux --from 2026-06-21 --to 2026-06-22 --output csv >lux.csv
    sighub history door --from 1d --output json | jq -c 'select(.event == "opened")'`
}

// Run prints events or sums of the past.
func (c *historyCommand) Run(ctx context.Context, s *streams) error {
	q, err := c.query(time.Now())
	if err != nil {
		return usageError{err}
	}
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.Timeout, lateError{fmt.Errorf("not done within %s", c.Timeout)})
		defer cancel()
	}
	c.wants = wanted(verb.Listen, c.Sender, c.Event)
	return c.with(ctx, s, "sighub history", func(ctx context.Context, r *hub.ClientRouter) error {
		h := historian{command: c, s: s, printer: terminal.NewPrinter(s.out, c.Output)}
		h.printer.UTC, h.printer.Date = c.UTC, true
		tell := h.events
		if q.Every > 0 {
			tell = h.buckets
		}
		if err := tell(ctx, r, q); err != nil {
			return becauseOf(ctx, err)
		}
		if h.told == 0 {
			return h.nothing(ctx, r)
		}
		return h.chart(ctx, r)
	})
}

func (c *historyCommand) query(now time.Time) (q hub.HistoryQuery, err error) {
	q = hub.HistoryQuery{Sender: c.Sender, Event: c.Event}
	if c.UTC {
		now = now.UTC()
	}
	from, err := arguments.ParseMoment(c.From, now)
	if err != nil {
		return q, fmt.Errorf("--from %w", err)
	}
	to, err := arguments.ParseMoment(c.To, now)
	switch {
	case err != nil:
		return q, fmt.Errorf("--to %w", err)
	case c.To != "" && to.Time.IsZero():
		return q, fmt.Errorf("--to %s: write how long ago, such as 2h, or a time", c.To)
	case !from.Time.IsZero() && !to.Time.IsZero() && !from.Time.Before(to.Time):
		return q, errors.New("--to must be later than --from")
	case c.Timeout < 0:
		return q, errors.New("--timeout must not be negative: leave it out to wait as long as usual")
	}
	q.From, q.To, q.After = from.Text, to.Text, hub.Position{Epoch: from.Epoch, Sequence: from.Sequence}
	if c.Every == "" {
		return q, nil
	}
	q.Every, err = arguments.ParseDuration(c.Every)
	switch {
	case err != nil:
		return q, fmt.Errorf("--every %w", err)
	case q.Every < time.Minute || q.Every%time.Minute != 0:
		return q, fmt.Errorf("--every %s: write a whole number of minutes, such as 1m, 1h or 1d", c.Every)
	case c.Event == "":
		return q, errors.New("--every is for the numbers of one event: name the event behind the sender")
	case from.IsPosition():
		return q, errors.New("--every and --from with a position do not go together: give a time")
	}
	return q, nil
}

// A historian prints what a hub has on record.
type historian struct {
	command *historyCommand
	s       *streams
	printer *terminal.Printer
	told    int

	series map[string]*terminal.Series // by event
	names  []string                    // its keys, in the order in which they came
	unit   map[string]string
}

func (h *historian) events(ctx context.Context, r *hub.ClientRouter, q hub.HistoryQuery) error {
	for ev, err := range r.History(ctx, q) {
		if err != nil {
			return err
		}
		h.told++
		switch err := h.printer.Print(ev); {
		case errors.Is(err, terminal.ErrNoJSON):
			h.s.note("%s", err)
		case err != nil:
			return err
		}
		var number float64
		if ev.Name == hub.Connect {
			var connection hub.Connection
			if ev.Data.Decode(&connection) == nil {
				h.unit = connection.Units
			}
		} else if ev.Data.Decode(&number) == nil && !ev.Data.IsNull() {
			h.number(ev.Name, ev.Time, terminal.One(number))
		}
	}
	return nil
}

// number notes numbers for the chart of an event.
func (h *historian) number(event string, at time.Time, v terminal.Sample) {
	if h.command.Output != "text" {
		return
	}
	series := h.series[event]
	if series == nil {
		if len(h.series) >= maxCharts {
			return
		}
		if h.series == nil {
			h.series = make(map[string]*terminal.Series)
		}
		series = new(terminal.Series)
		h.series[event] = series
		h.names = append(h.names, event)
	}
	series.Add(at, v)
}

// maxCharts is how many events have a chart: as many as fit on a screen.
const maxCharts = 4

func (h *historian) buckets(ctx context.Context, r *hub.ClientRouter, q hub.HistoryQuery) error {
	for b, err := range r.Buckets(ctx, q) {
		if err != nil {
			return err
		}
		if err := h.bucket(b); err != nil {
			return err
		}
		h.told++
		h.number(q.Event, b.Time, terminal.Sample{Min: b.Min, Max: b.Max, Sum: b.Mean * float64(b.Count), Last: b.Last, Count: b.Count})
	}
	return nil
}

// bucket prints a line for a span of time.
func (h *historian) bucket(b hub.Bucket) error {
	numbers := []float64{b.Min, b.Mean, b.Max, b.Last}
	cells := make([]string, len(numbers))
	switch h.command.Output {
	case "json":
		line, err := carrier.JSON.AppendObject(nil, carrier.Object{
			{Key: "time", Value: b.Time.UTC().Format(time.RFC3339Nano)},
			{Key: "min", Value: b.Min}, {Key: "mean", Value: b.Mean}, {Key: "max", Value: b.Max}, {Key: "last", Value: b.Last},
			{Key: "count", Value: b.Count},
		})
		if err != nil {
			return err
		}
		return terminal.JSONLine(h.s.out, line)
	case "csv":
		if h.told == 0 {
			if err := terminal.CSV(h.s.out, "time", "min", "mean", "max", "last", "count"); err != nil {
				return err
			}
		}
		for i, n := range numbers {
			cells[i] = carrier.ValueOf(n).String()
		}
		return terminal.CSV(h.s.out, append(append([]string{b.Time.UTC().Format(time.RFC3339Nano)}, cells...), fmt.Sprint(b.Count))...)
	}
	const row = "%-*s %12s %12s %12s %12s %9v"
	at := h.printer.Clock(b.Time)
	if h.told == 0 {
		if err := terminal.Line(h.s.out, row, len(at), "TIME", "MIN", "MEAN", "MAX", "LAST", "COUNT"); err != nil {
			return err
		}
	}
	for i, n := range numbers {
		cells[i] = terminal.Number(n)
	}
	return terminal.Line(h.s.out, row, len(at), at, cells[0], cells[1], cells[2], cells[3], b.Count)
}

// nothing says that nothing is on record. It is an error if the hub has never heard of the sender.
func (h *historian) nothing(ctx context.Context, r *hub.ClientRouter) error {
	c := h.command
	what := c.Sender
	if c.Event != "" {
		what += " " + c.Event
	}
	if c.From != "start" || c.To != "" || c.Every != "" {
		h.s.note("nothing of %s is on record for that time", what)
		return nil
	}
	list, err := r.RemoteSenders(ctx)
	if err != nil {
		return err
	}
	for _, info := range list {
		if info.Name == c.Sender && info.Connected {
			h.s.note("nothing of %s is on record", what)
			return nil
		}
	}
	return fmt.Errorf("%w: nothing of %s is on record", hub.ErrNoSender, what)
}

// chart draws the numbers that were printed.
func (h *historian) chart(ctx context.Context, r *hub.ClientRouter) error {
	c := h.command
	if c.Output != "text" || c.Chart == "never" || c.Chart == "auto" && !terminal.IsTerminal(h.s.out) || len(h.series) == 0 {
		return nil
	}
	if list, err := r.RemoteSenders(ctx); err == nil { // units are nice to have
		for _, info := range list {
			if info.Name == c.Sender && info.Units != nil {
				h.unit = info.Units
			}
		}
	}
	return h.draw()
}

func (h *historian) draw() error {
	return terminal.AtOnce(h.s.out, false, func(out io.Writer) error {
		for _, event := range h.names {
			lines := h.series[event].Chart(h.command.Sender+" "+event, h.unit[event], terminal.Width(h.s.out), h.command.UTC)
			for _, line := range append([]string{""}, lines...) {
				if err := terminal.Line(out, "%s", line); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
