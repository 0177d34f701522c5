package hub

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sighub/carrier"
)

// The methods of the protocol: all of them are a ServerRouter's, the last two are a client's as well.
const (
	methodVersion        = "get_version"
	methodListSenders    = "list_senders"
	methodAddSender      = "add_sender"
	methodRemoveSender   = "remove_sender"
	methodAddListener    = "add_listener"
	methodRemoveListener = "remove_listener"

	methodSignal  = "signal"
	methodRequest = "request"
)

// protocolVersion is what get_version answers: the version of the methods above, as the first implementation
// of the protocol numbered it.
const protocolVersion = "1.01"

// arguments are a message's params, taken apart. Each getter notes what is wrong with the argument it reads; err
// tells of the first one.
type arguments struct {
	fields map[string]carrier.Value
	err    error
}

func parseArguments(params carrier.Value) *arguments {
	a := &arguments{fields: make(map[string]carrier.Value, 4)}
	if params.IsNull() {
		return a
	}
	err := params.Fields(func(key string, v carrier.Value) error {
		a.fields[key] = v
		return nil
	})
	if err != nil {
		a.err = fmt.Errorf("%w: params is no map with text keys: %w", ErrArguments, err)
	}
	return a
}

func (a *arguments) fail(format string, args ...any) {
	if a.err == nil {
		a.err = fmt.Errorf("%w: %s", ErrArguments, fmt.Sprintf(format, args...))
	}
}

func (a *arguments) value(key string) carrier.Value { return a.fields[key] }

// text reads a text that must be there.
func (a *arguments) text(key string) string {
	v, ok := a.fields[key]
	if !ok || v.IsNull() {
		a.fail("%s is missing", key)
		return ""
	}
	return a.optionalText(key)
}

// optionalText reads a text; null and nothing at all are empty.
func (a *arguments) optionalText(key string) string {
	v := a.fields[key]
	if v.IsNull() {
		return ""
	}
	var s string
	switch err := v.Decode(&s); {
	case err != nil:
		a.fail("%s is no text", key)
	case s == "":
		a.fail("%s is empty", key)
	}
	return s
}

func (a *arguments) flag(key string) bool {
	var b bool
	if v := a.fields[key]; !v.IsNull() && v.Decode(&b) != nil {
		a.fail("%s is neither true nor false", key)
	}
	return b
}

func (a *arguments) number(key string) uint64 {
	var n uint64
	switch v := a.fields[key]; {
	case v.IsNull():
		a.fail("%s is missing", key)
	case v.Decode(&n) != nil:
		a.fail("%s is no number", key)
	}
	return n
}

// texts reads a list of texts, nil for each null among them.
func (a *arguments) texts(key string) []*string {
	var list []*string
	v, ok := a.fields[key]
	switch {
	case !ok:
		a.fail("%s is missing", key)
	case v.Decode(&list) != nil || list == nil && v.IsNull():
		a.fail("%s is no list of texts", key)
	}
	return list
}

// units reads the units of events; nothing at all is none.
func (a *arguments) units() map[string]string {
	var units map[string]string
	if v := a.fields["units"]; !v.IsNull() && v.Decode(&units) != nil {
		a.fail("units is no map from events to texts")
	}
	return units
}

// policy reads what a listener wants when it cannot keep up; what it does not say is as it is for all.
func (a *arguments) policy(o OutboxOptions) (Policy, time.Duration) {
	p, deadline := o.Policy, o.Deadline
	if name := a.optionalText("policy"); name != "" {
		i := slices.Index(Policies(), name)
		if i < 0 {
			a.fail("policy %q is not one of %s", name, strings.Join(Policies(), ", "))
		}
		p = Policy(i)
	}
	if v := a.fields["deadline"]; !v.IsNull() {
		ms := a.number("deadline")
		if ms < 1 || ms > maxDeadline {
			a.fail("a deadline of %d ms is not between 1 and %d", ms, maxDeadline)
		}
		deadline = time.Duration(ms) * time.Millisecond
	}
	return p, deadline
}

