package hub

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"sighub/carrier"
)

// clientPage is how many clients an answer to list_clients has at the most: 60 KB or less in JSON, unless much was refused.
const clientPage = 100

// A ClientList is a page of the clients of a hub.
type ClientList struct {
	Clients []ClientStatus `json:"clients"` // in the order in which they connected
	More    bool           `json:"more"`    // there are clients after these
	// Refused counts what was refused of strangers, which never became clients, by cause.
	Refused map[string]uint64 `json:"refused,omitempty"`
}

// clientStatuses lists the connected clients after the one with that id, in the order in which they connected, up to a number
// of clientPage.
func (s *ServerRouter) clientStatuses(after uint64, most int) ClientList {
	remotes := slices.DeleteFunc(s.remotes(), func(c *client) bool { return c.info.ID <= after })
	slices.SortFunc(remotes, func(a, b *client) int { return cmp.Compare(a.info.ID, b.info.ID) })
	list := ClientList{Clients: []ClientStatus{}, More: len(remotes) > most, Refused: s.refusedStrangers()}
	for _, c := range remotes[:min(len(remotes), most)] {
		list.Clients = append(list.Clients, c.status())
	}
	return list
}

// listClients lists clients in the order in which they connected: those after a given id, up to a given number.
func (c *client) listClients(a *arguments, _ func(carrier.Reply)) (any, error) {
	after, most := uint64(0), uint64(clientPage)
	if v := a.value("after"); !v.IsNull() {
		after = a.number("after")
	}
	if v := a.value("limit"); !v.IsNull() {
		most = min(a.number("limit"), clientPage)
	}
	if a.err != nil {
		return nil, a.err
	}
	return c.server.clientStatuses(after, int(most)), nil
}

// RemoteClients lists the clients of the hub, page by page, and what the hub refused of strangers.
func (r *ClientRouter) RemoteClients(ctx context.Context) (ClientList, error) {
	all := ClientList{Clients: []ClientStatus{}}
	for after := uint64(0); ; {
		v, err := r.Call(ctx, methodListClients, carrier.Object{{Key: "after", Value: after}})
		if err != nil {
			return all, err
		}
		var page ClientList
		if err := v.Decode(&page); err != nil {
			return all, fmt.Errorf("hub: the list of clients is not understood: %w", err)
		}
		all.Clients, all.Refused = append(all.Clients, page.Clients...), page.Refused
		if !page.More || len(page.Clients) == 0 {
			return all, nil
		}
		after = page.Clients[len(page.Clients)-1].ID
	}
}
