package main

import (
	"context"
	"fmt"
	"strings"

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
			return printJSON(s.out, list)
		}
		if len(list) == 0 {
			s.note("no sender is connected: add a device with `sighub run --serial`, or try `sighub send`")
			return nil
		}
		return printSenders(s, list)
	})
}

func printSenders(s *streams, list []hub.SenderInfo) error {
	var rows [][]string
	for _, info := range list {
		state, client := "connected", "the hub"
		if !info.Connected {
			state, client = "awaited", "-"
		}
		if info.Client != nil {
			client = info.Client.String()
		}
		rows = append(rows, []string{info.Name, state, orDash(ownEvents(info.Events, info.Units)), orDash(requestNames(info.Requests)), client})
	}
	if err := printTable(s.out, "SENDER\tSTATE\tEVENTS\tREQUESTS\tCLIENT", rows); err != nil {
		return err
	}
	for _, info := range list {
		if info.Refused != nil {
			_, _ = fmt.Fprintf(s.out, "%s: refused since it connected, by cause: %s\n", printable(info.Name), printable(counts(info.Refused)))
		}
	}
	return nil
}

func orDash(names []string) string {
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, ",")
}
