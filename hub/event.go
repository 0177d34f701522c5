package hub

import (
	"fmt"
	"math"
	"strings"
	"time"

	"sighub/carrier"
	"sighub/internal/safetext"
)

// The events that every sender has.
const (
	Connect    = "#connect"    // the sender is there; its data is a Connection
	Disconnect = "#disconnect" // the sender has gone; its data is a Connection with a reason
	Gap        = "#gap"        // events were lost; its data is a Loss
)

// An Event is what a listener is told.
type Event struct {
	Sender string
	Name   string

	// Time is when the event happened, as told by its source; or, if the source did not tell, when the hub received it.
	Time time.Time
	// Uncertainty is how far off Time may be, as told by the source; 0 for the hub's own time.
	Uncertainty time.Duration
	// Seq numbers the events of a sender since it connected: its #connect is 1. It is 0 if the hub did not tell.
	Seq uint64
	// Connection is the number of the sender's connection. Sender, Connection and Seq together name an event for ever, so that
	// one that is heard twice can be told. It is 0 if the hub did not tell.
	Connection uint64
	// Position is the event's place in the hub's journal, for listeners that hear events from there: see [ListenerOptions]. It
	// is zero for an event that is told at once, before it is on disk.
	Position Position
	// Last marks the last event of its kind, told because the listener asked for it with ListenerOptions.Last.
	Last bool

	Data carrier.Value

	// variants replace Data for some clients; nil: none do.
	variants *variants
}

// A Position is the place of an event in a hub's journal. In messages it is a list of its two numbers.
type Position struct {
	Epoch    uint32 // counts how often the hub was not stopped in order
	Sequence uint64 // counts up, and is not used twice in an epoch
}

// Before reports whether p is in front of another position.
func (p Position) Before(other Position) bool {
	return p.Epoch < other.Epoch || p.Epoch == other.Epoch && p.Sequence < other.Sequence
}

// IsZero reports whether p is the zero Position, which no event has.
func (p Position) IsZero() bool { return p == Position{} }

func (p Position) list() [2]uint64 { return [2]uint64{uint64(p.Epoch), p.Sequence} }

// MarshalJSON returns the position as a list.
func (p Position) MarshalJSON() ([]byte, error) { return carrier.JSON.Append(nil, p.list()) }

// MarshalCBOR returns the position as a list.
func (p Position) MarshalCBOR() ([]byte, error) { return carrier.CBORText.Append(nil, p.list()) }

// UnmarshalJSON reads a list.
func (p *Position) UnmarshalJSON(data []byte) error { return p.unmarshal(carrier.JSON, data) }

// UnmarshalCBOR reads a list.
func (p *Position) UnmarshalCBOR(data []byte) error { return p.unmarshal(carrier.CBORText, data) }

func (p *Position) unmarshal(c carrier.Codec, data []byte) error {
	var list []uint64
	if err := c.Decode(data, &list); err != nil {
		return err
	}
	if len(list) != 2 || list[0] > math.MaxUint32 {
		return fmt.Errorf("%w: a position must be a list of an epoch and a sequence", ErrArguments)
	}
	p.Epoch, p.Sequence = uint32(list[0]), list[1]
	return nil
}

// variants are what some clients are told instead of an event's data, and how many bytes that and the data take, which do not come
// encoded.
type variants struct {
	legacy carrier.Value // for legacy clients
	public carrier.Value // for others that may not know where clients are
	weight int
}

// public returns the event for a client that may not know where clients are.
func (ev *Event) public() *Event {
	public := *ev
	public.Data = ev.variants.public
	return &public
}

// publicOf returns an event's data of the past for a client that may not know where clients are.
func publicOf(event string, data carrier.Value) carrier.Value {
	if event != Connect && event != Disconnect {
		return data
	}
	var c Connection
	if data.Decode(&c) != nil {
		return carrier.Value{}
	}
	if c.Client == nil || c.Client.Addr == "" {
		return data
	}
	c.Client = c.Client.public()
	return carrier.ValueOf(c).Shared()
}

// size returns how many bytes the data takes.
func (ev *Event) size() int {
	if ev.variants != nil {
		return ev.variants.weight
	}
	return ev.Data.Size()
}

// Connection is the data of [Connect] and [Disconnect].
type Connection struct {
	Events   []string          `json:"events"`          // the sender's own and the built-in ones
	Units    map[string]string `json:"units,omitempty"` // of events, where known
	Requests []*string         `json:"requests"`        // nil if it answers none; a nil name stands for its default handler
	// Reason says why the sender has gone: removed, closed, unplugged, timeout, reset, revoked or shutdown. For a sensor of the
	// gateway's own that no longer answers, it is "failed: " and what went wrong.
	Reason string      `json:"reason,omitempty"`
	Client *ClientInfo `json:"client,omitempty"` // whose sender it is, its Addr for admins alone; nil for the hub's own
	Time   time.Time   `json:"time"`
}

