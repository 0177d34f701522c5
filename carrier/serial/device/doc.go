// Package device is the device's side of a serial line in Go, for simulators and tests.
//
// # Concepts
//
// A [Device] is a [carrier.Carrier] whose one client is the hub. It opens its port, says HELLO until the hub answers, and
// opens the port again whenever it is lost.
//
// Its [Sender] values are its dictionary: the names of its events and requests, which travel as numbers. [Device.Report]
// reports a reading of one of these events. Readings wait in a ring until the hub has acknowledged them, over lost
// connections and over resets that leave the device its memory ([Device.Reset]). Requests reach the handler as messages.
//
// What goes over the line is specified in firmware-protocol.md at the repository's root.
package device
