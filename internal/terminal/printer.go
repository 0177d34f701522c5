package terminal

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sighub/carrier"
	"sighub/hub"
	"sighub/internal/plain"
	"sighub/internal/safetext"
)

// A Printer prints events, one per line. One goroutine at a time may use it.
type Printer struct {
	UTC  bool // times of texts are those of UTC; JSON always has them so
	Date bool // times of texts have a date

	out           io.Writer
	format        string
	sender, event int  // the present widths of the columns
	begun         bool // the names of the columns are printed
}

// The columns grow with their contents, from these widths up to maxColumn.
const (
	senderColumn = len("temperature")
	eventColumn  = len(hub.Disconnect)
	maxColumn    = 24
)

// NewPrinter returns a Printer that writes to out, in the format text, json or csv.
func NewPrinter(out io.Writer, format string) *Printer {
	return &Printer{out: out, format: format, sender: senderColumn, event: eventColumn}
}

// Print prints an event. The error is that of writing, or [ErrNoJSON].
func (p *Printer) Print(ev hub.Event) error {
	switch p.format {
	case "json":
		return p.printJSON(ev)
	case "csv":
		return p.printCSV(ev)
	}
	p.sender = column(p.sender, ev.Sender)
	p.event = column(p.event, ev.Name)
	line := fmt.Sprintf("%s  %-*s %-*s %s", p.Clock(ev.Time),
		p.sender, ev.Sender, p.event, ev.Name, p.describe(ev))
	if ev.Last {
		line += "  (last)"
	}
	return Line(p.out, "%s", strings.TrimRight(line, " "))
}

// ErrNoJSON is the error of an event whose data cannot be written as JSON. Its sender is to blame; other events are fine.
var ErrNoJSON = errors.New("an event cannot be written as JSON")

func (p *Printer) printJSON(ev hub.Event) error {
	o := carrier.Object{
		{Key: "time", Value: ev.Time.UTC().Format(time.RFC3339Nano)},
		{Key: "sender", Value: ev.Sender},
		{Key: "event", Value: ev.Name},
		{Key: "data", Value: ev.Data},
	}
	if !ev.Position.IsZero() {
		o = append(o, carrier.Field{Key: "position", Value: []uint64{uint64(ev.Position.Epoch), ev.Position.Sequence}})
	}
	if ev.Last {
		o = append(o, carrier.Field{Key: "last", Value: true})
	}
	line, err := carrier.JSON.AppendObject(nil, o)
	if err != nil {
		return fmt.Errorf("%w: event %s of %s: %w", ErrNoJSON, ev.Name, ev.Sender, err)
	}
	return JSONLine(p.out, line)
}

// printCSV prints an event as a row: its data is JSON, as a number or true is in any case.
func (p *Printer) printCSV(ev hub.Event) error {
	data, err := ev.Data.AppendTo(nil, carrier.JSON)
	if err != nil {
		return fmt.Errorf("%w: event %s of %s: %w", ErrNoJSON, ev.Name, ev.Sender, err)
	}
	if !p.begun {
		p.begun = true
		if err := CSV(p.out, "time", "sender", "event", "data", "epoch", "sequence"); err != nil {
			return err
		}
	}
	return CSV(p.out, ev.Time.UTC().Format(time.RFC3339Nano), ev.Sender, ev.Name, string(safetext.JSON(data)),
		strconv.FormatUint(uint64(ev.Position.Epoch), 10), strconv.FormatUint(ev.Position.Sequence, 10))
}

// Clock formats a time of day, or with p.Date also the day.
func (p *Printer) Clock(t time.Time) string {
	layout := "15:04:05.000"
	if p.Date {
		layout = "2006-01-02 " + layout
	}
	if p.UTC {
		return t.UTC().Format(layout + "Z")
	}
	return t.Local().Format(layout)
}

func column(width int, text string) int {
	return max(width, min(utf8.RuneCountInString(text), maxColumn))
}

// describe returns an event's data in words.
func (p *Printer) describe(ev hub.Event) string {
	switch ev.Name {
	case hub.Connect, hub.Disconnect:
		var c hub.Connection
		if ev.Data.Decode(&c) == nil {
			return describeConnection(c)
		}
	case hub.Gap:
		var l hub.Loss
		if ev.Data.Decode(&l) == nil {
			return p.describeLoss(l)
		}
	}
	if ev.Data.IsNull() {
		return ""
	}
	return ev.Data.String()
}

func (p *Printer) describeLoss(l hub.Loss) string {
	what := "an unknown number"
	if l.Count > 0 {
		what = fmt.Sprint(l.Count)
	}
	if l.Event != "" {
		what += " of " + l.Event
	}
	if l.Cause != "" {
		what += " (" + l.Cause + ")"
	}
	return fmt.Sprintf("%s lost, taken from %s to %s", what, p.Clock(l.First), p.Clock(l.Last))
}

func describeConnection(c hub.Connection) string {
	var parts []string
	if c.Reason != "" {
		parts = append(parts, plainReason(c.Reason))
	} else {
		if events := OwnEvents(c.Events, c.Units); len(events) > 0 {
			parts = append(parts, "sends "+strings.Join(events, ", "))
		}
		if requests := RequestNames(c.Requests); len(requests) > 0 {
			parts = append(parts, "answers "+strings.Join(requests, ", "))
		}
	}
	if c.Client != nil {
		parts = append(parts, "on "+c.Client.String())
	}
	return strings.Join(parts, "; ")
}

// plainReason removes the names of packages from the error in a reason.
func plainReason(reason string) string {
	const failed = "failed: "
	if cause, ok := strings.CutPrefix(reason, failed); ok {
		return failed + plain.Text(cause)
	}
	return reason
}

// OwnEvents returns the events with their units, without those that every sender has.
func OwnEvents(names []string, units map[string]string) []string {
	var own []string
	for _, name := range names {
		if name == hub.Connect || name == hub.Disconnect || name == hub.Gap {
			continue
		}
		if unit := units[name]; unit != "" {
			name += " (" + unit + ")"
		}
		own = append(own, name)
	}
	return own
}

// RequestNames returns the methods of a sender; "*" stands for any other method.
func RequestNames(requests []*string) []string {
	var names []string
	for _, name := range requests {
		if name == nil {
			names = append(names, "*")
		} else {
			names = append(names, *name)
		}
	}
	return names
}
