// Package endpoint runs one end of a serial line on a port, for the hub and for a device alike.
//
// # Concepts
//
//   - [Pump] moves bytes between a port and an [End] (pump.go). Its writer asks the end what is to be written now, so nothing
//     queues up behind a line that stands still.
//   - A [Messenger] carries the messages of one connection, and their answers (messenger.go).
//   - A [Queue] hands on what happens under a lock to the goroutine that tells the handler (queue.go). A [Notice] wakes a
//     goroutine.
//   - A [Mutex] may be held while something is logged (mutex.go).
package endpoint
