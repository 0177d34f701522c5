// Package lockrank holds the order in which locks are taken.
//
// Two goroutines that take the same two locks in opposite orders wait for each other for ever, but only when they happen
// to meet. So each lock has a rank, and a goroutine that holds one may take only locks of higher ranks. The ranks are in
// ranks.go, in their order: that file is the place to look when a lock is added.
//
// A [Mutex] names its rank in its type, so that its zero value is ready for use:
//
//	mu lockrank.Mutex[lockrank.Outbox]
//
// In a program it is a sync.Mutex and nothing else. Built with the tag lockrank, as the tests are, it remembers what each
// goroutine holds, and panics when the order is broken. [MustBeFree] marks what may take its time, such as a callback, and so
// must not run under any lock; [Logger] marks a whole log.
package lockrank
