// Package nowait reads and writes sockets that do not block, and does not tell Go's scheduler of each call.
//
// Before each system call, the scheduler wakes its watchdog if that sleeps, so that it can give the processor to others should the call
// take long. In a process that is idle between two events, this means for each event: a system call more, a thread more that wants
// a processor, and on a machine with two cores it gets the one on which the receiver of the event is about to run. A call that cannot
// wait is as short as any other function, so nobody need watch it.
//
// The watchdog does more: it interrupts goroutines that run for long, and looks for what the network has brought if nobody else does.
// So one call of a few tells the scheduler, and each that is long, and whoever has much to do is watched soon. Whoever is about to compute
// for long after a call or two says so with [Tell]. Where only one goroutine runs at a time, each call tells the scheduler: the others would
// wait for as long as that one takes.
package nowait
