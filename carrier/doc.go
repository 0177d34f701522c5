// Package carrier is the contract between sighub's routers and the media that carry their messages.
//
// A [Carrier] moves packed messages over one medium: in process, over TCP and Unix sockets, over serial
// lines, or over one that you write. Its peers are its [Client]s. A [Handler] (a router) receives what they
// say. A carrier never knows the router, and the router never knows the medium.
//
// A [Message] has an id, a method and params; it is answered by exactly one [Reply] with the same id, a
// [Status] and either a response or an exception. What travels inside them is a [Value]: bytes in a [Codec],
// [JSON] or [CBOR], that nobody decodes on the way.
//
// To write a carrier: implement [Carrier], keep the outstanding messages of each client in a [Calls], pace
// reconnections with a [Backoff], and let carriertest.Run prove that every rule of the contract holds.
package carrier
