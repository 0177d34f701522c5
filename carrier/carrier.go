package carrier

import (
	"context"
	"time"
)

// A Carrier moves messages between this process and its clients over one medium.
//
// Both ends of a medium are Carriers. The accepting end (a TCP server, the hub's side of serial ports) has any number of
// clients; the connecting end has one, the hub. The connecting end connects again by itself, waiting between its tries
// as a [Backoff] does, for as long as Serve runs. Each connection is a new Client with a new ID.
//
// A client that is silent for longer than the medium allows is disconnected with [ErrTimeout]. On a medium with such a
// limit, each end sends something often enough while it has nothing to say. On a medium that loses or repeats what it
// carries, each end sends again what was lost, and handles what comes twice once.
//
// What a client sends costs a bounded amount of memory: the size of a message, its nesting ([MaxDepth]), and how many
// messages and replies wait. What exceeds a bound is refused with a reply, or ends the client's connection.
//
// The constructor opens what the accepting end listens at, so that it can fail before anything runs; its error says what
// to do. A carrier that may never be served has a Close that releases it. One that takes its address from the system, as
// with port 0, returns it from Addr.
type Carrier interface {
	// Serve delivers clients and their messages to h until ctx is done, then disconnects every client with the cause
	// [ErrShutdown], stops every goroutine it started and returns nil. A client's other end is told [ErrClosed], where
	// the medium can tell it. Messages and replies that were not written by then may be lost.
	//
	// Serve returns an error only when the medium fails for good, as when a listening socket is lost; it disconnects
	// every client first, as above, but with that error as the cause. A failure that may pass is waited out with a
	// [Backoff]. Serve is called once. No call on h starts after Serve has returned.
	Serve(ctx context.Context, h Handler) error

	// Transmit sends one message to a client. The carrier chooses the message's id and ignores m.ID.
	//
	// Transmit blocks only while the client's window of unanswered messages is full. It keeps nothing of the message,
	// which may be changed once Transmit has returned. A non-nil error means that the message was not sent and that
	// done will never be called: [ErrNoClient] if there never was such a client, [ErrGone] if it has gone,
	// [ErrTooLarge] if the message is larger than the client takes, ctx's error, or why the message cannot be packed.
	//
	// After nil, done is called exactly once: with the client's reply; with an error that wraps [ErrGone] if the client
	// goes first; or with ctx's error if ctx is done first. In that case the message may still be received and acted
	// upon, and it keeps its place in the window until the client answers it.
	//
	// With a reply, done runs on the goroutine that reads from the client, in the order in which replies and messages
	// arrive. With an error, it runs on whatever goroutine finds the error, and perhaps while a method of the handler
	// runs. It may be called before Transmit returns. It must not block.
	//
	// Messages transmitted to one client one after the other arrive in that order. Transmit is safe for use by several
	// goroutines at once, in every method of the handler, before Serve and after it as well (there are then no
	// clients).
	Transmit(ctx context.Context, id ClientID, m *Message, done func(Reply, error)) error
}

// A Handler receives what the clients of a carrier do. For one client, calls never overlap: ClientConnected, then
// HandleMessage for each of its messages in the order in which they arrived, then ClientDisconnected once. Calls for
// different clients may run at the same time. A carrier holds no lock during a call.
//
// While a handler's method runs, nothing more is read from that client: that is how a handler slows a client down.
// Replies count as read, so a handler must not wait in HandleMessage for that client's own replies, nor for room in its
// window.
type Handler interface {
	// ClientConnected reports a new client. Transmit to it works from here on.
	ClientConnected(c Client)

	// HandleMessage handles one message. The handler answers it by calling respond exactly once, before or after
	// HandleMessage returns, from any goroutine. The carrier ignores further calls, without packing their replies, and
	// calls for a client that has gone, also if that client is back.
	//
	// respond does not wait for the client. The carrier sets the reply's ID. It replaces a reply that cannot be packed
	// by one with [StatusFailed], and one that is too large by one with [StatusTooLarge]. It answers what is not a
	// message itself, with [StatusMalformed]. The message and its bytes are the handler's to keep.
	HandleMessage(id ClientID, m *Message, respond func(Reply))

	// ClientDisconnected reports that a client has gone. The cause is [ErrClosed] if the client ended the connection,
	// [ErrUnplugged] if the line failed, where the medium can tell the two apart; [ErrTimeout] if the client was
	// silent; [ErrReset] if it was restarted; [ErrMalformed] if it broke the protocol; [ErrShutdown] if this end stops;
	// or what was given to Disconnect. See [Reason]. Every message transmitted to the client and not answered has ended
	// with an error, or will before Serve returns.
	ClientDisconnected(id ClientID, cause error)

	// AllClientsDisconnected is the last call a carrier makes: its medium is closed, and ClientDisconnected was called
	// for every client.
	AllClientsDisconnected(cause error)
}

// ClientID names a client among all that a carrier has had; it is never used again for another.
type ClientID uint64

// OwnIdentity is the identity of a client that is part of the program that runs the hub, such as its watchdog. Nobody can log in as it.
const OwnIdentity = "the hub itself"

