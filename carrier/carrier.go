package carrier

import "context"

// A Carrier moves messages between this process and its clients over one medium.
//
// Both ends of a medium are Carriers. The accepting end (a TCP server, the hub's side of serial ports) has any
// number of clients; the connecting end has one, the hub. The connecting end opens its connection again by
// itself, with a [Backoff], for as long as Serve runs; each connection is a new Client with a new ID.
type Carrier interface {
	// Serve delivers clients and their messages to h until ctx is done, then disconnects every client
	// (cause [ErrShutdown]), stops every goroutine it started and returns nil. It returns an error only when
	// the medium is lost for good, as when a listening socket fails. It is called once. No call on h starts
	// after Serve has returned.
	Serve(ctx context.Context, h Handler) error

	// Transmit sends one message to a client. The carrier chooses the message's id; m.ID is not looked at.
	//
	// It blocks only while the client's window of unanswered messages is full. It keeps nothing of the message:
	// what that is made of may be changed once Transmit has returned. A non-nil error means that
	// the message was not sent and done will never be called: [ErrNoClient] if there never was such a client,
	// [ErrGone] if it has gone, [ErrTooLarge] if the message is larger than the client takes, or ctx's error.
	//
	// After nil, done is called exactly once: with the client's reply, or with an error that wraps [ErrGone]
	// when the client goes first, or with ctx's error when ctx is done first (the message may still have been
	// received and acted upon). It may be called before Transmit returns. It runs on the goroutine that
	// reads from the client, in the order in which replies and messages arrive, so it must not block.
	//
	// Messages transmitted to one client one after the other arrive in that order. Transmit is safe for use
	// by several goroutines at once, before Serve and after it as well (there are then no clients).
	Transmit(ctx context.Context, id ClientID, m *Message, done func(Reply, error)) error
}

// A Handler receives what the clients of a carrier do. For one client, calls never overlap: ClientConnected,
// then HandleMessage for each of its messages in the order in which they arrived, then ClientDisconnected
// once. Calls for different clients may run at the same time.
//
// While a handler's method runs, nothing more is read from that client: that is how a handler slows a client
// down. Replies count as read, so a handler must not wait in HandleMessage for that client's own replies.
type Handler interface {
	// ClientConnected tells of a new client. Transmit to it works from here on.
	ClientConnected(c Client)

	// HandleMessage handles one message. It is answered by calling respond exactly once, before or after
	// HandleMessage returns, from any goroutine; later calls are ignored, and so is one for a client that
	// has gone. The carrier sets the reply's ID. The message and its bytes are the handler's to keep.
	HandleMessage(id ClientID, m *Message, respond func(Reply))

	// ClientDisconnected tells that a client has gone, and why: see [Reason]. Every message transmitted to
	// it and not answered has ended with an error, or will before Serve returns.
	ClientDisconnected(id ClientID, cause error)

	// AllClientsDisconnected is the last call a carrier makes: its medium is closed, and every client was
	// told of by ClientDisconnected before.
	AllClientsDisconnected(cause error)
}

// ClientID names a client among all that a carrier has had; it is never used again for another.
type ClientID uint64

// A Client is one peer of a carrier: a TCP connection, or one device on one serial line.
type Client struct {
	ID ClientID

	// Name is what the client calls itself; empty when it has not said.
	Name string

	// UID is the client's lasting identity, the same when it comes back on another port or address; empty
	// when it has none. Two clients that are connected at the same time never share one.
	UID string

	// Addr is where the client is, for people to read: "tcp://127.0.0.1:53124", "serial:///dev/ttyUSB0".
	Addr string

	// Codec is the one in which messages to the client are packed; values that are already encoded in it
	// travel as they are.
	Codec Codec

	// Hello is true for a client that said hello: it takes many messages at a time, and understands times,
	// numbers and gaps. One that did not is a legacy client.
	Hello bool

	// Window is how many unanswered messages the client takes at a time; 0 where the medium counts otherwise.
	Window int

	// Signals takes signals to the client as a stream: see [SignalHandler]. Nil: they travel as messages.
	Signals SignalSink

	// Naming says what the hub calls the client's senders: a text in which {sender} stands for the name the
	// client gave and {device} for the client's Name. Empty means "{sender}".
	Naming string
}

// A Disconnecter is a Carrier that can end a client's connection: an ability that not every medium has.
type Disconnecter interface {
	// Disconnect ends the client's connection; ClientDisconnected follows with this cause. A client that
	// has gone already is left alone.
	Disconnect(id ClientID, cause error)
}

// An Upstream is a Carrier whose clients report, and keep what is not acknowledged: devices. A router that ends
// serving lets it end first, so that what the clients have reported is handed on and acknowledged.
type Upstream interface {
	Carrier
	// Upstream does nothing: a carrier has it to say that it is one.
	Upstream()
}