// maxDeadline bounds how long a listener may have senders wait for it, in milliseconds: a minute.
const maxDeadline = 60_000

// A signal's info in transit. Time is nanoseconds since the Unix epoch in CBOR, RFC 3339 text in JSON; either is
// read from both. Uncertainty is nanoseconds.
type info struct {
	sender, event string
	time          time.Time
	uncertainty   time.Duration
	seq           uint64
}

// info reads the argument of that name.
func (a *arguments) info() info {
	v, ok := a.fields["info"]
	if !ok {
		a.fail("info is missing")
		return info{}
	}
	f := parseArguments(v)
	in := info{sender: f.text("sender"), event: f.text("event")}
	if t := f.fields["time"]; !t.IsNull() {
		var err error
		if in.time, err = decodeTime(t); err != nil {
			f.fail("info.time: %v", err)
		}
	}
	var ns int64
	if u := f.fields["uncertainty"]; !u.IsNull() && (u.Decode(&ns) != nil || ns < 0) {
		f.fail("info.uncertainty is no number of nanoseconds")
	}
	in.uncertainty = time.Duration(ns)
	if s := f.fields["seq"]; !s.IsNull() && s.Decode(&in.seq) != nil {
		f.fail("info.seq is no number")
	}
	if a.err == nil {
		a.err = f.err
	}
	return in
}

func decodeTime(v carrier.Value) (time.Time, error) {
	var ns int64
	if v.Decode(&ns) == nil {
		return time.Unix(0, ns), nil
	}
	var text string
	if v.Decode(&text) != nil {
		return time.Time{}, errors.New("neither a text nor a number of nanoseconds")
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	switch {
	case err != nil:
		return t, fmt.Errorf("%q is no RFC 3339 time", text)
	case t.Year() < 1970 || t.Year() > 2261: // 64 bits of nanoseconds hold no more
		return t, fmt.Errorf("%q is not between 1970 and 2261", text)
	}
	return t, nil
}

// AppendTo implements carrier.Appender.
func (in info) AppendTo(dst []byte, c carrier.Codec) ([]byte, error) {
	o := make(carrier.Object, 0, 5)
	o = append(o, carrier.Field{Key: "sender", Value: in.sender}, carrier.Field{Key: "event", Value: in.event})
	if !in.time.IsZero() {
		var t any = in.time.UnixNano()
		if c.Name() == carrier.JSON.Name() {
			t = in.time.UTC().Format(time.RFC3339Nano)
		}
		o = append(o, carrier.Field{Key: "time", Value: t})
	}
	if in.uncertainty > 0 {
		o = append(o, carrier.Field{Key: "uncertainty", Value: int64(in.uncertainty)})
	}
	if in.seq > 0 {
		o = append(o, carrier.Field{Key: "seq", Value: in.seq})
	}
	return c.AppendObject(dst, o)
}

// signalMessage tells a client's listener of an event. A legacy client gets nothing it does not know.
func signalMessage(l *Listener, ev *Event, hello bool) *carrier.Message {
	in := info{sender: ev.Sender, event: ev.Name}
	data := ev.Data
	if hello {
		in.time, in.uncertainty, in.seq = ev.Time, ev.Uncertainty, ev.Seq
	} else if ev.legacy != nil {
		data = *ev.legacy
	}
	return &carrier.Message{Method: methodSignal, Params: carrier.ValueOf(carrier.Object{
		{Key: "listener_id", Value: l.id}, {Key: "info", Value: in}, {Key: "data", Value: data},
	})}
}

// requestMessage asks for a method of a sender, by the name its owner gave it.
func requestMessage(sender, method string, params carrier.Value) *carrier.Message {
	return &carrier.Message{Method: methodRequest, Params: carrier.ValueOf(carrier.Object{
		{Key: "sender", Value: sender}, {Key: "method", Value: method}, {Key: "params", Value: params},
	})}
}
