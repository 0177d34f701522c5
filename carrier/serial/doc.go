// Package serial is the carrier for microcontrollers on serial lines, both ends of it: a [Server] is the hub's side
// of any number of ports, a [Device] is a device in Go, for simulators and tests. The specification of what goes
// over the line is firmware-protocol.md at the repository's root.
//
// # What the hub does with a device
//
// A device says HELLO, with its uid, its name and a number that differs at each start; the hub gives it a session.
// If the device has a dictionary (the names of its senders, events and requests, so that numbers are enough on the
// line), the hub fetches it once and remembers it. Then the handler is told of a client. For each sender of the
// dictionary it gets a message "add_sender", as if the device had sent it; for each reading a message "signal",
// with the time at which it was taken and how sure that is:
//
//	{"info": {"sender": "light", "event": "lux", "time": <ns since 1970>, "uncertainty": <ns>}, "data": 512}
//
// The message of event "#gap" tells of readings that a device took and could not keep, {"count", "first", "last",
// "event"}: as the device has counted them; or with a count of null and no event, which means that nobody knows, when
// the device was started anew and has lost its memory. If that has survived, the device goes on where it was.
// A device without a dictionary sends such messages itself. Requests to the device travel as numbers if its
// dictionary names them, else as they are. The handler's reply to a reading is its acknowledgement: until then the
// device keeps it.
//
// # Ports
//
// Ports are named by path, by pattern or by their USB ids, and served when they appear: a finder (finder.go, and package
// discovery) looks whenever the system tells of a change, and once a second. Each port is a line (line.go) with a life
// (life.go) that [Server.Ports] tells of. A port that cannot be opened is tried again; it harms no other.
//
// A device is known by its uid, wherever it is plugged in. It is gone when its port is ([carrier.ErrUnplugged]), when
// it is silent ([carrier.ErrTimeout]), or when it was started anew ([carrier.ErrReset]). The port is opened again for
// as long as the server runs. What is sent again after a line was cut is recognised by its number, so that nothing is
// doubled and no request is executed twice.
//
// A line begins at the usual rate. A device that can do more is offered faster rates, of which the first that works is
// kept; where nothing but noise is heard, the other usual rates are tried.
//
// # How it is built
//
// bytes ⇄ frames (cobs.go, crc.go, frame.go, deframer.go) ⇄ link (inbox.go, outbox.go, link.go) ⇄ one end of a line
// (hubline.go, deviceline.go): up to here nothing waits, nothing runs by itself, and time is an argument. A pump
// (pump.go) moves bytes between that and a [Port]: its writer asks what is to be written now, so a line that stands
// still costs no memory, and sets the port's rate (hubrate.go, devicerate.go) between two writes. A client (client.go)
// is one goroutine that tells the handler of a device, in order.
package serial
