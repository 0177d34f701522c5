// Package bridge has what every bridge needs that passes a hub's events on to something else, such as a broker.
//
// A [Feed] reads events from the hub's journal, in their order, and remembers by a cursor how far the other side has acknowledged them.
// So nothing is lost while the other side is away, or while the hub is: the bridge reads on where it was. A [State] collects what there
// is to tell of a bridge, and [Method] answers the request that lists all bridges.
//
// What is read and not acknowledged when a bridge ends is read again. Event.ID names an event for ever, so that whoever hears it twice
// can tell.
package bridge
