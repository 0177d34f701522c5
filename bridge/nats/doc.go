// Package nats passes a hub's events on to a stream of NATS JetStream, and brings the senders of other hubs from there.
//
// # Up
//
// Each event of the hub's journal becomes a message with the subject
//
//	sighub.<hub>.<device>.<sender>.<event>[.late]
//
// whose data is JSON, and whose headers have the rest: see [Header]. The events of a sender are in the stream once and in their order,
// however long the server, the line or the hub was away, provided that the hub alone writes there. This is how:
//
//   - A connection that is lost is not continued. Everything begins again, as at the start of the program: the bridge asks the stream for
//     the hub's last message, which says what of the journal is there, and goes on behind it.
//   - Events are published in batches of the kind that the server calls fast, one batch at a time. The server takes each message of a
//     batch only behind the one before it. So there is never a hole, as there would be if one of many messages on their
//     way were refused and a later one taken.
//   - So the order of the stream is that in which the hub has sent, and a message can say in its header what was sent before it:
//     everything up to a position, and, with [Options.Live], what went ahead of that.
//   - The server stores the first message of a batch only behind the message that the hub takes for its last one.
//   - The journal's cursor moves on what the server acknowledges, and on nothing else.
//
// # Down
//
// For each other hub that is heard, this hub has a client whose senders are the senders of that hub: see [Options.Hear]. Each hub says
// every few seconds that it is there. If it does not for a while, its senders are disconnected here, with the reason timeout. Requests go
// to far senders by NATS's request and reply.
package nats
