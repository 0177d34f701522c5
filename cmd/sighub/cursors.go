package main

import (
	"context"
	"fmt"
	"strconv"

	"sighub/hub"
	"sighub/internal/terminal"
)

type cursorsCommand struct {
	hubFlags
	Remove []string `sep:"none" placeholder:"NAME" help:"Remove the cursor of this name, which no listener may have. May be repeated."`
	Output string   `short:"o" enum:"text,json" default:"text" help:"text, or json: one object a line."`
}

// Help implements kong.HelpProvider.
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
		if c.Output == "json" {
			return terminal.JSON(s.out, list)
		}
		if len(list) == 0 {
			s.note("the hub remembers no cursor: a listener gets one with `sighub listen --cursor NAME`")
			return nil
		}
		var rows [][]string
		for _, cursor := range list {
			client := "-"
			if cursor.Client != nil {
				client = cursor.Client.String()
			}
			rows = append(rows, []string{cursor.Name, position(cursor.Position), strconv.FormatUint(cursor.Behind, 10), client})
		}
		return terminal.Table(s.out, "CURSOR\tPOSITION\tBEHIND\tCLIENT", rows)
	})
}

// position returns a position as --from takes it.
func position(p hub.Position) string { return fmt.Sprintf("%d/%d", p.Epoch, p.Sequence) }
