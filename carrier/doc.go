// Package carrier is the contract between sighub's routers and the media that carry their messages.
//
// A [Carrier] moves packed messages over one medium: in process, over TCP and Unix sockets, over serial
// lines, or over one that you write. Its peers are its [Client]s. A [Handler] (a router) receives what they
// say. A carrier never knows the router, and the router never knows the medium.
//
// A [Message] has an id, a method and params. It is answered by exactly one [Reply], which has the same id, a [Status],
// and either a response or an exception. Params and responses are [Value]s: bytes in a [Codec], [JSON] or [CBOR], which
// are not decoded on the way. [CheckValue] says which values can be carried in both.
//
// To write a carrier, implement [Carrier]: keep the clients in a [Clients], give each connection an [Exchange], pace
// reconnections with a [Backoff], and let carriertest.Run prove that every rule of the contract holds.
package carrier
