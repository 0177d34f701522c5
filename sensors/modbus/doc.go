// Package modbus makes senders of devices that speak Modbus: meters, thermometers, relays on the two wires of an RS-485 bus (RTU), or
// behind a gateway on the network (TCP).
//
// A [Speaker] is the master of one bus, on a port that a [serial.Server] finds and opens. It asks one unit at a time, and keeps the line
// silent for 3.5 characters before each request. Package profile says what registers mean, package frame what is on the line.
//
// # Devices come and go
//
// A sender connects with the first answer of its unit. When the unit has not answered three times in a row, it disconnects, with the
// reason timeout. From then on the unit is asked ever more rarely, up to once a minute, until it answers. Whether it does or not, it
// costs the others one time-out a round at most: after one, nothing else is asked of it in the same round.
//
// # What counts as an answer
//
// Nothing in a frame on a serial line says which request it answers. So a unit that has not answered is left alone until three time-outs
// have passed since it was asked: an answer that comes late comes while nobody or another unit is asked, and is counted. On a network,
// answers have the number of their request.
//
// # Locks
//
// A Speaker's tally, what has arrived, and its present session have locks of rank lockrank.Leaf. Devices belong to the goroutine of
// Speak. Whoever asks the bus, a poll or a request, has its turn; nothing is called back meanwhile.
package modbus
