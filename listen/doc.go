// Package listen is the one place where a hub accepts connections. A [Server] listens at any number of addresses, TCP and
// Unix sockets, and speaks with strangers until it knows which protocol they want; then it hands the connection on.
//
// # One port for all protocols
//
// The first byte that a client sends decides which protocol it speaks: each [Protocol] says which bytes it begins with. The
// protocols take their connections from the net.Listener that [Server.Protocol] returns, and check the rest themselves. TLS
// is one such first byte: inside of it, the same question is asked again. HTTP and MQTT get a plain answer if no protocol is
// there for them, and anything else that is not known is closed.
//
// # Strangers
//
// A connection is a stranger's until its protocol calls [Conn].Admit. What strangers may cost is bounded here, for all
// protocols alike: the time until they are admitted, the bytes that are read until then, and how many there are, in all and
// from one place. When there are too many, the newcomer is let in, and the oldest of the place that has most of them goes. So
// strangers that are slow or silent keep nobody out. How many connections there may be at all is bounded, too; strangers make
// way for others, and others stay.
package listen
