// Package lines makes senders of devices that print lines of text on a serial line, and of those that answer lines: sketches with
// Serial.println, receivers of satellites, gateways of MySensors, smart meters, modems, instruments.
//
// A [Speaker] serves one port, which a [serial.Server] finds and opens. Package formats makes events of lines. The sender connects
// with the first line that is understood, and disconnects, with a reason, when the port has gone or when nothing was understood for
// a stated time. What is refused is counted, told as #gap where a reading was lost, and logged now and then with its text.
//
// # Which events a sender has
//
// The configuration, or the format, says which events there are; else those of the first line are, and a name that comes later must
// come twice, because noise can look like a name. The first reading of such an event is told together with the second. A sender
// that gets more events connects anew, with the reason "changed".
//
// # Certainty
//
// A line of text has no acknowledgement and, in most formats, no checksum: what is lost on the line is lost, and what is damaged may
// look right. Declare ranges for what matters.
//
// # Locks
//
// A Speaker's tally, its queue and what is asked of its device have locks of rank lockrank.Leaf. Senders belong to the goroutine of
// Speak.
package lines