// legacyConnection is the part of a Connection that legacy clients know.
type legacyConnection struct {
	Events   []string  `json:"events"`
	Requests []*string `json:"requests"`
}

// A ClientInfo says who a client is.
type ClientInfo struct {
	ID   uint64 `json:"id"` // unique among all clients of a ServerRouter, ever
	Name string `json:"name,omitempty"`
	UID  string `json:"uid,omitempty"`
	Addr string `json:"addr,omitempty"`
}

// public returns what everybody may know.
func (c *ClientInfo) public() *ClientInfo {
	public := *c
	public.Addr = ""
	return &public
}

// String returns the client's name and address, as far as they are known.
func (c ClientInfo) String() string {
	switch {
	case c.Name == "":
		return c.Addr
	case c.Addr == "":
		return c.Name
	default:
		return fmt.Sprintf("%s (%s)", c.Name, c.Addr)
	}
}

// Loss is the data of [Gap]. It says how many events of a sender were lost on the way to this listener, and when the first
// and the last of them happened. The listener may have heard others in between. If a device has lost the events, First is
// the time of that sender's last reading before the loss.
type Loss struct {
	Count uint64    `json:"count"` // 0 if the number is unknown, which is null on the network; perhaps no event was lost
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	Event string    `json:"event,omitempty"` // the event that was lost; empty: any
	// Cause says in one word why: slow (the listener did not keep up), size (too large for it), value or time (refused, see
	// docs/protocol.md), event (its sender does not offer it), refused, failed (a sensor gave no reading that can be true),
	// journal (the hub's journal has them no more), denied (the client may not hear them any more), revoked (the same, and it was
	// the end of this listener), or several. Empty: the device had no room for it.
	Cause string `json:"cause,omitempty"`
	// From and To are the positions of the first and the last event that the journal has no more. They may have been those of
	// any sender, so the gap's own sender is empty for a listener to all of them.
	From *Position `json:"from,omitempty"`
	To   *Position `json:"to,omitempty"`
}

// add counts one more event, lost for this cause.
func (l *Loss) add(at time.Time, cause string) {
	at = at.UTC()
	if l.Count == 0 {
		l.Cause = cause
	}
	if l.Cause != cause {
		l.Cause = causeSeveral
	}
	if l.Count == 0 || at.Before(l.First) {
		l.First = at
	}
	if l.Count == 0 || at.After(l.Last) {
		l.Last = at
	}
	l.Count++
}

// A TimeRange says which times of events are plausible. An event with another time is refused with [carrier.ErrTime], because
// it is likely that a program took one unit for another, or that a clock was never set.
type TimeRange struct {
	Past   time.Duration // how long ago at the most; 10 years by default
	Future time.Duration // how far ahead at the most; 1 day by default
	Any    bool          // all times are taken
}

// The defaults of a TimeRange.
const (
	defaultPast   = 10 * 365 * 24 * time.Hour
	defaultFuture = 24 * time.Hour
)

// clockIsSet is the year before which this machine's own clock cannot be right. It says nothing about other times then, as long
// as a machine without a battery waits for the network to tell it the time.
const clockIsSet = 2024

func (r TimeRange) withDefaults() TimeRange {
	if r.Past <= 0 {
		r.Past = defaultPast
	}
	if r.Future <= 0 {
		r.Future = defaultFuture
	}
	return r
}

// check returns an error unless an event may have happened at this time.
func (r *TimeRange) check(at, now time.Time) error {
	if d := at.Sub(now); r.Any || -r.Past <= d && d <= r.Future || now.UTC().Year() < clockIsSet {
		return nil
	}
	if at.Before(now) {
		return fmt.Errorf("%w: %s is more than %s ago", carrier.ErrTime, at.UTC().Format(time.RFC3339Nano), inDays(r.Past))
	}
	return fmt.Errorf("%w: %s is more than %s ahead", carrier.ErrTime, at.UTC().Format(time.RFC3339Nano), inDays(r.Future))
}

func inDays(d time.Duration) string {
	switch days := int(d / (24 * time.Hour)); {
	case days == 1:
		return "1 day"
	case days > 1:
		return fmt.Sprintf("%d days", days)
	default:
		return d.String()
	}
}

// checkName returns an error unless name can name a sender, an event or a request: see [safetext.CheckName].
func checkName(kind, name string) error { return badName(kind, name, safetext.CheckName(name)) }

// badName returns the error of a name, or a unit, that cannot be one because of err; nil if err is nil.
func badName(kind, name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %s \"%s\": %w", ErrName, kind, safetext.Short(name, maxShown), err)
}

// maxShown is how much of a name that is refused an error shows, in bytes.
const maxShown = 64

func isChannel(event string) bool { return strings.HasPrefix(event, "#") }

func isBuiltIn(event string) bool { return event == Connect || event == Disconnect || event == Gap }
