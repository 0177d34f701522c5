package mqtt

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"time"

	"sighub/homeassistant"
	"sighub/journal"
)

// Options are those of a Bridge. Zero values are defaults, but for Name, Addr and, to pass on every event, Journal.
type Options struct {
	Name string // of the bridge, and of its cursor
	Addr string // host:port
	// Version is what is spoken: MQTT5 or MQTT311. Empty: MQTT 5, and 3.1.1 with a broker that does not take that.
	Version string
	// TLS returns what is asked of the broker's certificate, for each connection; nil: clear text.
	TLS func() (*tls.Config, error)
	// Login returns the user and the password, for each connection; nil: none.
	Login func() (user string, password []byte, err error)

	Journal  *journal.Journal // the hub's; nil: it keeps none
	HubName  string           // what {hub} in a topic stands for; "sighub" by default
	Identity string           // as whom commands are sent to the hub; empty: as the hub itself, which may do everything

	// Prefix is in front of the topics that the bridge has for itself: "sighub/" by default. It ends with a slash.
	Prefix string
	// Topic is the template of the topics of events: Prefix and "{sender}/{event}" by default.
	Topic   string
	Payload string // Data or Envelope; Data by default
	Retain  bool   // the broker keeps the last event of each topic
	// Takes says which events are passed on. Nil: all.
	Takes func(sender, event string) bool
	// Start is where a bridge begins that is new; by default with the oldest event that the journal has.
	Start journal.Start
	// Window is how many events may be on their way, if the broker allows as many: 1,000 by default.
	Window int
	// Rate is how many events a second are passed on at the most; 0: as many as the broker takes.
	Rate float64

	// Newest has the newest states kept at the broker, instead of every event passed on.
	Newest bool
	// Every is how often the state of an event changes at the most: 1 s by default.
	Every time.Duration
	// HomeAssistant says how to announce devices, and where that is remembered. Its Topics are set by the Bridge. With Silent, or without
	// Newest, nothing is announced, and what was announced before is cleared. Nil: nothing is announced, and nothing remembered.
	HomeAssistant *homeassistant.AnnouncerOptions
	Silent        bool
	// Commands has requests taken from the broker. Whoever may publish there may send them.
	Commands bool

	ClientID string        // "sighub-", HubName and Name by default; no other client of the broker may have it
	Alive    time.Duration // after what silence, and half of it, the broker counts as gone: 10 s by default
	// Retry bounds the time between two tries to connect: from a second, doubled with each, to 30 s by default.
	Retry  time.Duration
	Logger *slog.Logger // nil: nothing is logged
	// Dial makes connections; nil: TCP.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
}

// The versions that a bridge speaks.
const (
	MQTT5   = "5"
	MQTT311 = "3.1.1"
)

// Versions lists the versions.
func Versions() []string { return []string{MQTT5, MQTT311} }
