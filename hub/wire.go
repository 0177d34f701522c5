package hub

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"sighub/carrier"
	"sighub/hub/internal/fair"
)

// The methods of the protocol. A ServerRouter has all of them, a client the last two.
const (
	methodVersion        = "get_version"
	methodListSenders    = "list_senders"
	methodAddSender      = "add_sender"
	methodRemoveSender   = "remove_sender"
	methodAddListener    = "add_listener"
	methodRemoveListener = "remove_listener"
	methodListClients    = "list_clients"
	methodHistory        = "history"
	methodLasts          = "last_events"
	methodPosition       = "get_position"
	methodListCursors    = "list_cursors"
	methodRemoveCursor   = "remove_cursor"
	methodAcknowledge    = "acknowledge"

	methodSignal  = "signal"
	methodRequest = "request"
)

// protocolVersion is what get_version answers: the version of the methods above, as the first implementation
// of the protocol numbered it.
const protocolVersion = "1.01"

// arguments are a message's params, taken apart. Each getter notes what is wrong with the argument that it reads. err is the
// first such error.
type arguments struct {
	list     []argument
	few      [4]argument       // the memory of list, for as long as it does
	size     int               // of the params, in bytes
	id       int               // of the message's id, in bytes
	mark     *carrier.Mark     // the message's
	together *carrier.Together // likewise
	err      error

	add func(key string, v carrier.Value) error // adds one to list
}

type argument struct {
	key   string
	value carrier.Value
}

func parseArguments(params carrier.Value) *arguments {
	a := newArguments()
	a.parse(params)
	return a
}

func newArguments() *arguments {
	a := new(arguments)
	a.add = func(key string, v carrier.Value) error {
		a.list = append(a.list, argument{key, v})
		return nil
	}
	return a
}

func (a *arguments) parse(params carrier.Value) {
	if a.size = params.Size(); params.IsNull() {
		return
	}
	a.list = a.few[:0]
	if err := params.Fields(a.add); err != nil {
		a.err = fmt.Errorf("%w: params must be a map with text keys: %w", ErrArguments, err)
	}
}

// usedArguments are those of requests, which nobody keeps.
var usedArguments = sync.Pool{New: func() any { return newArguments() }}

// reuse gives the arguments back: nobody refers to them.
func (a *arguments) reuse() {
	*a = arguments{add: a.add}
	usedArguments.Put(a)
}

// find returns the argument of that name and whether there is one. If there are several, it is the last one.
func (a *arguments) find(key string) (v carrier.Value, ok bool) {
	for _, arg := range slices.Backward(a.list) {
		if arg.key == key {
			return arg.value, true
		}
	}
	return v, false
}

func (a *arguments) value(key string) carrier.Value {
	v, _ := a.find(key)
	return v
}

// kept returns the argument of that name for somebody who keeps it. It is a copy if the whole message is much larger.
func (a *arguments) kept(key string) carrier.Value {
	v := a.value(key)
	if a.size > 2*v.Size()+entryCost {
		v = v.Clone()
	}
	return v
}

func (a *arguments) fail(format string, args ...any) {
	if a.err == nil {
		a.err = fmt.Errorf("%w: %s", ErrArguments, fmt.Sprintf(format, args...))
	}
}

// text reads a text, which must be there.
func (a *arguments) text(key string) string {
	v, ok := a.find(key)
	if !ok || v.IsNull() {
		a.fail("%s is missing", key)
		return ""
	}
	return a.optionalText(key)
}

// optionalText reads a text. It is empty if the argument is null or missing.
func (a *arguments) optionalText(key string) string {
	v := a.value(key)
	if v.IsNull() {
		return ""
	}
	s, ok := v.Text()
	switch {
	case !ok:
		a.fail("%s must be a text", key)
	case s == "":
		a.fail("%s must not be empty", key)
	}
	return s
}

func (a *arguments) flag(key string) bool {
	var b bool
	if v := a.value(key); !v.IsNull() && v.Decode(&b) != nil {
		a.fail("%s must be true or false", key)
	}
	return b
}

