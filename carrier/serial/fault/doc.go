// Package fault is a serial line that misbehaves, for tests and for whoever wants to see what their hub does about it.
// It flips bits, loses, doubles and invents bytes, drops and repeats frames, delays, keeps to a baud rate, is cut and
// mended, and prints what microcontrollers print when they start. All chance comes from a seed.
//
// # Parts
//
// A [Line] is one direction of a line. It has no time of its own and no goroutine: it is told what time it is, so that
// tests can run it in virtual time. [Cuts] say, in the same manner, when a line is cut and when it is mended. A [Cable]
// is made of two lines and such cuts, and opens ports that behave accordingly, in real time: it stands between whoever
// opens a port and what really opens it.
//
//	cable, err := fault.New(options)
//	...
//	port, err := cable.Open(fault.HubEnd, func() (io.ReadWriteCloser, error) { return os.OpenFile(...) })
//
// # What is alike on every run
//
// What becomes of a byte depends on the seed, and on the bytes that came before it in its direction: not on how they
// were split into writes and reads, and not on the time. Each kind of harm has a chance of its own, so that one more
// kind changes nothing about where the others strike. When the line is cut depends on the seed, and on when it was
// first used.
//
// # Frames
//
// A frame is what stands between two zero bytes, in the bytes as they were sent.
package fault
