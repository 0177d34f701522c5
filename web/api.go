package web

import (
	_ "embed" // the description
	"encoding/json"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"sighub/carrier"
)

// An event is one event, as it is told in HTTP.
type event struct {
	Sender      string          `json:"sender"`
	Event       string          `json:"event"`
	Data        json.RawMessage `json:"data"`
	Time        string          `json:"time,omitempty"`        // RFC 3339
	Uncertainty int64           `json:"uncertainty,omitempty"` // ns
	Seq         uint64          `json:"seq,omitempty"`         // counts the events of a connection of the sender
	Connection  uint64          `json:"connection,omitempty"`
	Position    *position       `json:"position,omitempty"`
	Last        bool            `json:"last,omitempty"`
}

// UnmarshalJSON reads an event as the protocol has it.
func (e *event) UnmarshalJSON(b []byte) error {
	type info event // without this method
	var told struct {
		Info info            `json:"info"`
		Data json.RawMessage `json:"data"`
	}
	if err := unmarshal(b, &told); err != nil {
		return err
	}
	*e = event(told.Info)
	if e.Data = told.Data; len(e.Data) == 0 {
		e.Data = json.RawMessage("null")
	}
	return nil
}

// MarshalJSON writes an event. Its data is passed on byte by byte.
func (e *event) MarshalJSON() ([]byte, error) {
	type plain event
	return json.Marshal((*plain)(e))
}

func (s *Site) version(w http.ResponseWriter, r *http.Request) error {
	if err := newParams(r).end(); err != nil {
		return err
	}
	return write(w, map[string]any{"version": s.options.Version, "api": 1, "started": s.began.Format(time.RFC3339)})
}

//go:embed openapi.json
var openAPI []byte

func (s *Site) openAPI(w http.ResponseWriter, r *http.Request) error {
	if err := newParams(r).end(); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(openAPI) // whoever does not read it does not want it
	return nil
}

// A sender is one sender, as it is told in HTTP.
type sender struct {
	Sender    *string           `json:"sender"`
	Connected bool              `json:"connected"`
	Events    []eventName       `json:"events"`
	Requests  []*string         `json:"requests"` // null among them: any other; null instead: none
	Client    json.RawMessage   `json:"client,omitempty"`
	Refused   json.RawMessage   `json:"refused,omitempty"`
	Units     map[string]string `json:"units,omitempty"`
}

type eventName struct {
	Event *string `json:"event"`
	Unit  string  `json:"unit,omitempty"`
}

// mostSenders is how many senders an answer has at the most; the hub may tell fewer.
const mostSenders = 1000

// page asks for senders, and reports whether there are more.
func (s *Site) page(r *http.Request, after string, limit uint64) (list []sender, more bool, err error) {
	params := with(with(carrier.Object{{Key: "list_events", Value: true}}, "after", after), "limit", limit)
	answer, err := s.ask(r, "list_senders", params)
	if err == nil {
		err = decode(answer, &list)
	}
	if err != nil {
		return nil, false, err
	}
	if n := len(list); n > 0 && list[n-1].Sender == nil { // the channels
		list, more = list[:n-1], false
	} else {
		more = true
	}
	for i := range list {
		list[i].tidy()
	}
	return list, more, nil
}

// tidy puts units where they belong, and leaves out what stands for all events.
func (s *sender) tidy() {
	named := s.Events[:0]
	for _, e := range s.Events {
		if e.Event != nil {
			e.Unit = s.Units[*e.Event]
			named = append(named, e)
		}
	}
	s.Events, s.Units = named, nil
}

func (s *Site) senders(w http.ResponseWriter, r *http.Request) error {
	p := newParams(r)
	limit, after := p.number("limit", mostSenders), p.name("after")
	if err := p.end(); err != nil {
		return err
	}
	list, more, err := s.page(r, after, limit)
	if err != nil {
		return err
	}
	answer := struct {
		Senders []sender `json:"senders"`
		Next    *string  `json:"next"`
	}{Senders: list}
	if answer.Senders == nil {
		answer.Senders = []sender{}
	}
	if more && len(list) > 0 {
		answer.Next = list[len(list)-1].Sender
	}
	return write(w, answer)
}

