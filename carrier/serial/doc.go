// Package serial is the carrier for microcontrollers on serial lines: the hub's side. The device's side in Go is package
// device, in C it is firmware/. The specification of what goes over the line is firmware-protocol.md at the repository's
// root.
//
// # Concepts
//
//   - A port is where a device may be. The options name ports by path, by pattern or by USB ids. Ports come and go: a finder
//     looks for them whenever the system reports a change, and once a second. [Server.Ports] returns their states.
//   - A line is a port of a server. It is opened again for as long as the server runs; one that cannot be opened harms no
//     other.
//   - A device is known by its uid, wherever it is plugged in. It is gone when its port is ([carrier.ErrUnplugged]), when it
//     is silent ([carrier.ErrTimeout]), or when it was started anew ([carrier.ErrReset]).
//   - A mark is the state of a device's link. It is kept together with the readings that belong to it, if the handler is a
//     [carrier.Keeper]; devices then go on over a restart of the hub.
//   - A client is one connection of a device. Frames that are sent again after a line was cut are recognised by their
//     numbers, so that no reading is doubled and no request runs twice.
//
// # What the hub does with a device
//
// A device says HELLO, with its uid, its name and a number that differs at each start, and the hub gives it a session. If
// the device has a dictionary, which lists the names of its senders, events and requests, the hub fetches it once and
// remembers it. Then the handler is told of a client. For each sender of the dictionary it gets a message "add_sender", as
// if the device had sent it. For each reading it gets a signal with the time at which the reading was taken and the
// uncertainty of that time; a handler that takes no signals gets a message:
//
//	{"info": {"sender": "light", "event": "lux", "time": <ns since 1970>, "uncertainty": <ns>}, "data": 512}
//
// The event "#gap" reports readings that a device took and lost: {"count", "first", "last", "event"}. If the device has
// counted them, event is the name of the lost event. If the device was reset and has lost its memory, the count is null
// and there is no event. The handler's answer to a signal acknowledges the reading; until then the device keeps it.
//
// A reading with a value that cannot be carried is handed on as a signal with an error, and the handler answers that. A frame
// that cannot be read is refused as a whole, and every sender that has reported has a "#gap" with a cause. What a port or a
// device suffers from, and what was refused of it, is told by [Server.Ports].
//
// A device without a dictionary sends these messages itself. Requests travel as numbers if the dictionary has them, else
// with their names.
//
// A line begins at 115200 bits per second. A device that can do more is offered faster rates, of which the first one that
// works is kept. On a line that brings only noise, other usual rates are tried.
//
// # Reading the code
//
// Follow a reading: port opens the device file. internal/endpoint (pump.go) reads it and gives the bytes to the line's end,
// internal/link (hubend.go, link.go, reading.go), which knows from internal/wire what they mean. Here, line.go passes the
// frame to server.go and client.go; handover.go hands the signals to the handler and passes the answers back. Beside that
// path lie finder.go and portstate.go (ports), fetch.go and store.go (dictionaries), registration.go and senders.go (senders),
// marks.go (what lasts), losses.go and gap.go (lost readings), refusals.go, problems.go and overheard.go (what is wrong).
//
// # Locks
//
// One lock, that of the [Server], guards all lines and all devices, because a device can move from one line to another.
// Nothing blocks while it is held: no handler or callback runs, nothing is read or written, and what is logged is written
// after the lock is free. It has the rank lockrank.Serial, as has that of a device.Device, for which the same rules hold. The
// queues and the answers that are awaited have locks of rank lockrank.Leaf.
package serial
