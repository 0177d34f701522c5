// Package link is both ends of a serial line as state machines: no goroutine runs here, nothing waits, no lock is taken and
// the time is an argument. So a test can run a hub and a device over any line, in virtual time and from a seed, and a line
// that stands still costs no memory. Whoever calls an end holds its lock; package endpoint does so.
//
// # Concepts
//
//   - A [Link] is the conversation between the hub and one device: reliable frames in both directions (inbox.go,
//     unanswered.go), PING, and when to send what again (link.go, resend.go).
//   - A [HubEnd] is the hub's end of a line: which device is there, its sessions, the line's rate (hubend.go, hubrate.go).
//   - [Devices] is what a hub knows of devices, whatever line they are on (devices.go): the frames and the [Clock] of each
//     (clock.go), the readings with their times (reading.go), the way back when times are lost (resync.go), and the state from
//     which the next run of the hub goes on (state.go, clockstate.go).
//   - A [DeviceEnd] is the device's end of a line: HELLO, its dictionary, its rate, and the readings that it keeps until
//     they are acknowledged (deviceend.go, devicerate.go, ring.go).
//
// Both ends work alike: Receive takes bytes as they were read, Pull appends what is to be written now and says when to call
// it again, Rate returns the rate that the port is to be set to.
package link