func (s *Site) sender(w http.ResponseWriter, r *http.Request) error {
	p := newParams(r)
	name := p.inPath("sender")
	if err := p.end(); err != nil {
		return err
	}
	list, _, err := s.page(r, before(name), 1)
	if err != nil {
		return err
	}
	if len(list) == 0 || *list[0].Sender != name {
		return problem(http.StatusNotFound, "sender", "GET api/v1/senders lists those that are there", "there is no sender %s", name)
	}
	return write(w, list[0])
}

// before returns a text that is sorted before a name, so that no other name can be in between: the hub lists what is after it.
func before(name string) string {
	last, size := utf8.DecodeLastRuneInString(name)
	const surrogates, afterThem = 0xd7ff, 0xe000
	switch {
	case last <= 1:
		return name[:len(name)-size]
	case last == afterThem:
		last = surrogates
	default:
		last--
	}
	return name[:len(name)-size] + string(last) + strings.Repeat(string(utf8.MaxRune), 64) // names have 255 bytes at most
}

func (s *Site) lastOfSender(w http.ResponseWriter, r *http.Request) error {
	p := newParams(r)
	name, limit, after := p.inPath("sender"), p.number("limit", mostEvents), p.name("after")
	if err := p.end(); err != nil {
		return err
	}
	return s.lasts(w, r, name, "", []string{name, after}, limit)
}

func (s *Site) lastOfAll(w http.ResponseWriter, r *http.Request) error {
	p := newParams(r)
	event, limit, after := p.name("event"), p.number("limit", mostEvents), []string{p.name("after"), p.name("after_event")}
	if err := p.end(); err != nil {
		return err
	}
	return s.lasts(w, r, "", event, after, limit)
}

// lasts tells the last events of one sender or all, of one event or all, behind the last one that was told before.
func (s *Site) lasts(w http.ResponseWriter, r *http.Request, sender, name string, after []string, limit uint64) error {
	events, more, err := s.lastEvents(r, sender, name, after, limit)
	if err != nil {
		return err
	}
	answer := map[string]any{"events": events, "next": nil}
	if n := len(events); more && n > 0 {
		answer["next"] = map[string]string{"after": events[n-1].Sender, "after_event": events[n-1].Event}
		if sender != "" {
			answer["next"] = map[string]string{"after": events[n-1].Event}
		}
	}
	return write(w, answer)
}

// lastEvents asks for last events.
func (s *Site) lastEvents(r *http.Request, sender, name string, after []string, limit uint64) (list []*event, more bool, err error) {
	params := with(with(with(nil, "sender", sender), "event", name), "limit", limit)
	if len(after) == 2 && (after[0] != "" || after[1] != "") {
		params = append(params, carrier.Field{Key: "after", Value: after})
	}
	v, err := s.ask(r, "last_events", params)
	var answer struct {
		Events []*event `json:"events"`
		More   bool     `json:"more"`
	}
	if err == nil {
		err = decode(v, &answer)
	}
	if answer.Events == nil {
		answer.Events = []*event{}
	}
	return answer.Events, answer.More, err
}

func (s *Site) lastOne(w http.ResponseWriter, r *http.Request) error {
	p := newParams(r)
	sender, name := p.inPath("sender"), p.inPath("event")
	if err := p.end(); err != nil {
		return err
	}
	events, _, err := s.lastEvents(r, sender, name, nil, 1)
	if err != nil {
		return err
	}
	if len(events) == 0 {
		return problem(http.StatusNotFound, "event", "GET api/v1/senders/NAME lists its events", "no event %s of %s is on record", name, sender)
	}
	return write(w, events[0])
}

// listOf returns what answers with a list that a method of the hub tells, under a name.
func listOf(method, name string) func(*Site, http.ResponseWriter, *http.Request) error {
	return func(s *Site, w http.ResponseWriter, r *http.Request) error {
		if err := newParams(r).end(); err != nil {
			return err
		}
		v, err := s.ask(r, method, nil)
		if err != nil {
			return err
		}
		return write(w, map[string]any{name: v})
	}
}

// mostLines is how many lines of the log an answer has at the most.
const mostLines = 200

// log tells the latest lines of the hub's log.
func (s *Site) log(w http.ResponseWriter, r *http.Request) error {
	p := newParams(r)
	level, about := p.oneOf("level", "debug", "info", "warn", "error"), p.name("about")
	find, limit := p.text("find"), p.number("limit", mostLines)
	if err := p.end(); err != nil {
		return err
	}
	params := with(with(with(nil, "level", level), "find", find), "limit", limit)
	if about != "" {
		params = append(params, carrier.Field{Key: "about", Value: []string{about}})
	}
	v, err := s.ask(r, "list_log", params)
	if err != nil {
		return err
	}
	return write(w, map[string]any{"lines": v})
}

