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

	// Time is when the event happened: from the source where the source knows, else when the hub heard of it.
	Time time.Time
	// Uncertainty is how far Time may be off, as far as the source knows; 0 for the hub's own time.
	Uncertainty time.Duration
	// Seq counts the events of a sender since it connected, from 1, which is its #connect. It is 0 where the
	// hub does not say.
	Seq uint64

	Data carrier.Value

	// legacy replaces Data for a legacy client, where it differs.
	legacy *carrier.Value
}

// Connection is the data of [Connect] and [Disconnect].
type Connection struct {
	Events   []string          `json:"events"`          // the sender's own and the built-in ones
	Units    map[string]string `json:"units,omitempty"` // of events, where known
	Requests []*string         `json:"requests"`        // nil: it answers none; a nil name stands for its default handler
	// Reason says why the sender has gone: removed, closed, unplugged, timeout, reset or shutdown; of a sensor of the
	// gateway's own that no longer answers "failed: ", and how.
	Reason string      `json:"reason,omitempty"`
	Client *ClientInfo `json:"client,omitempty"` // whose sender it is; nil for the hub's own
	Time   time.Time   `json:"time"`
}

// legacyConnection is all that a legacy client knows of a Connection.
type legacyConnection struct {
	Events   []string  `json:"events"`
	Requests []*string `json:"requests"`
}

// ClientInfo tells who a client is.
type ClientInfo struct {
	ID   uint64 `json:"id"` // unique among all clients of a ServerRouter, ever
	Name string `json:"name,omitempty"`
	UID  string `json:"uid,omitempty"`
	Addr string `json:"addr,omitempty"`
}

func (c ClientInfo) String() string {
	if c.Name == "" {
		return c.Addr
	}
	return fmt.Sprintf("%s (%s)", c.Name, c.Addr)
}

// Loss is the data of [Gap]: so many events of the sender's were lost on the way to this listener, of which the first
// and the last happened at these times. The listener may have heard others in between. Of what a device
// has lost, First is the time of the last reading of that sender before it.
type Loss struct {
	Count uint64    `json:"count"` // 0, or null on the network: nobody knows, perhaps none
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	Event string    `json:"event,omitempty"` // of which event; empty: of any
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

// checkName refuses what cannot name a sender, an event or a request: it must be UTF-8 of 1 to 255 bytes
// without control characters.
func checkName(kind, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: the %s's name is empty", ErrName, kind)
	case len(name) > 255:
		return fmt.Errorf("%w: the %s's name has %d bytes, more than 255", ErrName, kind, len(name))
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("%w: %s %q is not plain text", ErrName, kind, name)
	}
	return nil
}

func isChannel(event string) bool { return strings.HasPrefix(event, "#") }

func isBuiltIn(event string) bool { return event == Connect || event == Disconnect || event == Gap }
