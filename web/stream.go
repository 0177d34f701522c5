package web

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sighub/carrier"
)

const eventStream = "text/event-stream"

const (
	aliveEvery  = 15 * time.Second // so that proxies, and both ends, know that the other end is there
	readWithin  = 30 * time.Second // for what was written
	markEvery   = time.Second      // while there is something to mark
	mostAtOnce  = 64               // events that are written together
	reconnectIn = 2000             // ms
)

// stream tells events as they happen, or from the journal, as server-sent events. An event that the hub has told is answered when it
// was written, so who reads slowly is a slow client like any other, and what is dropped is told as a gap.
func (s *Site) stream(w http.ResponseWriter, r *http.Request) error {
	p := newParams(r)
	l := listener{
		sender: p.name("sender"), event: p.name("event"), policy: p.oneOf("policy", "latest", "block"),
		from: p.text("from"), last: p.flag("last"), after: p.position("after"),
	}
	if id := r.Header.Get("Last-Event-ID"); id != "" { // it counts more: the browser has it from us
		at, ok := parsePosition(id)
		if !ok {
			p.fail("Last-Event-ID must be one that was told before")
		}
		l.after = &at
	}
	if err := p.end(); err != nil {
		return err
	}
	if r.Method == http.MethodHead { // who asks for the head alone would wait for the end of a body
		w.Header().Set("Content-Type", eventStream)
		return nil
	}
	return s.within(r, func(c *session) error {
		c.dirty = true
		if _, err := c.call(r.Context(), "add_listener", l.params()); err != nil {
			return err
		}
		f := &feed{w: w, rc: http.NewResponseController(w), session: c, live: l.from == ""}
		if l.filters() {
			f.only = l.event
		}
		f.run(r.Context())
		return nil
	})
}

// A listener is what is asked to be told.
type listener struct {
	sender, event, policy, from string
	last                        bool
	after                       *position
}

func (l *listener) params() carrier.Object {
	o := carrier.Object{{Key: "sender", Value: carrier.Value{}}, {Key: "event", Value: carrier.Value{}}, {Key: "early", Value: true}}
	if l.sender != "" {
		o[0].Value = l.sender
	}
	if l.event != "" && !l.filters() {
		o[1].Value = l.event
	}
	switch {
	case l.from != "" && l.after != nil: // it goes on where it was
		return append(o, carrier.Field{Key: "from", Value: l.after.value()})
	case l.from != "":
		return with(with(o, "from", l.from), "last", l.last)
	default:
		return with(with(with(o, "policy", l.policy), "last", l.last && l.after == nil), "resume", l.after)
	}
}

// filters reports whether the hub tells more than is asked for: it tells of a channel, or of everything, to who asks for an event of
// any sender.
func (l *listener) filters() bool {
	return l.sender == "" && l.event != "" && !strings.HasPrefix(l.event, "#")
}

// A feed writes what a session hears.
type feed struct {
	w       http.ResponseWriter
	rc      *http.ResponseController
	session *session
	only    string // the event that is told, with gaps; empty: all
	live    bool   // it hears events at once; their places in the journal are known only later
	out     bytes.Buffer
	unread  []func(carrier.Reply) // of the events in out

	marked string // the position that was told last
	moved  bool   // there may be a later one
}

// run writes until who reads has gone, or the hub ends.
func (f *feed) run(ctx context.Context) {
	h := f.w.Header()
	h.Set("Content-Type", eventStream)
	h.Set("X-Accel-Buffering", "no") // proxies should not wait for more
	_ = f.rc.SetReadDeadline(time.Time{})
	f.out.WriteString("retry: " + strconv.Itoa(reconnectIn) + "\n\n")
	alive := time.NewTicker(aliveEvery)
	defer alive.Stop()
	mark := time.NewTicker(markEvery)
	defer mark.Stop()
	for f.flush() {
		select {
		case e := <-f.session.heard:
			f.tell(e)
			for range mostAtOnce {
				select {
				case e := <-f.session.heard:
					f.tell(e)
					continue
				default:
				}
				break
			}
		case <-alive.C:
			f.out.WriteString(":\n\n")
		case <-mark.C:
			f.mark(ctx)
		case <-ctx.Done():
			return
		case <-f.session.done:
			f.out.WriteString("event: end\ndata: {\"reason\":\"" + carrier.Reason(cmp.Or(f.session.why, carrier.ErrShutdown)) + "\"}\n\n")
			f.flush()
			return
		}
	}
}

// flush writes what is to be written, and answers the events in it. It reports whether it was taken.
func (f *feed) flush() bool {
	if f.out.Len() == 0 {
		return true
	}
	if f.rc.SetWriteDeadline(time.Now().Add(readWithin)) != nil {
		return false
	}
	_, err := f.w.Write(f.out.Bytes())
	if err == nil {
		err = f.rc.Flush()
	}
	f.out.Reset()
	if f.out.Cap() > keepBuffer {
		f.out = bytes.Buffer{}
	}
	if err != nil {
		return false
	}
	for _, respond := range f.unread {
		respond(carrier.Done(nil))
	}
	clear(f.unread)
	f.unread = f.unread[:0]
	return true
}

const keepBuffer = 64 << 10

// tell puts an event into what is written next.
func (f *feed) tell(h heard) {
	f.unread = append(f.unread, h.respond)
	f.moved = true
	if h.message.Method != "signal" {
		return // the hub asks nothing else of who has no sender
	}
	var e event
	if decode(h.message.Params, &e) != nil {
		return // the hub tells what can be read
	}
	if f.only != "" && e.Event != f.only && e.Event != "#gap" {
		return
	}
	if e.Position != nil && !e.Last && !f.live {
		f.marked = e.Position.String()
		f.out.WriteString("id: " + f.marked + "\n")
	}
	if e.Event == "#gap" {
		f.out.WriteString("event: gap\n")
	}
	data, err := json.Marshal(&e)
	if err != nil {
		return // its data is JSON
	}
	f.out.WriteString("data: ")
	f.out.Write(data)
	f.out.WriteString("\n\n")
}

// mark tells a position up to which everything is told, so that who comes back can go on there.
func (f *feed) mark(ctx context.Context) {
	if !f.live || !f.moved {
		return
	}
	f.moved = false
	v, err := f.session.call(ctx, "get_position", nil)
	var answer struct {
		Position *position `json:"position"`
	}
	if err != nil || decode(v, &answer) != nil || answer.Position == nil {
		f.moved = err == nil // it is not known yet; without a journal it never is
		return
	}
	if at := answer.Position.String(); at != cmp.Or(f.marked, "0-0") {
		f.marked = at
		f.out.WriteString("id: " + at + "\n\n")
	}
}