// whoAmI tells who asks, for the hub.
func (s *Site) whoAmI(w http.ResponseWriter, r *http.Request) error {
	if err := newParams(r).end(); err != nil {
		return err
	}
	v, err := s.ask(r, "whoami", nil)
	if err != nil {
		return err
	}
	return write(w, v)
}

// mostClients is how many clients an answer has at the most.
const mostClients = 100

func (s *Site) clients(w http.ResponseWriter, r *http.Request) error {
	p := newParams(r)
	limit, after := p.number("limit", mostClients), p.id("after")
	if err := p.end(); err != nil {
		return err
	}
	return s.listClients(w, r, after, limit, func(json.RawMessage) bool { return true })
}

// refusals lists what was refused of clients, and what they were not told. A client of which nothing was is left out.
func (s *Site) refusals(w http.ResponseWriter, r *http.Request) error {
	p := newParams(r)
	limit, after := p.number("limit", mostClients), p.id("after")
	if err := p.end(); err != nil {
		return err
	}
	return s.listClients(w, r, after, limit, func(client json.RawMessage) bool {
		var c struct{ Refused, Missed map[string]uint64 }
		return unmarshal(client, &c) == nil && len(c.Refused)+len(c.Missed) > 0
	})
}

// listClients tells of a page of clients those that it shall.
func (s *Site) listClients(w http.ResponseWriter, r *http.Request, after, limit uint64, shall func(client json.RawMessage) bool) error {
	v, err := s.ask(r, "list_clients", with(with(nil, "after", after), "limit", limit))
	if err != nil {
		return err
	}
	var page struct {
		Clients []json.RawMessage `json:"clients"`
		More    bool              `json:"more"`
		Refused map[string]uint64 `json:"refused"`
	}
	if err := decode(v, &page); err != nil {
		return err
	}
	answer := struct {
		Clients []json.RawMessage `json:"clients"`
		Next    *uint64           `json:"next"`
		Refused map[string]uint64 `json:"refused"` // of strangers
	}{Clients: []json.RawMessage{}, Refused: page.Refused}
	if answer.Refused == nil {
		answer.Refused = map[string]uint64{}
	}
	var last struct {
		ID uint64 `json:"id"`
	}
	for _, c := range page.Clients {
		if shall(c) {
			answer.Clients = append(answer.Clients, c)
		}
		if err := unmarshal(c, &last); err != nil {
			return err
		}
	}
	if page.More {
		answer.Next = &last.ID
	}
	return write(w, answer)
}

// socket answers who asks for the WebSocket without asking for one.
func (s *Site) socket(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Upgrade", "websocket")
	w.Header().Set("Connection", "Upgrade")
	return problem(http.StatusUpgradeRequired, "websocket", "connect with the scheme ws:// or wss://", "there is a WebSocket at this path")
}

func (s *Site) metrics(w http.ResponseWriter, r *http.Request) error {
	v, err := s.visitor(r)
	switch {
	case err != nil:
		return err
	case !s.options.MayMetrics(v.identity):
		return problem(http.StatusForbidden, "denied", "ask whoever runs the hub for the role viewer", "the metrics are for who may listen to everything")
	}
	if s.options.Metrics == nil {
		return problem(http.StatusNotImplemented, "method", "", "this hub has no metrics")
	}
	s.options.Metrics(w, strings.Contains(r.Header.Get("Accept"), "application/openmetrics-text"))
	return nil
}

// healthy answers that the process answers, and that the router does: a hub that hangs should be started again. It tells everybody, so
// it asks nothing of the hub for anybody.
func (s *Site) healthy(w http.ResponseWriter, _ *http.Request) error {
	s.options.Alive()
	return plainly(w, "healthy\n")
}

// ready answers whether the hub can do what it is for. A cable that was pulled, or a device that is silent, does not change that.
func (s *Site) ready(w http.ResponseWriter, _ *http.Request) error {
	s.options.Alive()
	if s.options.Ready() != nil { // the error may name folders, and everybody may ask
		return problem(http.StatusServiceUnavailable, "journal", "see the log of the hub", "the hub cannot write its journal")
	}
	return plainly(w, "ready\n")
}

func plainly(w http.ResponseWriter, text string) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(text)) // whoever does not read it does not want it
	return nil
}
