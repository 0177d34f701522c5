// Package tcp carries messages over TCP and Unix sockets: [Listen] makes the hub's end, [NewClient] the end that connects
// to a hub. Both are [carrier.Carrier]s.
//
// # Two dialects on one port
//
// The first byte that a client sends decides which dialect it speaks. The hub answers in the same dialect.
//
// JSON begins with { or white space. The stream is a sequence of JSON objects. They are read however they are split or
// joined on the way, and written one per line.
//
// CBOR begins with D9 D9 F7, the tag of self-described CBOR. The tag may precede any item; the hub does not send it.
// The stream is a CBOR sequence (RFC 8742) of byte strings, each of which holds one message.
// The keys of a message are names or small integers (see [carrier.Keys]); a client whose first message has
// integers gets integers.
//
// A hub may speak TLS at the same port, and a client then knows it by the pin of its key: see [Options].Certificate and
// [ClientOptions].TLS. Connections come from package listen, which also bounds strangers.
//
// # Hello
//
// A client's first message may be hello, with the params protocol (1), name, window and max_message. The hub
// answers with protocol, name, version, window (the smaller of what was asked and what it grants) and
// max_message. From then on each end may have as many messages unanswered as the window says, each at most as
// large as the other end's max_message.
//
// A hub may ask who a client is, see [Options].Login. A client says so in hello, by a token or what it was invited with, or its connection
// tells it. Whoever may not come in is told so with [carrier.StatusDenied]. See also [Pair].
//
// Both may also have signals, the number of signals that may be unanswered. Signals then travel as streams of their own,
// if the handlers of both ends are [carrier.SignalHandler]s. The packets are in carrier/signalpack.go.
//
// A client that does not say hello is a legacy client. It takes the bytes that one recv of 4,096 bytes returns as one
// message, and cannot split two messages that arrive together. So each write has one message, one message is unanswered
// at a time, and the next write waits until a reply shows that the client has read the one before, or until the client
// has had time to read it.
//
// # When something is wrong
//
// A message that cannot be unpacked is answered with [carrier.StatusMalformed]. A message that exceeds
// [Limits].MaxMessage is answered with [carrier.StatusTooLarge]; it is skipped, and never held in memory. The reply has
// the message's id or, if that is unknown, null. The connection stays open unless the end of the damaged message cannot
// be found for sure: when JSON is not valid, or a CBOR item is not a byte string.
//
// # What a client may cost
//
// What the hub's end holds for a client is charged to its account in [Options].Budget: messages that are not complete or not
// answered, buffers, and what waits to be written. A message that cannot be charged is refused with [carrier.StatusLimit]. A
// client that does not read its replies is not read from, and is disconnected when it takes too long, as is one that does
// not complete what it has begun to say: see [Limits]. [Stats] counts all of these by cause.
package tcp
