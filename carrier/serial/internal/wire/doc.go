// Package wire is what goes over a serial line, byte for byte, as firmware-protocol.md at the repository's root specifies
// it. Nothing here waits, runs by itself or remembers a session; both ends of a line use it.
//
// # Concepts
//
//   - A [Frame] is a control byte, a payload and a CRC, byte-stuffed so that a zero ends it (frame.go, cobs.go, crc.go).
//     A [Deframer] finds the frames in what is read, a [Transmitter] gathers those to be written.
//   - [Hello] and [Welcome] are the payloads that begin a session: the device's and the hub's (hello.go).
//   - A [Dictionary] gives the names of a device's senders, events and requests small numbers (dictionary.go).
//   - A [Reading] is one of an EVT frame's readings; a [Timeline] makes its ticks short (readings.go, scale.go).
//   - Messages and replies are CBOR in MSG and REP frames (message.go). [Items] reads CBOR item by item (items.go).
package wire
