package hub

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"sighub/carrier"
	"sighub/hub/internal/names"
	"sighub/hub/internal/past"
	"sighub/hub/internal/rights"
	"sighub/hub/verb"
	"sighub/journal"
)

// SenderInfo describes one sender, connected or awaited.
type SenderInfo struct {
	Name      string            `json:"sender"`
	Connected bool              `json:"connected"`
	Events    []string          `json:"events"` // its own and the built-in ones
	Units     map[string]string `json:"units,omitempty"`
	Requests  []*string         `json:"requests"` // see Connection
	Client    *ClientInfo       `json:"client,omitempty"`
	Refused   map[string]uint64 `json:"refused,omitempty"` // events that were refused since it connected, by cause
}

// Senders lists the senders that are connected, and those that are not but have listeners, by name.
func (r *Router) Senders() []SenderInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]SenderInfo, 0, len(r.topics))
	for _, t := range r.topics {
		list = append(list, t.info())
	}
	slices.SortFunc(list, func(a, b SenderInfo) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// CountSenders returns how many senders are connected, and how many Senders would list.
func (r *Router) CountSenders() (connected, all int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.topics {
		if t.conn != nil {
			connected++
		}
	}
	return connected, len(r.topics)
}

// info describes the sender. Router.mu is held.
func (t *topic) info() SenderInfo {
	if t.conn == nil {
		return SenderInfo{Name: t.name, Events: t.knownEvents()}
	}
	return SenderInfo{
		Name: t.name, Connected: true, Events: t.conn.eventNames(), Units: t.conn.units,
		Requests: slices.Clone(t.conn.methods), Client: t.conn.clientInfo(), Refused: t.conn.refused.Counts(),
	}
}

// knownEvents lists the events of a sender that is not connected: those it offered, and those that listeners wait for.
func (t *topic) knownEvents() []string {
	events := slices.Clone(t.offered)
	for event, ls := range t.events {
		if !ls.empty() && !isBuiltIn(event) && !slices.Contains(t.offered, event) {
			events = append(events, event)
		}
	}
	slices.Sort(events)
	return append(events, Disconnect, Connect)
}

// Channels lists the names of the channels that have a listener or a sender, and the built-in ones.
func (r *Router) Channels() []string {
	keys, list := sorted(r, &r.channelNames, r.channels), []string{}
	r.mu.Lock()
	defer r.mu.Unlock()
	for name := range keys.After("") {
		if r.channels[name] != nil && !isBuiltIn(name) {
			list = append(list, name)
		}
	}
	return append(list, Disconnect, Connect)
}

// sorted returns the keys of a map of the router in their order; of some, the key may have gone. Where all have to be sorted, that is
// not done under the lock.
func sorted[V any](r *Router, o *names.Ordered, m map[string]V) names.Keys {
	r.mu.Lock()
	if keys, ok := o.Keys(); ok {
		r.mu.Unlock()
		return keys
	}
	number, list := o.Sort(), slices.Collect(maps.Keys(m))
	r.mu.Unlock()
	slices.Sort(list)
	r.mu.Lock()
	defer r.mu.Unlock()
	return o.Take(number, list)
}

// page lists senders in the order of their names: those after a given name that are seen, up to a given number and, about, to so many
// bytes, but one at least. more reports whether there are others after these.
func (r *Router) page(who *eyes, after string, most uint64, bytes int) (list []SenderInfo, more bool) {
	for name := range sorted(r, &r.names, r.topics).After(after) {
		r.mu.Lock()
		t := r.topics[name]
		if t == nil {
			r.mu.Unlock()
			continue
		}
		info := t.info()
		if !info.Connected && who != nil {
			info.Events = slices.Clone(t.offered)
		}
		r.mu.Unlock()
		if !who.see(&info) {
			continue
		}
		bytes -= info.size()
		if uint64(len(list)) >= most || len(list) > 0 && bytes < 0 {
			return list, true
		}
		list = append(list, info)
	}
	return list, false
}

// size returns about how many bytes the entry of the sender has in a list.
func (s *SenderInfo) size() int {
	const entry, around = 128, 16 // around each name
	size := entry + len(s.Name)
	if s.Client != nil {
		size += len(s.Client.Name) + len(s.Client.UID) + len(s.Client.Addr)
	}
	for _, event := range s.Events {
		size += around + len(event)
	}
	for event, unit := range s.Units {
		size += around + len(event) + len(unit)
	}
	for _, method := range s.Requests {
		if method != nil {
			size += around + len(*method)
		}
	}
	return size
}

// listedSender is one entry of list_senders' response. A nil name is that of any sender: its events are the
// channels. A nil event is that of any event.
type listedSender struct {
	Sender    *string       `json:"sender"`
	Connected bool          `json:"connected"`
	Events    []listedEvent `json:"events,omitempty"`

	// For clients that said hello.
	Units    map[string]string `json:"units,omitempty"`
	Requests *[]*string        `json:"requests,omitempty"`
	Client   *ClientInfo       `json:"client,omitempty"`
	Refused  map[string]uint64 `json:"refused,omitempty"`
}

type listedEvent struct {
	Event *string `json:"event"`
}

// pageBytes is about how many bytes an answer to list_senders has at most, unless one sender alone has more. So a list that is
// long holds nobody up.
const pageBytes = 64 << 10

// listSenders lists senders in the order of their names: those after a given name, up to a given number or a page. The last
// entry, left out if there are more senders, has no name and lists the channels, up to a page of them.
func (c *client) listSenders(a *arguments, _ func(carrier.Reply)) (any, error) {
	withEvents, after, most := a.flag("list_events"), a.optionalText("after"), uint64(math.MaxUint64)
	if v := a.value("limit"); !v.IsNull() {
		most = a.number("limit")
	}
	if a.err != nil {
		return nil, a.err
	}
	if c.ctx.Err() != nil {
		return nil, carrier.ErrGone // nobody reads the answer
	}
	who := c.eyes()
	page, more := c.server.page(who, after, most, pageBytes)
	if more && !c.hello && uint64(len(page)) < most {
		return nil, fmt.Errorf("%w: the list of senders: ask for parts of it, with limit and after", carrier.ErrTooLarge)
	}
	list := make([]listedSender, 0, len(page)+1)
	for _, info := range page {
		s := listedSender{Sender: &info.Name, Connected: info.Connected}
		if withEvents {
			s.Events = listedEvents(info.Events)
		}
		if c.hello {
			s.Units, s.Requests, s.Client, s.Refused = info.Units, &info.Requests, info.Client, info.Refused
		}
		list = append(list, s)
	}
	if more {
		return list, nil
	}
	anySender := listedSender{Connected: true}
	if withEvents {
		anySender.Events = listedEvents(firstNames(c.server.channelsFor(who)))
	}
	return append(list, anySender), nil
}

// firstNames returns as many names as a page holds, and the last two, which are built in.
func firstNames(list []string) []string {
	own, builtIn := list[:len(list)-2], list[len(list)-2:]
	size := 0
	for i, name := range own {
		if size += len(name) + 16; size > pageBytes {
			return append(slices.Clone(own[:i]), builtIn...)
		}
	}
	return list
}

func listedEvents(events []string) []listedEvent {
	list := make([]listedEvent, 0, len(events)+1)
	for _, name := range events {
		list = append(list, listedEvent{Event: &name})
	}
	return append(list, listedEvent{})
}

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
	remotes, more := s.remotesAfter(after, most)
	list := ClientList{Clients: []ClientStatus{}, More: more, Refused: s.refusedStrangers()}
	for _, c := range remotes {
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

// lastEvents lists the last event of each sender and event, in the order of their names: of one sender or all, of one event or all,
// behind a given name, up to a given number or a page.
func (c *client) lastEvents(a *arguments, _ func(carrier.Reply)) (any, error) {
	k := c.server.journal
	sender, event, limit := a.optionalText("sender"), a.optionalText("event"), a.optionalNumber("limit")
	var after []string
	if v := a.value("after"); !v.IsNull() && (v.Decode(&after) != nil || len(after) != 2) {
		a.fail("after must be a list of a sender and an event")
	}
	switch {
	case a.err != nil:
		return nil, a.err
	case k == nil:
		return nil, ErrNoJournal
	}
	if err := c.permit(verb.Listen, sender, event); err != nil {
		return nil, err
	}
	if limit == 0 || limit > historyEvents {
		limit = historyEvents
	}
	if after == nil {
		after = []string{"", ""}
	}
	if err := k.enter(c.ctx); err != nil {
		return nil, err
	}
	defer k.leave()
	var (
		page   = lastsAnswer{more: true}
		sight  rights.Sight
		policy = c.server.policy.Load()
		admin  = c.isAdmin()
		wanted = journal.Only(sender, event)
	)
	hears := func(t journal.Topic) bool {
		return (wanted == nil || wanted(t)) && sight.Hears(policy, c.identity, t.Sender, t.Event)
	}
	for at := (journal.Topic{Sender: after[0], Event: after[1]}); page.more && len(page.events) == 0; {
		var list []journal.Entry
		list, page.more = k.LastAfter(at, hears, int(limit), pageBytes)
		for i := range list {
			e := &list[i]
			if at = e.Topic; len(e.Data) == 0 || !mayHear(&sight, policy, c.identity, e) {
				continue
			}
			ev := eventOf(e)
			if !admin {
				ev.Data = publicOf(ev.Name, ev.Data)
			}
			page.events = append(page.events, &signalParams{info: infoOf(&ev), data: ev.Data})
		}
	}
	return page, nil
}

// A lastsAnswer is an answer to last_events. There are more behind the last one of it, if more is set.
type lastsAnswer struct {
	events past.List[*signalParams]
	more   bool
}

// AppendTo implements carrier.Appender.
func (l lastsAnswer) AppendTo(dst []byte, c carrier.Codec) ([]byte, error) {
	w := carrier.NewMapWriter(dst, past.WithTexts(c), 2)
	w.Any("events", l.events)
	w.Any("more", l.more)
	return w.End()
}
