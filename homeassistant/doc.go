// Package homeassistant announces a hub's devices to Home Assistant, by its MQTT discovery of whole devices (Home Assistant 2025.1 or
// later).
//
// A [Plan] makes an [Announcement] of what a hub knows of a [Device]: the names and units of its events, and its requests. An
// [Announcer] publishes announcements to a broker, remembers in a file what it has published, and clears what is not there any more.
// Neither knows how messages reach the broker.
//
// What is announced refers to topics, which whoever publishes events has in common with this package: see [Topics].
//
//	an event with a unit      a sensor; the unit decides its class: see the table in units.go
//	an event with booleans    a binary sensor, or a switch if a request sets it
//	an event with numbers     a sensor, or a number if a request sets it
//	an event with texts       a sensor
//	an event without data     an event
//	a request                 a button, if its name says that it needs nothing
//
// An event with lists or maps is left out: Home Assistant has no entity for these.
package homeassistant