func (a *arguments) number(key string) uint64 {
	v := a.value(key)
	n, ok := v.Uint()
	switch {
	case ok:
	case v.IsNull():
		a.fail("%s is missing", key)
	case v.Decode(&n) != nil:
		a.fail("%s must be a non-negative integer", key)
	}
	return n
}

// optionalNumber reads a number. It is 0 if the argument is null or missing.
func (a *arguments) optionalNumber(key string) uint64 {
	if v := a.value(key); v.IsNull() {
		return 0
	}
	return a.number(key)
}

// position reads a position, which may be missing.
func (a *arguments) position(key string) (p Position) {
	if v := a.value(key); !v.IsNull() && v.Decode(&p) != nil {
		a.fail("%s must be a list of an epoch and a sequence", key)
	}
	return p
}

// texts reads a list of texts, nil for each null among them. One text is a list of one.
func (a *arguments) texts(key string) []*string {
	var list []*string
	var one string
	v, ok := a.find(key)
	switch {
	case !ok:
		a.fail("%s is missing", key)
	case !v.IsNull() && v.Decode(&one) == nil:
		list = []*string{&one}
	case v.Decode(&list) != nil || list == nil && v.IsNull():
		a.fail("%s must be a list of texts", key)
	}
	return list
}

// units reads the units of events, which may be missing.
func (a *arguments) units() map[string]string {
	var units map[string]string
	if v := a.value("units"); !v.IsNull() && v.Decode(&units) != nil {
		a.fail("units must be a map from events to texts")
	}
	return units
}

// policy reads what a listener wants when it cannot keep up. What it does not tell is as the hub is configured.
func (a *arguments) policy(o OutboxOptions) (Policy, time.Duration) {
	p, deadline := o.Policy, o.Deadline
	if text := a.optionalText("policy"); text != "" {
		if p = Policy(text); !slices.Contains(Policies(), p) {
			a.fail("policy must be block, latest or disconnect, not %q", text)
		}
	}
	if v := a.value("deadline"); !v.IsNull() {
		ms := a.number("deadline")
		if ms < 1 || ms > maxDeadline {
			a.fail("deadline must be from 1 to %[2]d ms, not %[1]d", ms, maxDeadline)
		}
		deadline = min(time.Duration(ms)*time.Millisecond, max(o.Deadline, longestDeadline))
	}
	return p, deadline
}

