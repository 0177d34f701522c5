package tcp

import (
	"cmp"
	"context"
	"io/fs"
	"log/slog"
	"net"
	"time"

	"sighub/carrier"
	"sighub/internal/lockrank"
	"sighub/listen"
	"sighub/listen/keys"
)

// Protocol is the version of the protocol that hello asks for and grants.
const Protocol = 1

// ALPN is what the protocol is called in TLS.
const ALPN = "sighub/1"

// Limits bound what one connection may cost. For each of them, zero or less stands for the default.
type Limits struct {
	// Window is how many messages each end may have unanswered, after hello: at the hub's end the most that
	// is granted, at the client's what is asked for. Default 1024.
	Window int

	// Signals is how many events each end may have unanswered, where hello agrees to streams of signals: at the
	// hub's end the most that is granted, at the client's what is asked for. A client that asks for fewer holds
	// fewer in its memory; the others wait in the hub, under their listener's policy. Default 32,768.
	Signals int

	// MaxMessage is the size in bytes of the largest message or reply that is read. Default 1 MiB.
	MaxMessage int

	// MaxOutstanding is how many messages may be read before their replies are written. Beyond it, reading stops. It must
	// be larger than Window, or two ends can wait for each other. Default twice the window that was granted, and 64 for a
	// legacy client.
	MaxOutstanding int

	// MaxPending is how many bytes may wait to be written to one peer. Beyond it, Transmit treats the peer's window as
	// full, and the hub stops reading from that client. Beyond twice as many, replies are replaced by
	// [carrier.StatusLimit]. Default 4 times MaxMessage.
	MaxPending int

	// WriteTimeout is how long a peer may read nothing while something waits to be written to it, before it
	// is disconnected with [carrier.ErrTimeout]. What waits at a time must be read within four times as long. Default 30 s.
	WriteTimeout time.Duration

	// HelloTimeout is how long a client may take from connecting until its first message is complete. Only the hub's end
	// asks that. Default 10 s.
	HelloTimeout time.Duration

	// MessageTimeout is how long a client may take from the first byte of a message to its last. Only the hub's end asks
	// that. Default 30 s.
	MessageTimeout time.Duration

	// LegacyGap is the pause between two writes to a legacy peer, in which it can read the first one, if no reply proves
	// that it has. Default 20 ms.
	LegacyGap time.Duration

	// ReplyTimeout is how long a legacy peer may take to reply; then the next message may go to it.
	// Default 10 s.
	ReplyTimeout time.Duration
}

func (l Limits) withDefaults() Limits {
	setDefault(&l.Window, 1024)
	setDefault(&l.Signals, 32768)
	setDefault(&l.MaxMessage, 1<<20)
	setDefault(&l.MaxPending, 4*l.MaxMessage)
	setDefault(&l.WriteTimeout, 30*time.Second)
	setDefault(&l.HelloTimeout, 10*time.Second)
	setDefault(&l.MessageTimeout, 30*time.Second)
	setDefault(&l.LegacyGap, 20*time.Millisecond)
	setDefault(&l.ReplyTimeout, 10*time.Second)
	return l
}

// Options are a [Server]'s. The zero value is usable.
type Options struct {
	// Name and Version are what the hub calls itself in its answer to hello. Defaults "sighub" and "devel".
	Name, Version string

	// MaxClients is how many connections may be open at once, including those that have not said anything yet. One of these
	// makes way for the next one. If all have said something, the next one is closed at once. Default 10,000.
	MaxClients int

	// MaxPerAddress is how many of them may come from one IP address, or one IPv6 network of 64 bits. A user of a Unix socket
	// and all programs that connect over loopback count as one address, which may have nearly all of MaxClients. Default half
	// of MaxClients, and at least 64.
	MaxPerAddress int

	// SocketMode says who may connect to a Unix socket: who may write to its file. Default 0600, the user of this program; with
	// a SocketGroup 0660.
	SocketMode fs.FileMode

	// SocketGroup is the group of a Unix socket's file, by name or number. Default: the system's choice.
	SocketGroup string

	// Certificate is what is shown in TLS, which clients may speak then, at the same address. Default: they may not.
	Certificate *keys.Certificate

	// Login says who a client is, which its [carrier.Client].Identity tells then, and refuses those who may not come in. It is
	// asked once for each connection: when the client says hello, or says something else first. Default: everybody may come in,
	// and nobody's identity is known.
	Login listen.Login

	// ByAddress says that an address is taken for an identity by Login, for old programs: see [listen.Address].
	ByAddress bool

	Limits Limits

	// Budget bounds the memory of what is held for all clients: messages that are not complete or not answered, and what
	// waits to be written. Default: one of [carrier.DefaultBudget], of this Server alone.
	Budget *carrier.Budget

	// Logger receives what no client can be told. Default: discarded.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	setDefault(&o.MaxClients, 10_000)
	setDefault(&o.MaxPerAddress, max(64, o.MaxClients/2))
	if o.Budget == nil {
		o.Budget = carrier.NewBudget(0)
	}
	o.Name = cmp.Or(o.Name, "sighub")
	o.Version = cmp.Or(o.Version, "devel")
	o.Logger = lockrank.Logger(cmp.Or(o.Logger, slog.New(slog.DiscardHandler)))
	o.Limits = o.Limits.withDefaults()
	return o
}

// ClientOptions are a [Client]'s. The zero value is usable.
type ClientOptions struct {
	// Name is what the client calls itself in hello.
	Name string

	// Codec is the dialect to speak: [carrier.CBOR], [carrier.CBORText] or [carrier.JSON]. Default CBOR; a
	// hub that knows no hello needs JSON.
	Codec carrier.Codec

	// TLS, if not nil, has the client speak TLS, as it does for every address that begins with tls://.
	TLS *TLS

	// Dial connects to the hub in another way than by the address, which is then only shown to people. What comes over the
	// connection is what would come over TCP. Default: nil.
	Dial func(ctx context.Context) (net.Conn, error)

	// Token, if not empty, proves to the hub who the client is. It is said over TLS, to this machine, or not at all.
	Token string

	// RefusedPause is how long the next try waits after the hub has refused to let the client in. Default 1 minute.
	RefusedPause time.Duration

	// DialTimeout is how long one try to connect may take, including the answer to hello. Default 5 s.
	DialTimeout time.Duration

	// Failed, if not nil, is called after each try to connect that failed, from the goroutine that runs
	// Serve; the next try follows by itself.
	Failed func(error)

	// Backoff paces the tries. The default waits from 100 ms to 5 s.
	Backoff carrier.Backoff

	Limits Limits

	// Logger receives what the hub cannot be told. Default: discarded.
	Logger *slog.Logger
}

func (o ClientOptions) withDefaults() ClientOptions {
	setDefault(&o.DialTimeout, 5*time.Second)
	setDefault(&o.RefusedPause, time.Minute)
	o.Codec = cmp.Or(o.Codec, carrier.CBOR)
	if o.Failed == nil {
		o.Failed = func(error) {}
	}
	o.Logger = lockrank.Logger(cmp.Or(o.Logger, slog.New(slog.DiscardHandler)))
	o.Limits = o.Limits.withDefaults()
	return o
}

func setDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}
