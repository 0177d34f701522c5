package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sighub/bridge"
	"sighub/cmd/sighub/internal/onward"
	"sighub/hub"
	"sighub/internal/safetext"
	"sighub/internal/terminal"
)

type sendersCommand struct {
	hubFlags
	Output string `short:"o" enum:"text,json" default:"text" help:"text, or json: one object a line."`
}

// Help is what --help says in full.
func (*sendersCommand) Help() string {
	return `The state of a sender is connected, or awaited: it is not connected, but somebody listens to it.
Names that look alike are told below the table.

Examples:

    sighub senders
    sighub senders --output json | jq -r 'select(.connected).sender'`
}

// Run lists the hub's senders by name.
func (c *sendersCommand) Run(ctx context.Context, s *streams) error {
	return c.with(ctx, s, "sighub senders", func(ctx context.Context, r *hub.ClientRouter) error {
		list, err := r.RemoteSenders(ctx)
		if err != nil {
			return err
		}
		tellTrouble(ctx, s, r)
		const none = "no sender is connected: add a device with `sighub run --serial`, or try `sighub send`"
		return printList(s, c.Output, list, none, func() error { return printSenders(s, list, c.legacy) })
	})
}

// printList prints a list in JSON or as a table. In place of an empty table, it notes what none says.
func printList[T any](s *streams, output string, list []T, none string, table func() error) error {
	switch {
	case output == "json":
		return terminal.JSON(s.out, list)
	case len(list) == 0:
		s.note("%s", none)
		return nil
	}
	return table()
}

// printSenders prints a table. A legacy server does not tell what senders answer, and who they belong to.
func printSenders(s *streams, list []hub.SenderInfo, legacy bool) error {
	var rows [][]string
	for _, info := range list {
		state, client := "connected", "the hub"
		if !info.Connected {
			state, client = "awaited", "-"
		}
		if info.Client != nil {
			client = info.Client.String()
		}
		requests := orDash(terminal.RequestNames(info.Requests))
		if legacy {
			requests, client = "?", "?"
		}
		rows = append(rows, []string{info.Name, state, orDash(terminal.OwnEvents(info.Events, info.Units)), requests, client})
	}
	if err := terminal.Table(s.out, "SENDER\tSTATE\tEVENTS\tREQUESTS\tCLIENT", rows); err != nil {
		return err
	}
	for _, info := range list {
		if info.Refused != nil {
			if err := terminal.Line(s.out, "%s: refused since it connected, by cause: %s", info.Name, counts(info.Refused)); err != nil {
				return err
			}
		}
	}
	for _, note := range lookAlikes(list) {
		if err := terminal.Line(s.out, "%s", note); err != nil {
			return err
		}
	}
	return nil
}

// lookAlikes returns a sentence for each sender whose name looks like that of one before it, or is made of the letters of several
// alphabets. The names are shown as what they are, so that the difference can be seen.
func lookAlikes(list []hub.SenderInfo) (notes []string) {
	seen := make(map[string]string)
	for _, info := range list {
		skeleton := safetext.Skeleton(info.Name)
		switch first, alike := seen[skeleton]; {
		case alike && strings.EqualFold(first, info.Name):
			notes = append(notes, fmt.Sprintf("%s and %s differ only in capital letters: they are different senders", first, info.Name))
		case alike:
			notes = append(notes, fmt.Sprintf("%s looks like %s: they are different senders",
				strconv.QuoteToASCII(info.Name), strconv.QuoteToASCII(first)))
		case safetext.Mixed(info.Name):
			notes = append(notes, fmt.Sprintf("%s mixes the letters of different alphabets that look alike", strconv.QuoteToASCII(info.Name)))
		}
		if _, known := seen[skeleton]; !known {
			seen[skeleton] = info.Name
		}
	}
	return notes
}

func orDash(names []string) string {
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, ",")
}

type cursorsCommand struct {
	hubFlags
	Remove []string `placeholder:"NAME" help:"Remove the cursor of this name, which no listener may have. May be repeated."`
	Output string   `short:"o" enum:"text,json" default:"text" help:"text, or json: one object a line."`
}

// Help is what --help says in full.
func (*cursorsCommand) Help() string {
	return `A cursor is a name under which the hub remembers how far a listener has come: see ` + "`sighub listen --cursor`" + `. BEHIND counts the
events after that, of all senders. A cursor keeps nothing from being removed when it is too old: its listener is then told what it
has missed.

Examples:

    sighub cursors
    sighub cursors --remove archive`
}

// Run lists cursors, or removes some.
func (c *cursorsCommand) Run(ctx context.Context, s *streams) error {
	return c.with(ctx, s, "sighub cursors", func(ctx context.Context, r *hub.ClientRouter) error {
		for _, name := range c.Remove {
			if err := r.RemoveCursor(ctx, name); err != nil {
				return err
			}
		}
		if len(c.Remove) > 0 {
			return nil
		}
		list, err := r.Cursors(ctx)
		if err != nil {
			return err
		}
		tellTrouble(ctx, s, r)
		const none = "the hub remembers no cursor: a listener gets one with `sighub listen --cursor NAME`"
		return printList(s, c.Output, list, none, func() error { return printCursors(s, list) })
	})
}

func printCursors(s *streams, list []hub.Cursor) error {
	var rows [][]string
	for _, cursor := range list {
		client := "-"
		if cursor.Client != nil {
			client = cursor.Client.String()
		}
		rows = append(rows, []string{cursor.Name, position(cursor.Position), strconv.FormatUint(cursor.Behind, 10), client})
	}
	return terminal.Table(s.out, "CURSOR\tPOSITION\tBEHIND\tCLIENT", rows)
}

// position returns a position as --from takes it.
func position(p hub.Position) string { return fmt.Sprintf("%d/%d", p.Epoch, p.Sequence) }

type bridgesCommand struct {
	hubFlags
	Output string `short:"o" enum:"text,json" default:"text" help:"text, or json: one object a line."`
}

// Help is what --help says in full.
func (*bridgesCommand) Help() string {
	return `SENT counts what the other side has acknowledged since the hub was started. WAITING are events of the journal that it has not, OLDEST is
the age of the oldest of them, and ROOM FOR says for how long the journal still keeps it, if as much goes on being reported. REFUSED are
events that the other side does not take, and LOST those that the journal had no more; both are told there as a gap. What is wrong stands
below the table, and what to do about it.

Examples:

    sighub bridges
    sighub bridges --output json | jq 'select(.connected | not)'`
}

// Run lists the hub's bridges by name.
func (c *bridgesCommand) Run(ctx context.Context, s *streams) error {
	return c.with(ctx, s, "sighub bridges", func(ctx context.Context, r *hub.ClientRouter) error {
		v, err := r.Call(ctx, bridge.MethodBridges, nil)
		if err != nil {
			return err
		}
		var list []bridge.Status
		if err := v.Decode(&list); err != nil {
			return fmt.Errorf("cannot read the hub's list of bridges; the hub may be of another version: %w", err)
		}
		tellTrouble(ctx, s, r)
		const none = "the hub has no bridge: add one with `sighub run --join`, or see `sighub config bridges`"
		return printList(s, c.Output, list, none, func() error { return onward.Table(s.out, list, time.Now(), age) })
	})
}