// A Client is one peer of a carrier: a TCP connection, or one device on one serial line.
type Client struct {
	ID ClientID

	// Name is what the client calls itself; empty when it has not said.
	Name string

	// UID is the client's lasting identity, the same when it comes back on another port or address; empty
	// when it has none. Two clients that are connected at the same time never share one.
	UID string

	// Identity says who the client has proven to be, for rules about what it may do; the program that runs the hub knows its
	// forms. Empty: nobody that is known.
	Identity string
	// Proven is a time before which the client had not proven it, by this machine's clock: when the carrier began to ask. A client is
	// disconnected whose proof was revoked since then: see hub.ServerRouter.Expel. The zero Time: the proof is not one that can be
	// revoked alone.
	Proven time.Time
	// Session names the session in which the client has proven it, without its secret: those of one session end together. Empty: it was
	// not proven by one.
	Session string

	// Addr is where the client is, for people to read: "tcp://127.0.0.1:53124", "serial:///dev/ttyUSB0".
	Addr string

	// Codec is the one in which messages to the client are packed; values that are already encoded in it
	// travel as they are.
	Codec Codec

	// Hello reports whether the client understands times, numbers and gaps, and takes many messages at a time. On a
	// medium with a handshake the carrier sets it for a client that has said hello; one that has not is a legacy
	// client. On a medium without legacy clients the carrier always sets it. So does the connecting end for its hub.
	Hello bool

	// Refused counts what is refused of the client. A carrier that refuses something itself gives its counts, and the handler
	// adds to them. Nil: the carrier has none.
	Refused *Refusals

	// Window is how many unanswered messages the client takes at a time. Transmit blocks when there are as many, and not
	// before. It is 0 if the medium limits messages in another way.
	Window int

	// Signals takes signals to the client as a stream: see [SignalHandler]. Nil: they travel as messages.
	Signals SignalSink

	// Reader lends the goroutine that reads from the client. Nil: it cannot be lent.
	Reader Reader

	// Account bounds what the client makes the program hold: the carrier's part and the hub's. The carrier opens and closes
	// it; the hub shares it for as long as it holds something. Nil: the carrier counts nothing, and the hub makes an account of
	// its own.
	Account *Account
	// Restricted reports whether the client may only do what every client may, and what May says: see [Rights].
	Restricted bool
	May        Rights

	// Naming says what the hub calls the client's senders: a text in which {sender} stands for the name the
	// client gave and {device} for the client's Name. Empty means "{sender}".
	Naming string
}

// A Reader is the goroutine that reads from a client. Between two reads it can do what the first one has led to, so that no other
// goroutine need be woken for that.
type Reader interface {
	// Lend has f called by the goroutine that reads, when all that has arrived together is handled. It is called by a method of the
	// handler. f may wait for anything: if it takes longer than some milliseconds, another goroutine reads on. Lend returns false, and
	// f is not called, where a goroutine of its own is better: while others wait for answers of the client, and for some time after such
	// functions have taken long. Functions run in the order in which they were lent the goroutine, or on
	// goroutines of their own if those before them take long. Serve returns when all have returned.
	Lend(f func()) bool

	// Resume has another goroutine read on, if the one that reads is in such an f. Whoever is about to wait for something that the
	// client sends, and has asked for it, calls Resume; f may lead there.
	Resume()
}

// A Disconnecter is a Carrier that can end a client's connection: an ability that not every medium has.
type Disconnecter interface {
	// Disconnect ends the client's connection; ClientDisconnected follows with this cause. It does nothing for a client
	// that has gone already.
	Disconnect(id ClientID, cause error)
}

// A RefusedHandler is a Handler that is told, at the end that connects, when the hub does not let this end in.
type RefusedHandler interface {
	Handler
	// ClientRefused reports that the hub does not let this end in, in its own words; the error wraps [ErrDenied]. The carrier tries
	// again later.
	ClientRefused(err error)
}

// A Trier is a Carrier that can transmit without ever waiting, so that this needs no goroutine of its own.
type Trier interface {
	// TryTransmit is Transmit if that would not wait. Otherwise it does nothing and returns false. The message is written with
	// others if it has a Together.
	TryTransmit(id ClientID, m *Message, done func(Reply, error)) (ok bool, err error)
}

// A Prober is a Carrier that can find out whether a client has vanished without a word: an ability that not every medium needs.
type Prober interface {
	// Probe has the carrier look whether the client is still there, and returns at once. A client that has vanished is disconnected
	// within some seconds; one that is there is not harmed, however busy it is.
	Probe(id ClientID)
}

// A Sharer is a Carrier that passes on what one of its clients publishes in the name of a sender that another one has, as clients of a broker
// publish at the same topics: an ability that most media do not have. If a client adds a sender that another client of its carrier has,
// and the rules allow it that sender and its events, the response is {"client": the other one's ClientID}, and nothing is added.
type Sharer interface {
	// Shares does nothing.
	Shares()
}

// A Relay is a Carrier whose clients are other hubs, which pass on what happens there. They tell of gaps as well: of what was lost on the way.
type Relay interface {
	// Relays does nothing.
	Relays()
}

// A Reporter is a Carrier whose clients may be devices, which report readings and keep what is not acknowledged. A router
// that stops serving stops reporters first, so that what their clients have reported is passed on and acknowledged.
type Reporter interface {
	Carrier
	// Reports reports whether the clients keep what they report until it is acknowledged.
	Reports() bool
}
