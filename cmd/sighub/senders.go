package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"sighub/hub"
)

type sendersCommand struct {
	hubFlags
	Output string `short:"o" enum:"text,json" default:"text" help:"text, or json: one object a line."`
}

// Help implements kong.HelpProvider.
func (*sendersCommand) Help() string {
	return `The state of a sender is connected, or awaited: it is not connected, but somebody listens to it.

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
		if c.Output == "json" {
			for _, info := range list {
				if err := s.printJSON(info); err != nil {
					return err
				}
			}
			return nil
		}
		if len(list) == 0 {
			s.note("no sender is connected: add a device with `sighub run --serial`, or try `sighub send`")
			return nil
		}
		return printSenders(s, list)
	})
}

func printSenders(s *streams, list []hub.SenderInfo) error {
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	rows := []string{"SENDER\tSTATE\tEVENTS\tREQUESTS\tCLIENT"}
	for _, info := range list {
		state, client := "connected", "the hub"
		if !info.Connected {
			state, client = "awaited", "-"
		}
		if info.Client != nil {
			client = info.Client.String()
		}
		rows = append(rows, strings.Join([]string{info.Name, state,
			orDash(ownEvents(info.Events, info.Units)), orDash(requestNames(info.Requests)), client}, "\t"))
	}
	for _, row := range rows {
		// Cells are separated by tabs, which no name has.
		if _, err := fmt.Fprintln(w, row); err != nil {
			return err
		}
	}
	return w.Flush()
}

func orDash(names []string) string {
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, ",")
}
