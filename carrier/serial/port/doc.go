// Package port opens serial ports. It needs nothing but the port's path and its rate, and does not depend on the rest of
// this module, so programs that speak another protocol over a serial line can use it, too.
//
// # Concepts
//
//   - A [Port] is an open serial port: raw bytes, 8 data bits, no parity, one stop bit, no flow control, unless [Settings] say
//     something else. Close
//     ends a Read and a Write at once, which many libraries do not do. An adapter that is pulled also ends a Read.
//   - What only some ports can do is an interface of its own: [RateSetter], [ModemSetter], [Drainer].
//   - An [Opener] opens ports. [Open] is the native one; [NewOpener] has others, which use a library. A [ModemOpener] can keep
//     modem lines down from the beginning, a [SettingsOpener] takes all [Settings].
//   - [Remedy] says what a user can do if a port cannot be opened, [Gone] whether it is there at all.
//   - A [PTY] is a pseudo terminal: a port without hardware, for simulators and tests.
//
// Package discovery finds out which ports there are.
package port
