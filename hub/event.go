package hub

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sighub/carrier"
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

	Data carrier.Value

	// legacy replaces Data for a legacy client, where it differs.
	legacy *legacyData
}

// legacyData is what a legacy client is told, and how many bytes that and the data for others take, which do not come encoded.
type legacyData struct {
	value  carrier.Value
	weight int
}

// size returns how many bytes the data takes.
func (ev *Event) size() int {
	if ev.legacy != nil {
		return ev.legacy.weight
	}
	return ev.Data.Size()
}

// Connection is the data of [Connect] and [Disconnect].
type Connection struct {
	Events   []string          `json:"events"`          // the sender's own and the built-in ones
	Units    map[string]string `json:"units,omitempty"` // of events, where known
	Requests []*string         `json:"requests"`        // nil if it answers none; a nil name stands for its default handler
	// Reason says why the sender has gone: removed, closed, unplugged, timeout, reset or shutdown. For a sensor of the
	// gateway's own that no longer answers, it is "failed: " and what went wrong.
	Reason string      `json:"reason,omitempty"`
	Client *ClientInfo `json:"client,omitempty"` // whose sender it is; nil for the hub's own
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

// String returns the client's name and address.
func (c ClientInfo) String() string {
	if c.Name == "" {
		return c.Addr
	}
	return fmt.Sprintf("%s (%s)", c.Name, c.Addr)
}

// Loss is the data of [Gap]. It says how many events of a sender were lost on the way to this listener, and when the first
// and the last of them happened. The listener may have heard others in between. If a device has lost the events, First is
// the time of that sender's last reading before the loss.
type Loss struct {
	Count uint64    `json:"count"` // 0 if the number is unknown, which is null on the network; perhaps no event was lost
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	Event string    `json:"event,omitempty"` // the event that was lost; empty: any
}

// add counts one more event.
func (l *Loss) add(at time.Time) {
	at = at.UTC()
	if l.Count == 0 || at.Before(l.First) {
		l.First = at
	}
	if l.Count == 0 || at.After(l.Last) {
		l.Last = at
	}
	l.Count++
}

// checkName returns an error unless name can name a sender, an event or a request: it must be UTF-8 of 1 to 255 bytes
// without control characters.
func checkName(kind, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: the %s's name is empty", ErrName, kind)
	case len(name) > 255:
		return fmt.Errorf("%w: the %s's name has %d bytes, more than 255", ErrName, kind, len(name))
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("%w: %s %q must be UTF-8 without control characters", ErrName, kind, name)
	}
	return nil
}

func isChannel(event string) bool { return strings.HasPrefix(event, "#") }

func isBuiltIn(event string) bool { return event == Connect || event == Disconnect || event == Gap }
