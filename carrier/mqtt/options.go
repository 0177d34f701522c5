package mqtt

import (
	"cmp"
	"log/slog"
	"time"

	"sighub/carrier"
	"sighub/internal/lockrank"
	"sighub/listen"
)

// ALPN is the name of MQTT in TLS, as it is registered.
const ALPN = "mqtt"

// Protocols returns MQTT, as a [listen.Server] tells it from other protocols: by the first byte of a CONNECT.
func Protocols() []listen.Protocol {
	return []listen.Protocol{
		{Name: "mqtt", ALPN: ALPN, Certificates: true, Begins: func(first byte) bool { return first == 0x10 }},
	}
}

// Limits bound what a client may do. Zero values stand for the defaults.
type Limits struct {
	// Window is how many messages a client may publish before they are acknowledged, and at most how many it is sent before it has
	// acknowledged them. It is the Receive Maximum of MQTT 5. Default 1,024, at most 32,767.
	Window int
	// MaxMessage is how many bytes a packet may have, in both directions. Default 1 MiB.
	MaxMessage int
	// Sessions is how many sessions the Server keeps for clients that are away. Default 256.
	Sessions int
	// SessionTime is how long a session is kept at the most while its client is away. Default 30 days.
	SessionTime time.Duration
	// Queue and QueueBytes bound what a session without a journal keeps for a client that is away: messages, and bytes of them. Defaults
	// 1,000 and 1 MiB.
	Queue, QueueBytes int

	// HelloTimeout is how long a login may take. Default 10 s.
	HelloTimeout time.Duration
	// MessageTimeout is how long a packet may take from its first byte. Default 30 s.
	MessageTimeout time.Duration
	// WriteTimeout is how long a client may take nothing of what is written to it. Default 30 s.
	WriteTimeout time.Duration
	// ReplyTimeout is how long the place of a request is kept that a client does not answer. Default 30 s.
	ReplyTimeout time.Duration
}

// Options are a [Server]'s. The zero value is usable.
type Options struct {
	// Login says who a client is: see [listen.Login]. Default: everybody may come in, and nobody's identity is known.
	Login listen.Login

	Limits Limits

	// Shelf has the messages of the hub's own that clients may subscribe to. If it is nil, the hub has no such messages, and their
	// topics are like all others.
	Shelf Shelf

	// Budget bounds the memory of what is held for all clients. Default: one of [carrier.DefaultBudget], of this Server alone.
	Budget *carrier.Budget

	// Logger receives what no client can be told. Default: discarded.
	Logger *slog.Logger
}

const maxWindow = 32767 // half of the packet identifiers, so that each tells which message it is

func (o Options) withDefaults() Options {
	l := &o.Limits
	setDefault(&l.Window, 1024)
	l.Window = min(l.Window, maxWindow)
	setDefault(&l.MaxMessage, 1<<20)
	setDefault(&l.Sessions, 256)
	setDefault(&l.SessionTime, 30*24*time.Hour)
	setDefault(&l.Queue, 1000)
	setDefault(&l.QueueBytes, 1<<20)
	setDefault(&l.HelloTimeout, 10*time.Second)
	setDefault(&l.MessageTimeout, 30*time.Second)
	setDefault(&l.WriteTimeout, 30*time.Second)
	setDefault(&l.ReplyTimeout, 30*time.Second)
	if o.Budget == nil {
		o.Budget = carrier.NewBudget(0)
	}
	o.Logger = lockrank.Logger(cmp.Or(o.Logger, slog.New(slog.DiscardHandler)))
	return o
}

func setDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}
