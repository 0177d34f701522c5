// Package mqtt passes a hub's events on to an MQTT broker that is there already, and the broker's commands to the hub.
//
// A [Bridge] does one of two things. It passes on every event, from the hub's journal, in its order and at least once: what was on its way
// when something broke is sent again, with the same id. Or it keeps the newest state of each event at the broker, for those who want to
// know how things are, such as Home Assistant; then what is late never takes the place of what is newer.
//
// The hub's cursor moves when the broker has acknowledged. A broker that is killed may still forget what it has acknowledged. So the Bridge
// keeps a mark at the broker, which says how far the events there have come, and begins there again when the mark is older than the
// cursor. The mark moves only on a connection on which the Bridge has read it, and has begun there.
package mqtt
