package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"sighub/access"
	"sighub/hub"
	"sighub/internal/plain"
	"sighub/internal/terminal"
)

type clientsCommand struct {
	hubFlags
	Output string `short:"o" enum:"text,json" default:"text" help:"text, or json: one object a line."`
}

// Help is what --help says in full.
func (*clientsCommand) Help() string {
	return `A device is a client, too. IDENTITY is who it has proven to be, if the hub has rules that say who may do what. WAITING counts the events that wait to be sent to the client, and HELD is the memory that the hub
holds for it. REFUSED counts what the hub refused of it, and MISSED the events that its listeners were not told, each by cause:

    arguments, event, exists, listener, method, name, owner, request, sender   it asked for what does not fit
    value, time       a reading that cannot be passed on, or whose time is not plausible
    size, malformed   a message that is too large, or that is not a message
    limit, busy       it has as much as it may have
    denied            it may not do that
    stranger, tls     of others: it spoke what nobody speaks here, or its TLS failed, or it came in clear text where it must not
    slow, refused     events that were missed: the client did not keep up, or refused them

Examples:

    sighub clients
    sighub clients --output json | jq 'select(.refused)'`
}

// Run lists the hub's clients in the order in which they connected.
func (c *clientsCommand) Run(ctx context.Context, s *streams) error {
	return c.with(ctx, s, "sighub clients", func(ctx context.Context, r *hub.ClientRouter) error {
		list, err := r.RemoteClients(ctx)
		if err != nil {
			return err
		}
		tellTrouble(ctx, s, r)
		if c.Output == "json" {
			if list.Refused != nil {
				s.note("refused of others, which never became clients: %s", counts(list.Refused))
			}
			return terminal.JSON(s.out, list.Clients)
		}
		now := time.Now()
		header, rows := "ID\tCLIENT\tIDENTITY\tSINCE\tSENDERS\tLISTENERS\tWAITING\tHELD\tREFUSED\tMISSED", clientRows(list.Clients, now)
		if !slices.ContainsFunc(list.Clients, func(c hub.ClientStatus) bool { return c.Identity != "" }) { // a hub without rules
			header = strings.Replace(header, "IDENTITY\t", "", 1)
			for i, row := range rows {
				rows[i] = slices.Delete(row, 2, 3)
			}
		}
		if err := terminal.Table(s.out, header, rows); err != nil {
			return err
		}
		for _, c := range list.Clients {
			if l := c.Latest; l != nil {
				err := terminal.Line(s.out, "%s: refused %s ago: %s: %s", c.ClientInfo, age(now.Sub(l.Time)), l.What, plain.Text(l.Error))
				if err != nil {
					return err
				}
			}
		}
		if list.Refused != nil {
			return terminal.Line(s.out, "refused of others, which never became clients: %s", counts(list.Refused))
		}
		return nil
	})
}

func clientRows(list []hub.ClientStatus, now time.Time) (rows [][]string) {
	for _, c := range list {
		client := c.ClientInfo.String()
		if !c.Hello {
			client += ", legacy"
		}
		waiting := strconv.Itoa(c.Waiting)
		if c.Behind {
			waiting += ", behind"
		}
		rows = append(rows, []string{strconv.FormatUint(c.ID, 10), client, access.Describe(c.Identity), age(now.Sub(c.Since)), strconv.Itoa(c.Senders),
			strconv.Itoa(c.Listeners), waiting, fmt.Sprintf("%.1f KB", float64(c.Held)/1000), counts(c.Refused), counts(c.Missed)})
	}
	return rows
}

// counts returns numbers by cause in words: "3 value, 1 name".
func counts(byCause map[string]uint64) string {
	var parts []string
	for _, cause := range slices.Sorted(maps.Keys(byCause)) {
		parts = append(parts, fmt.Sprintf("%d %s", byCause[cause], cause))
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, ", ")
}
