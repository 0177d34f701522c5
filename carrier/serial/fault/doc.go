// Package fault is a serial line that misbehaves, for tests, and to see what a hub does about it.
// It flips bits, loses, doubles and invents bytes, drops and repeats frames, delays, keeps to a baud rate, is cut and
// mended, and prints what microcontrollers print when they start. All random numbers come from a seed.
//
// # Concepts
//
// A [Line] is one direction of a line. It has no goroutine, and the time is an argument, so that tests can run it in virtual
// time. [Cuts] say, likewise, when a line is cut and when it is mended. A [Cable] consists of two lines and such cuts. In real
// time, it wraps ports so that they behave like its lines.
//
//	cable, err := fault.New(options)
//	...
//	port, err := cable.Open(fault.HubEnd, func() (io.ReadWriteCloser, error) { return os.OpenFile(...) })
//
// # What repeats with a seed
//
// What happens to a byte depends on the seed and on the bytes before it in its direction, not on how they were split into
// writes and reads, nor on the time. Each kind of harm draws its own random numbers, so that it does not change where the
// others strike. When the line is cut depends on the seed and on when it was first used.
//
// # Frames
//
// A frame is the bytes between two zeros, as they were sent.
package fault
