package listen

import (
	"cmp"
	"io/fs"
	"log/slog"
	"net"
	"time"

	"sighub/internal/lockrank"
	"sighub/listen/keys"
)

// Options are a [Server]'s. For each number and time, zero or less stands for the default.
type Options struct {
	// Addresses is where to listen.
	Addresses []Address

	// Listeners are listening sockets that were opened by others, and belong to the Server from now on. What is at the other
	// end counts as by the addresses of their connections.
	Listeners []net.Listener

	// MaxConns is how many connections may be open at once, those of strangers included. Programs of this machine may have
	// nearly all of them, and so may those of others: a sixteenth is left for the others. Default 10,000.
	MaxConns int

	// MaxPerAddress is how many of them may come from one IP address, or one IPv6 network of 64 bits. A user of a Unix socket
	// and all programs that connect over loopback count as one address, which may have nearly all. Default half of MaxConns,
	// and at least 64.
	MaxPerAddress int

	// MaxStrangers is how many connections from other machines may be strangers' at once, and MaxStrangersPerAddress how many
	// from one IP address or IPv6 network of 64 bits. Half of MaxConns bounds both. When there are as many, the oldest one makes
	// way for the next. Defaults 256 and 64.
	MaxStrangers, MaxStrangersPerAddress int

	// StrangerTime is how long a stranger has from connecting until it is admitted. Default 10 s.
	StrangerTime time.Duration

	// StrangerBytes is how many bytes are read from a stranger on another machine, in all. Default 16 KiB.
	StrangerBytes int

	// Strict holds programs of this machine to MaxStrangers and StrangerBytes, too. Otherwise, only StrangerTime holds for them,
	// and half of MaxConns may be their strangers: whoever trusts all programs of the machine needs no more.
	Strict bool

	// WriteTimeout is how long bytes that were written may stay unacknowledged by the other end's system, where it can be said
	// (TCP_USER_TIMEOUT). Default 30 s.
	WriteTimeout time.Duration

	// Certificate is what is shown in TLS. It is renewed while the Server serves. Default: TLS is not spoken.
	Certificate *keys.Certificate

	// Changed receives, if it has room, whenever a connection has come or gone. Default: nobody is told.
	Changed chan<- struct{}

	// Logger receives what cannot be told to a stranger. Default: discarded.
	Logger *slog.Logger
}

// An Address is where a [Server] listens.
type Address struct {
	// At is "tcp://HOST:PORT", "HOST:PORT" or "unix:///PATH". Port 0 takes a free one. A socket file that is left from a program
	// that has ended is replaced; the Server removes its own when it ends, unless it is another program's by then.
	At string

	// Mode says who may connect to a Unix socket: who may write to its file. Default 0600, the user of this program; with a
	// Group 0660.
	Mode fs.FileMode

	// Group is the group of a Unix socket's file, by name or number. Default: the system's choice.
	Group string

	// TLS says whether TLS is spoken here. Default: [Offered].
	TLS TLS

	// Speaks are the names of the protocols that are spoken here. Default: all.
	Speaks []string

	// ByAddress says that old programs may connect here that cannot say who they are, so an address is taken for an identity. Such
	// programs may also be silent for as long as they like before they say something: only from then on is the time of a stranger
	// bounded here.
	ByAddress bool
}

func (o Options) withDefaults() Options {
	setDefault(&o.MaxConns, 10_000)
	setDefault(&o.MaxPerAddress, max(64, o.MaxConns/2))
	setDefault(&o.MaxStrangers, 256)
	setDefault(&o.MaxStrangersPerAddress, 64)
	setDefault(&o.StrangerTime, 10*time.Second)
	setDefault(&o.StrangerBytes, 16<<10)
	setDefault(&o.WriteTimeout, 30*time.Second)
	o.Logger = lockrank.Logger(cmp.Or(o.Logger, slog.New(slog.DiscardHandler)))
	return o
}

func setDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}
