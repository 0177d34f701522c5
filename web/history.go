package web

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sighub/carrier"
)

const (
	mostEvents = 1000        // of an answer, as JSON
	mostRows   = 10_000_000  // of a download
	pageTime   = time.Minute // to read a page of a download
)

// A past is a page of the past: events, or sums of them.
type past struct {
	Events  []*event `json:"events,omitempty"`
	Buckets []bucket `json:"buckets,omitempty"`
	Next    next     `json:"next"`
}

// A bucket sums up the numbers of some time.
type bucket struct {
	Time  string      `json:"time"`
	Min   json.Number `json:"min"`
	Max   json.Number `json:"max"`
	Mean  json.Number `json:"mean"`
	Last  json.Number `json:"last"`
	Count uint64      `json:"count"`
}

// A next is where the next page begins: a position for after, or a time for from. Empty: there is none.
type next string

// UnmarshalJSON reads it as the protocol has it.
func (n *next) UnmarshalJSON(b []byte) error {
	var at position
	switch {
	case string(b) == "null":
		*n = ""
	case b[0] == '[':
		if err := unmarshal(b, &at); err != nil {
			return err
		}
		*n = next(at.String())
	default:
		return unmarshal(b, (*string)(n))
	}
	return nil
}

// MarshalJSON writes it, and null on the last page.
func (n next) MarshalJSON() ([]byte, error) {
	if n == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(n))
}

// A question is what is asked about the past.
type question struct {
	sender, event, from, to, every string
	after                          *position
}

func (q *question) params(limit uint64) carrier.Object {
	o := with(with(with(carrier.Object{{Key: "sender", Value: q.sender}}, "event", q.event), "from", q.from), "to", q.to)
	return with(with(with(o, "after", q.after), "every", q.every), "limit", limit)
}

// goOn asks for what is behind a page.
func (q *question) goOn(n next) {
	if at, ok := parsePosition(string(n)); ok && q.every == "" {
		q.after = &at
	} else {
		q.from = string(n)
	}
}

func (s *Site) history(w http.ResponseWriter, r *http.Request) error {
	p := newParams(r)
	q := question{
		sender: p.inPath("sender"), event: p.name("event"), from: p.text("from"), to: p.text("to"), every: p.text("every"),
		after: p.position("after"),
	}
	forms := []string{"json", "csv"}
	if strings.HasPrefix(r.Header.Get("Accept"), "text/csv") {
		forms = []string{"csv", "json"}
	}
	form := p.oneOf("format", forms...)
	most := uint64(mostEvents)
	if form == "csv" {
		most = mostRows
	}
	limit := p.number("limit", most)
	if q.every != "" && q.after != nil {
		p.fail("after is for events: sums go on at a time, with from")
	}
	if err := p.end(); err != nil {
		return err
	}
	if form == "csv" {
		return s.download(w, r, &q, limit)
	}
	page, err := s.past(r, &q, limit)
	if err != nil {
		return err
	}
	if q.every != "" {
		return write(w, map[string]any{"buckets": append([]bucket{}, page.Buckets...), "next": page.Next})
	}
	return write(w, map[string]any{"events": append([]*event{}, page.Events...), "next": page.Next})
}

func (s *Site) past(r *http.Request, q *question, limit uint64) (page past, err error) {
	v, err := s.ask(r, "history", q.params(limit))
	if err == nil {
		err = decode(v, &page)
	}
	return page, err
}

// download writes everything that is asked for as CSV, page by page, for as long as it is read.
func (s *Site) download(w http.ResponseWriter, r *http.Request, q *question, limit uint64) error {
	if limit == 0 {
		limit = mostRows
	}
	page, err := s.past(r, q, min(limit, mostEvents))
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8; header=present")
	h.Set("Content-Disposition", `attachment; filename="sighub.csv"`)
	rows := csv.NewWriter(w)
	if r.Method == http.MethodHead {
		return nil
	}
	head := []string{"time", "sender", "event", "data", "uncertainty", "seq", "connection", "position"}
	if q.every != "" {
		head = []string{"time", "sender", "event", "min", "max", "mean", "last", "count"}
	}
	_ = rows.Write(head) // Flush returns the error
	rc := http.NewResponseController(w)
	for {
		for _, e := range page.Events {
			_ = rows.Write([]string{
				e.Time, cell(e.Sender), cell(e.Event), string(e.Data), number(uint64(e.Uncertainty)), number(e.Seq), number(e.Connection), place(e.Position),
			})
			limit--
		}
		for _, b := range page.Buckets {
			_ = rows.Write([]string{
				b.Time, cell(q.sender), cell(q.event), b.Min.String(), b.Max.String(), b.Mean.String(), b.Last.String(), number(b.Count),
			})
			limit--
		}
		rows.Flush()
		if read := rows.Error() == nil && rc.Flush() == nil; !read || page.Next == "" || limit == 0 {
			return nil
		}
		q.goOn(page.Next)
		_ = rc.SetWriteDeadline(time.Now().Add(pageTime)) // fails only when it is closed already
		if page, err = s.past(r, q, min(limit, mostEvents)); err != nil {
			panic(http.ErrAbortHandler) // so that what is not whole does not look whole
		}
	}
}

// cell returns a name that no spreadsheet takes for a formula.
func cell(name string) string {
	if strings.ContainsAny(name[:min(1, len(name))], "=+-@") {
		return "'" + name
	}
	return name
}

func number(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
}

func place(at *position) string {
	if at == nil {
		return ""
	}
	return fmt.Sprint(at)
}
