// Package web speaks HTTP, and carries messages over WebSockets: [On] and [New] make the hub's end, which also hands every
// other request of HTTP on to a handler; [Dial] makes a connection for a [tcp.Client].
//
// # A WebSocket is a stream
//
// What comes in the messages of a WebSocket, one after the other, is the stream that package tcp specifies: the same messages, hello,
// limits and streams of signals. So a WebSocket is to package tcp what TLS is to it: one more way in which bytes may come. The
// client names the dialect as a subprotocol, [JSON] or [CBOR]; a client that names none speaks JSON. JSON comes in text
// messages and CBOR in binary ones. A message of a WebSocket that the hub writes ends where a packet ends; what the client writes
// may be split in any way.
//
// There is no compression: it costs memory for each connection, and what the hub tells is short.
//
// # Who is let in
//
// A browser that shows a page of somebody else must not reach the hub, neither through a name that suddenly means the hub's
// address (DNS rebinding) nor across sites. So a request is answered if its Host is an IP address, localhost, the name of this
// machine, or in [Options].Hosts; and a WebSocket, or a request that changes something, if its Origin is the same as its Host, or
// in Hosts. Programs say no Origin.
package web