// gather reads for how long a listener's events may be gathered, which may be missing.
func (a *arguments) gather() time.Duration {
	ms := a.optionalNumber("gather")
	if most := uint64(MaxGather.Milliseconds()); ms > most {
		a.fail("gather must be from 0 to %[2]d ms, not %[1]d", ms, most)
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

// maxDeadline is the longest deadline that a listener may ask for, in milliseconds. It is granted longestDeadline at most or,
// if that is longer, the hub's own deadline, because senders may not wait any longer.
const (
	maxDeadline     = 60_000
	longestDeadline = fair.Longest
)

// info is a signal's info in transit. Its time is written as RFC 3339 text in JSON, and in CBOR as nanoseconds since the Unix
// epoch, where these are so many that they cannot be taken for another unit; [carrier.ReadTime] says what is read. Its uncertainty is in nanoseconds.
type info struct {
	sender, event string
	time          time.Time
	uncertainty   time.Duration
	seq           uint64
	connection    uint64
	position      Position
	last          bool
	err           error // why the time cannot be the event's
}

// info reads the argument of that name. The sender may be empty if it may be any.
func (a *arguments) info(ofAny bool) info {
	v, ok := a.find("info")
	if !ok {
		a.fail("info is missing")
		return info{}
	}
	f := parseArguments(v)
	in := info{event: f.text("event")}
	if v := f.value("sender"); !ofAny || v.Decode(&in.sender) != nil || in.sender != "" {
		in.sender = f.text("sender")
	}
	if t := f.value("time"); !t.IsNull() {
		in.time, in.err = carrier.ReadTime(t)
	}
	var ns int64
	if u := f.value("uncertainty"); !u.IsNull() && (u.Decode(&ns) != nil || ns < 0) {
		f.fail("info.uncertainty must be a non-negative number of nanoseconds")
	}
	in.uncertainty = time.Duration(ns)
	in.seq, in.connection = f.optionalNumber("seq"), f.optionalNumber("connection")
	in.position, in.last = f.position("position"), f.flag("last")
	if a.err == nil {
		a.err = f.err
	}
	return in
}

// tellable reports whether a time can be told on the network.
func tellable(t time.Time) bool { return carrier.Tellable(t) }

// AppendTo implements carrier.Appender.
func (in *info) AppendTo(dst []byte, c carrier.Codec) ([]byte, error) {
	entries := 2
	for _, there := range []bool{!in.time.IsZero(), in.uncertainty > 0, in.seq > 0, in.connection > 0, !in.position.IsZero(), in.last} {
		if there {
			entries++
		}
	}
	w := carrier.NewMapWriter(dst, c, entries)
	w.Text("sender", in.sender)
	w.Text("event", in.event)
	if !in.time.IsZero() {
		w.Time("time", in.time)
	}
	if in.uncertainty > 0 {
		w.Int("uncertainty", int64(in.uncertainty))
	}
	if in.seq > 0 {
		w.Uint("seq", in.seq)
	}
	if in.connection > 0 {
		w.Uint("connection", in.connection)
	}
	if !in.position.IsZero() {
		w.Any("position", in.position)
	}
	if in.last {
		w.Any("last", true)
	}
	return w.End()
}

// signalParams are the params of a message "signal": to a client's listener or, if listener is 0, to the hub.
type signalParams struct {
	listener uint64
	info     info
	data     carrier.Value
}

// AppendTo implements carrier.Appender.
func (p *signalParams) AppendTo(dst []byte, c carrier.Codec) ([]byte, error) {
	entries := 3
	if p.listener == 0 {
		entries = 2
	}
	w := carrier.NewMapWriter(dst, c, entries)
	if p.listener > 0 {
		w.Uint("listener_id", p.listener)
	}
	w.Any("info", &p.info)
	w.Value("data", p.data)
	return w.End()
}

// signalMessage returns the message that tells a client's listener of an event. For a legacy client it has only what such a
// client knows.
func signalMessage(l *Listener, ev *Event, hello bool) *carrier.Message {
	p := &signalParams{listener: l.id, info: info{sender: ev.Sender, event: ev.Name}, data: ev.Data}
	if hello {
		p.info = infoOf(ev)
	} else if ev.variants != nil {
		p.data = ev.variants.legacy
	}
	return &carrier.Message{Method: methodSignal, Params: carrier.ValueOf(p)}
}

// infoOf returns what a client that said hello is told of an event beside its data.
func infoOf(ev *Event) info {
	in := info{
		sender: ev.Sender, event: ev.Name, uncertainty: ev.Uncertainty, seq: ev.Seq,
		connection: ev.Connection, position: ev.Position, last: ev.Last,
	}
	if tellable(ev.Time) {
		in.time = ev.Time
	}
	return in
}

// named returns v, unless it is a [carrier.Object]: then it returns its encoding with names for keys. As a part of a message,
// an Object has integers for some keys in CBOR, but listeners and senders must get the same in either codec.
func named(v any) any {
	o, ok := v.(carrier.Object)
	if !ok {
		return v
	}
	raw, err := o.AppendTo(nil, carrier.CBORText)
	if err != nil {
		return v // which cannot be encoded later, either
	}
	return carrier.RawValue(carrier.CBORText, raw)
}

// requestParams are the params of a message "request".
type requestParams struct {
	sender, method string
	params         carrier.Value
}

// AppendTo implements carrier.Appender.
func (p *requestParams) AppendTo(dst []byte, c carrier.Codec) ([]byte, error) {
	w := carrier.NewMapWriter(dst, c, 3)
	w.Text("sender", p.sender)
	w.Text("method", p.method)
	w.Value("params", p.params)
	return w.End()
}
