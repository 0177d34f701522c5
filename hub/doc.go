// Package hub routes events from senders to listeners, and requests from callers to senders.
//
// A [Sender] is a named source of events. Each of its events is triggered through a [Signal]. A [Listener]
// hears the events it subscribed to:
//
//	subscription      sender  event
//	specific          "light" "lux"
//	sender broadcast  "light" ""       any event of one sender
//	router broadcast  ""      ""       everything
//	channel           ""      "#alarm" an event whose name starts with #, of any sender
//
// One event is delivered in the order router broadcast, sender broadcast, channel, specific, and within each of these in the
// order of registration. A listener sees the events of one sender in the order in which they were
// triggered. Senders that come and go are announced by their built-in events [Connect] and [Disconnect].
//
// A listener may be added before its sender is there. It hears the sender once the sender connects. If the sender does
// not offer the event, the listener hears nothing until the sender connects again and offers it.
//
// A request is a call to one of a sender's methods; the sender answers it with a response or an error.
//
// A [Router] does all this within a process. A [ServerRouter] is a Router that clients reach through carriers,
// and a [ClientRouter] is a Router that also has remote senders and listeners, in a ServerRouter elsewhere.
// This package does no I/O: carriers do.
package hub
