// Package port opens serial ports. It needs nothing but the port's path and its rate, and stands alone: programs that speak
// some other protocol over a serial line can use it, too.
//
// # Concepts
//
//   - A [Port] is an open serial port: raw bytes, 8 data bits, no parity, one stop bit, no flow control. Unlike with many
//     libraries, Close wakes a Read and a Write at once, and an adapter that is pulled ends a Read.
//   - What only some ports can do is an interface of its own: [RateSetter], [ModemSetter], [Drainer].
//   - An [Opener] opens ports. [Open] is the native one; [NewOpener] has others, which use a library.
//   - [Remedy] says what a user can do if a port cannot be opened, [Gone] whether it is there at all.
//   - A [PTY] is a pseudo terminal: a port without hardware, for simulators and tests.
//
// Package discovery finds out which ports there are.
package port
