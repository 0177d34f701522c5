// Package tcp carries messages over TCP and Unix sockets: [Listen] makes the hub's end, [NewClient] the end of
// one that connects to a hub. Both are [carrier.Carrier]s.
//
// # Two dialects on one port
//
// The first byte that a client sends selects its dialect. The hub answers in the same one.
//
// JSON begins with { or white space. The stream is a sequence of JSON objects. They are read however they are split or
// joined on the way, and written one per line.
//
// CBOR begins with D9 D9 F7, the tag of self-described CBOR. The tag may precede any item; the hub does not send it.
// The stream is a CBOR sequence (RFC 8742) of byte strings, each of which holds one message.
// The keys of a message are names or small integers (see [carrier.Keys]); a client whose first message has
// integers gets integers.
//
// # Hello
//
// A client's first message may be hello, with the params protocol (1), name, window and max_message. The hub
// answers with protocol, name, version, window (the smaller of what was asked and what it grants) and
// max_message. From then on each end may have as many messages unanswered as the window says, each at most as
// large as the other end's max_message.
//
// With signals in both, a number of signals that may be unanswered, signals travel as streams of their own: see
// [carrier.SignalHandler], and carrier/signalpack.go for the packets. Both ends' handlers must take them.
//
// A client that does not say hello is a legacy client: it takes what one recv of 4,096 bytes returns for one
// message, and cannot split two that arrive together. It gets one message per write, one unanswered message at
// a time, and no write before it has shown that it read the one before, or has had time to.
//
// # When something is wrong
//
// What cannot be unpacked is answered with an error reply, with the message's id where that is known and null
// where it is not: [carrier.StatusMalformed], or [carrier.StatusTooLarge] for what exceeds [Limits].MaxMessage,
// which is skipped and never held in memory. The connection stays open unless the end of the damaged message
// is uncertain: when JSON is not valid, or a CBOR item is not a byte string.
package tcp
